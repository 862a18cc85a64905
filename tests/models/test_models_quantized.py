"""Training as integers: the forward pass is the emulator's, the gradients are the float network's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neurodeploy import network as net
from neurodeploy.audit import Values
from neurodeploy.choices import Choices
from neurodeploy.errors import InputError, Unsupported, UsageError
from neurodeploy.export.ours import read_convnet
from neurodeploy.models.convnet import as_input, build_model
from neurodeploy.models.finetune import FinetuneSettings, finetune
from neurodeploy.models.quantized import QuantizedNetwork
from neurodeploy.models.recipe import parse_recipe
from neurodeploy.models.spikes import Samples
from neurodeploy.neurons import Lif
from neurodeploy.quantization import Quantization, quantization
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.random_networks import random_network
from tests.test_quantization import convolutional, spikes
from tests.test_state_width import narrow

CHIP = load_chip("loihi2")
TERNARY = replace(
    CHIP,
    name="ternary",
    formats=replace(
        CHIP.formats, weight_bits=2, signed_minimum=-1, signed_maximum=1, signed_step=1, unsigned_maximum=1
    ),
)


def as_floats(network):
    """Return a quantization whose floats are the integers of a network, at a scale of 64."""
    populations = tuple(replace(p, scale=64.0) for p in network.populations)
    values = []
    for p in populations:
        neuron = p.neuron
        bias = neuron.bias * 2.0**neuron.bias_exponent
        for name, integer, size in (
            ("threshold", neuron.threshold, 64.0),
            ("current_decay", neuron.current_decay, 4096.0),
            ("voltage_decay", neuron.voltage_decay, 4096.0),
            ("bias", bias, 4096.0),
        ):
            values.append(Values(p.name, name, integer / size, np.asarray(integer), integer / size))
    for q in network.projections:
        weight = q.connection.weight
        size = 64.0 / 2.0**q.weight_exponent
        values.append(Values(q.target, f"weight {q.name}", weight / size, weight, weight / size))
    return Quantization(replace(network, populations=populations), tuple(values), {})


def held_against_the_emulator(model, events):
    recording = simulate(model.network(), events, record=("u", "v"))
    trace = model(torch.from_numpy(events))
    for kept, found in ((recording.spikes, trace.spikes), (recording.u, trace.u), (recording.v, trace.v)):
        for name, expected in kept.items():
            assert np.array_equal(found[name].transpose(0, 1).detach().numpy(), expected), name
    return recording, trace


@pytest.mark.parametrize("seed", range(60))
def test_the_forward_pass_is_the_emulator_at_the_edges_of_every_range(seed):
    network = random_network(seed)
    model = QuantizedNetwork(as_floats(network), CHIP)
    events = spikes(2, 9, *network.ports[0].shape, seed=seed, density=0.4)
    held_against_the_emulator(model, events)


@pytest.mark.parametrize("seed", range(4))
def test_the_forward_pass_wraps_and_holds_where_narrow_registers_end(seed):
    network = narrow(seed)
    model = QuantizedNetwork(as_floats(network), CHIP)
    events = spikes(2, 9, *network.ports[0].shape, seed=seed, density=0.4)
    recording, _ = held_against_the_emulator(model, events)
    assert sum(recording.wraps.values()) + sum(recording.clips.values()) > 0


def test_single_precision_is_left_where_its_sums_could_be_inexact():
    models = [QuantizedNetwork(as_floats(random_network(seed)), CHIP) for seed in range(12)]
    assert {model.dtype for model in models} == {torch.float32, torch.float64}
    for model in models:
        into = model.base.into("c")
        bound = sum(256 * np.prod(q.connection.weight.shape[1:]) * 2.0 ** max(q.weight_exponent, 0) for q in into)
        assert bound <= 2**17 or model.dtype == torch.float64


@pytest.mark.parametrize("seed", range(40))
def test_the_forward_pass_is_the_emulator_after_any_change_of_the_parameters(seed):
    rng = np.random.default_rng(seed)
    chip = (CHIP, TERNARY)[seed % 2]
    model = QuantizedNetwork(quantization(convolutional(rng), chip), chip, ("weight", "bias", "threshold", "decay"))
    with torch.no_grad():
        for _, parameter in model.named_trained():
            noise = torch.from_numpy(rng.normal(1, 0.2, parameter.shape)).to(parameter.dtype)
            parameter.mul_(noise).add_(0.01)
    recording, _ = held_against_the_emulator(model, spikes(3, 12, 2, 8, 8, seed=seed))
    assert model.dtype == torch.float32
    assert any(cells.any() for cells in recording.spikes.values())


def test_the_account_is_of_the_integers_as_they_stand():
    model = QuantizedNetwork(quantization(convolutional(np.random.default_rng(0)), CHIP), CHIP)
    before = model.quantization()
    with torch.no_grad():
        for _, parameter in model.named_trained():
            parameter.mul_(0.5)
    after = model.quantization()
    for old, new in zip(before.values, after.values, strict=True):
        assert (old.population, old.parameter) == (new.population, new.parameter)
        if "decay" not in new.parameter:
            assert np.allclose(new.original, old.original / 2)
            assert np.abs(new.error).max() <= 1.0 / min(p.scale for p in model.base.populations) * 64
    stored = {q.name: q.connection.weight for q in after.network.projections}
    for entry in after.values:
        if entry.parameter.startswith("weight "):
            assert np.array_equal(stored[entry.parameter.removeprefix("weight ")], entry.integer)


RECIPE = """
name = "small"
[training]
epochs = 1
learning_rate = 0.01
[[layers]]
kind = "conv"
channels = 4
kernel = 3
bias = false
[[layers]]
kind = "lif"
beta = 0.8
[[layers]]
kind = "flatten"
[[layers]]
kind = "linear"
features = 10
bias = false
[[layers]]
kind = "lif"
beta = 0.9
"""


def test_gradients_are_those_of_the_float_network():
    torch.manual_seed(1)
    recipe = parse_recipe(RECIPE, "small.toml")
    float_model = build_model(recipe)
    graph, _ = read_convnet(float_model, 1e-3)
    model = QuantizedNetwork(quantization(graph, CHIP), CHIP)
    events = spikes(16, 10, 1, 8, 8, density=0.5)
    weighing = torch.randn(16, 10)
    (float_model(as_input(events)).sum(dim=0) * weighing).sum().backward()
    (model.scores(model(torch.from_numpy(events))) * weighing).sum().backward()
    expected = [p.grad.flatten() for p in float_model.parameters() if p.ndim > 1]
    found = [p.grad.flatten() for name, p in model.named_trained() if name.endswith(".weight")]
    assert len(expected) == len(found) == 2
    for one, other in zip(expected, found, strict=True):
        assert torch.nn.functional.cosine_similarity(one, other, dim=0) > 0.98
        assert 0.9 < float(one.norm() / other.norm()) < 1.1


def labelled(seed, count=96):
    """Return samples whose label is the quarter of the image that is bright."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    rate = np.full((count, 1, 2, 8, 8), 0.05)
    for image, label in zip(rate, labels, strict=True):
        image[..., 4 * (label // 2) : 4 * (label // 2) + 4, 4 * (label % 2) : 4 * (label % 2) + 4] = 0.4
    return Samples((rng.random((count, 8, 2, 8, 8)) < rate).astype(np.uint8), labels)


def test_fine_tuning_learns_with_ternary_weights_and_repeats_itself():
    start = quantization(convolutional(np.random.default_rng(3)), TERNARY)
    settings = FinetuneSettings(epochs=3, learning_rate=0.1, batch_size=16)
    first, again = (finetune(start, TERNARY, labelled(0), labelled(1), settings) for _ in range(2))
    before = simulate(start.network, labelled(1).spikes).accuracy(labelled(1).labels)
    assert first.history[-1].test_accuracy >= max(before + 0.3, 0.8)
    assert first.history == again.history
    assert first.proved_cells == 16 * 8 * (4 * 64 + 5)
    weights = [q.connection.weight for q in first.network.projections]
    assert all(set(np.unique(weight)) <= {-1, 0, 1} for weight in weights[:1])
    for one, other in zip(weights, (q.connection.weight for q in again.network.projections), strict=True):
        assert np.array_equal(one, other)


def test_what_cannot_be_trained_is_named():
    start = quantization(convolutional(np.random.default_rng(0)), CHIP)
    with pytest.raises(UsageError, match=r"learn \['weights'\]"):
        QuantizedNetwork(start, CHIP, ("weights",))
    with pytest.raises(InputError, match=r"labels to 5; output 'n2' has 5 classes"):
        finetune(start, CHIP, Samples(labelled(0).spikes, np.full(96, 5)))
    with pytest.raises(InputError, match=r"input 'in': has shape \[2, 3, 2, 8, 7\]"):
        QuantizedNetwork(start, CHIP)(torch.zeros(2, 3, 2, 8, 7))
    population = start.network.populations[0]
    assert isinstance(population.neuron, Lif)
    frozen = replace(population, neuron=replace(population.neuron, refractory=2))
    other = replace(start.network, populations=(frozen, *start.network.populations[1:]))
    with pytest.raises(Unsupported, match="n1: its neurons are of a kind"):
        QuantizedNetwork(replace(start, network=other), CHIP)


def test_training_stops_where_a_number_is_no_longer_finite(monkeypatch):
    start = quantization(convolutional(np.random.default_rng(0)), CHIP)
    scores = QuantizedNetwork.scores
    monkeypatch.setattr(QuantizedNetwork, "scores", lambda model, trace: scores(model, trace) * float("inf"))
    with pytest.raises(InputError, match=r"is no longer finite in epoch 1 of fine-tuning; lower the learning rate"):
        finetune(start, CHIP, labelled(0))


def test_bursting_neurons_and_payloads_are_the_emulator_s():
    rng = np.random.default_rng(5)
    shape = (6,)
    neuron = Lif(
        threshold=rng.integers(1, 40, shape),
        current_decay=np.array(4096),
        voltage_decay=np.array(300),
        reset="burst",
        lowest=np.array(-50),
    )
    weight = rng.integers(-128, 128, (6, 4)) * 2
    network = net.Network(
        (net.Port("in", (4,)),),
        (net.Population("n", shape, neuron, 1),),
        (net.Projection("p", "in", "n", net.Dense(weight), 1),),
        ("n",),
    )
    model = QuantizedNetwork(as_floats(network), CHIP, largest_input=16)
    events = rng.integers(0, 17, (5, 20, 4)).astype(np.uint8)
    recording, trace = held_against_the_emulator(model, events)
    assert recording.spikes["n"].max() > 3
    trace.spikes["n"].sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_trained()}
    assert all(torch.isfinite(gradient).all() and gradient.abs().sum() > 0 for gradient in gradients.values())
    assert gradients["n.threshold"].sum() < 0


def test_narrow_weights_stay_on_their_grid():
    start = quantization(
        convolutional(np.random.default_rng(3)), CHIP, None, Choices(weight_bits=4, scales="population")
    )
    result = finetune(start, CHIP, labelled(0), settings=FinetuneSettings(epochs=1, batch_size=32))
    for before, after in zip(start.network.projections, result.network.projections, strict=True):
        assert after.weight_bits == 4
        assert len(np.unique(after.connection.weight)) <= 16
        assert (before.connection.weight != after.connection.weight).any()
