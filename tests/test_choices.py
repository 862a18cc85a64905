"""What may be asked of quantization, and what becomes of it: bits, budgets, refusals by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.calibration import Peaks, require_alive
from neurodeploy.choices import Choices
from neurodeploy.comparison import compare
from neurodeploy.errors import DoesNotFit, InputError, NegativeAnswer, Unsupported, UsageError
from neurodeploy.mapping import map_network
from neurodeploy.mixed_precision import weight_bytes
from neurodeploy.network import stored_weights
from neurodeploy.quantization import quantization
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.test_quantization import CHIP, chain, convolutional, lif, spikes

CHIPS = Path(__file__).parent / "chips"
X = spikes(12, 25, 2, 8, 8)
#: Fewer plans, where it is not them that a test is about.
FEW = {"clipping": "mse", "scales": "population"}


@pytest.fixture(scope="module")
def graph():
    return convolutional(np.random.default_rng(7))


def quantized(graph, chip=CHIP, **choices):
    return quantization(graph, chip, X, Choices(**choices))


def test_measured_plans_bring_the_answers_nearer_than_plain_rounding(graph):
    plain = quantized(graph, weight_bits=4, rounding="nearest", clipping="mse", scales="population")
    chosen = quantized(graph, weight_bits=4)
    assert chosen.bench.answers(chosen.realized) < plain.bench.answers(plain.realized) / 1.2
    assert {len(measured) for measured in chosen.candidates.values()} == {7}
    assert plain.candidates == {"n1": (), "n2": ()}


def test_choices_are_kept_and_repeat(graph):
    first, again = (quantized(graph, weight_bits=3, clipping="none", rounding="adaptive") for _ in range(2))
    for one, other in zip(first.network.projections, again.network.projections, strict=True):
        assert one.weight_bits == 3
        assert np.array_equal(one.connection.weight, other.connection.weight)
        assert (one.connection.weight % 32 == 0).all() or (one.connection.weight >= 0).all()
    assert {(r.plan.clipping, r.plan.rounding) for r in first.realized} == {("none", "adaptive")}


def test_scales_by_channel_are_absorbed_by_thresholds():
    rng = np.random.default_rng(2)
    weight = rng.normal(0, 1, (12, 30)) * np.geomspace(0.25, 2, 12)[:, None]
    graph = chain(lif((12,), threshold=2.0), weight)
    x = spikes(6, 30, 30)
    whole = quantization(graph, CHIP, x, Choices(weight_bits=4, scales="population", clipping="none"))
    split = quantization(graph, CHIP, x, Choices(weight_bits=4, scales="channel", clipping="none"))
    thresholds = split.network.populations[0].neuron.threshold
    assert 1 < len(np.unique(thresholds)) <= CHIP.limits["neuron_groups"]
    assert whole.network.populations[0].neuron.threshold.size == 1
    assert split.bench.answers(split.realized) < whole.bench.answers(whole.realized)
    weights = next(v for v in split.values if v.parameter == "weight fc")
    assert np.abs(weights.error).max(axis=1)[0] < np.abs(weights.error).max(axis=1)[-1]


def test_a_chip_with_one_threshold_a_population_keeps_one_scale(graph):
    limits = {name: limit for name, limit in CHIP.limits.items() if name != "neuron_groups"}
    result = quantized(graph, replace(CHIP, limits=limits), scales="channel", weight_bits=4)
    assert all(p.neuron.threshold.size == 1 for p in result.network.populations)


def test_memory_decides_the_bits(graph):
    wide = weight_bytes(quantized(graph).realized)
    result = quantized(graph, weight_bits="auto", memory=int(wide * 0.6), **FEW)
    assert weight_bytes(result.realized) <= wide * 0.6
    bits = [r.plan.bits for r in result.realized]
    assert bits != [8, 8]
    assert [p.weight_bits for p in result.network.projections] == bits
    with pytest.raises(DoesNotFit, match=r"weights: take .* bytes at loihi2's narrowest, the budget is 1;"):
        quantized(graph, weight_bits="auto", memory=1, **FEW)


def test_the_loss_of_accuracy_decides_the_bits(graph):
    strict, loose = (quantized(graph, weight_bits="auto", loss=loss, **FEW) for loss in (10.0, 60.0))
    assert weight_bytes(loose.realized) < weight_bytes(strict.realized) < weight_bytes(quantized(graph).realized)
    for result, loss in ((strict, 10.0), (loose, 60.0)):
        evidence = result.bench.evidence
        made = simulate(result.network, evidence.inputs).predictions()
        assert 100 * np.mean(made != evidence.recording.predictions()) <= loss


def test_a_loss_that_the_widest_weights_exceed_is_told(monkeypatch, graph):
    monkeypatch.setattr("neurodeploy.quantization._loss", lambda *_: 7.0)
    with pytest.raises(NegativeAnswer, match=r"weights: cost 7.00 points of accuracy at these bits, the budget is 1"):
        quantized(graph, weight_bits="auto", loss=1, **FEW)


@pytest.mark.parametrize("name", ["ternary", "binary"])
def test_chips_with_hardly_any_weights(graph, name):
    chip = load_chip(CHIPS / f"{name}.toml")
    result = quantization(graph, chip, X)
    for projection in result.network.projections:
        assert set(np.unique(stored_weights(projection.connection))) <= ({-1, 0, 1} if name == "ternary" else {-1, 1})
        assert projection.weight_bits == chip.formats.weight_bits
    run, real = simulate(result.network, X), result.bench.evidence.recording
    assert np.corrcoef(run.spikes["n2"].sum((0, 1)), real.spikes["n2"].sum((0, 1)))[0, 1] > 0.5


def test_every_width_of_the_first_loihi_is_on_its_grid(graph):
    chip = load_chip("loihi1")
    for bits in (2, 3, 4, 5, 6, 8):
        network = quantization(graph, chip, X[:3], Choices(weight_bits=bits, allow_dead=True, **FEW)).network
        for projection in network.projections:
            weight = projection.connection.weight
            assert (weight % 2 ** (9 - bits) == 0).all()
            assert -256 <= weight.min() < 0 < weight.max() <= 256 - 2 ** (9 - bits)


def test_one_bit_of_both_signs_is_two_groups_of_synapses(graph):
    chip = load_chip("loihi1")
    result = quantization(graph, chip, X, Choices(weight_bits=1))
    network = result.network
    stored = {p.name: set(np.unique(stored_weights(p.connection)).tolist()) for p in network.projections}
    both = {"excitatory": {0, 128}, "inhibitory": {0, -128}}
    assert stored == {f"{name}_{sign}": values for name in ("c1", "fc") for sign, values in both.items()}
    assert {p.weight_bits for p in network.projections} == {1}
    assert "c1, fc: weights of both signs, each stored in two groups of synapses" in " ".join(
        network.provenance["notes"]
    )
    runs = [simulate(network, X[:3], backend, record=("s", "u", "v")) for backend in ("golden", "emulator")]
    assert compare(*runs).equal
    real = result.bench.evidence.recording
    assert np.corrcoef(runs[1].spikes["n1"].ravel(), real.spikes["n1"][:3].ravel())[0, 1] > 0.5


def test_one_bit_needs_no_second_group_for_weights_of_one_sign():
    chip = load_chip("loihi1")
    weight = np.abs(np.random.default_rng(4).normal(0, 0.5, (5, 12)))
    for sign, values in ((1, {0, 128}), (-1, {0, -128})):
        bias = None if sign > 0 else np.full(5, 1.5)
        network = quantization(chain(lif((5,)), sign * weight, bias), chip, None, Choices(weight_bits=1)).network
        assert [p.name for p in network.projections] == ["fc"]
        assert set(np.unique(network.projections[0].connection.weight).tolist()) == values


def test_one_bit_of_both_signs_is_refused_without_a_format_for_one_sign(graph):
    chip = replace(CHIP, formats=replace(CHIP.formats, unsigned_maximum=0))
    with pytest.raises(Unsupported, match=r"projection 'c1'.*of 1 bits are -256 or 0; take one bit more"):
        quantized(graph, chip, weight_bits=1)


def test_groups_of_one_sign_cost_memory_each(graph):
    chip = load_chip("loihi1")
    both = quantization(graph, chip, None, Choices(weight_bits=1)).network
    excitatory = replace(both, projections=tuple(p for p in both.projections if p.name.endswith("excitatory")))
    words = [sum(core.use["synapse_words"][0] for core in map_network(n, chip).cores) for n in (both, excitatory)]
    assert words[0] == 2 * words[1]


def test_sixteen_bit_states_are_kept():
    rng = np.random.default_rng(3)
    graph = chain(lif((6,), alpha=1.0 - 1e-9, threshold=6.0), rng.normal(0.2, 0.6, (6, 40)))
    chip = load_chip("dynapcnn")
    x = spikes(6, 30, 40, density=0.5)
    result = quantization(graph, chip, x)
    peak = result.peaks["n"]
    assert peak.state_bits == 16
    assert (peak.wraps, peak.clips) == (0, 0)
    assert max(peak.u, peak.v) < 1 << 15
    assert peak.as_dict()["v_range"] == peak.v / (1 << 15)
    roomy = quantization(graph, replace(chip, formats=replace(chip.formats, state_bits=24)), x)
    assert result.realized[0].plan.headroom > roomy.realized[0].plan.headroom


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"weight_bits": 9}, r"--weight-bits: is 9, loihi2 stores weights of 1, 2, 3, 4, 5, 6, 7, 8 bits"),
        ({"weight_bits": "some"}, "weight_bits: is 'some'; a number of bits, or auto"),
        ({"weight_bits": True}, "weight_bits: is True"),
        ({"rounding": "up"}, "rounding: 'up' is none; one of nearest, adaptive, auto"),
        ({"clipping": "best"}, "clipping: 'best' is none"),
        ({"scales": "neuron"}, "scales: 'neuron' is none"),
        ({"ranges": "all"}, "ranges: 'all' is none; one of calibration, every-input"),
        ({"memory": 100}, "memory: is a budget for weight_bits 'auto'"),
        ({"weight_bits": 8, "loss": 1.0}, "loss: is a budget for weight_bits 'auto'"),
        ({"weight_bits": "auto", "loss": float("nan")}, "loss: is nan; a number of at least 0"),
        ({"weight_bits": "auto", "memory": -1}, "memory: is -1"),
    ],
)
def test_choices_that_make_no_sense_are_refused(graph, choices, message):
    with pytest.raises(UsageError, match=message):
        quantized(graph, **choices)


@pytest.mark.parametrize("choices", [{"weight_bits": "auto"}, {"rounding": "adaptive"}, {"ranges": "every-input"}])
def test_what_samples_decide_needs_samples(graph, choices):
    with pytest.raises(UsageError, match=r"ask for what calibration samples decide; give --calibrate data\.npz"):
        quantization(graph, CHIP, None, Choices(**choices))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (X[:, :, :1], r"input 'in': is \[12, 25, 1, 8, 8\], the network takes \[samples, steps, 2, 8, 8\]"),
        (X[:0], r"input 'in': is \[0, 25, 2, 8, 8\]"),
        (np.where(X, np.nan, 0.0), "holds NaN or infinity"),
        (X * 0.5, "holds fractions"),
        ({"in": X, "other": X}, "given for in, other"),
    ],
)
def test_samples_that_do_not_fit_are_refused(graph, samples, message):
    with pytest.raises(InputError, match=message):
        quantization(graph, CHIP, samples)


def test_weights_too_small_for_the_format_are_named():
    graph = chain(lif((2,)), np.full((2, 3), 1e-9))
    with pytest.raises(InputError, match=r"population 'n': every weight is 0 .*: they are too small beside its"):
        quantization(graph, CHIP)
    quantization(graph, CHIP, None, Choices(allow_dead=True))
    notes = quantization(chain(lif((2,), threshold=1e-9), np.ones((2, 3))), CHIP).network.provenance["notes"]
    assert "n: its threshold is 0 units: it fires at any membrane above 0" in notes


def test_labels_that_do_not_fit_are_refused(graph):
    with pytest.raises(InputError, match="labels: 3 labels for 12 samples"):
        quantization(graph, CHIP, X, labels=np.zeros(3, int))
    for label in (5, -1):
        with pytest.raises(InputError, match=r"labels: go from .*, output 'n2' has 5 cells; give a class from 0"):
            quantization(graph, CHIP, X, labels=np.array([label] + [0] * 11))


def test_a_population_that_dies_in_integers_is_named_unless_allowed():
    weight = np.full((2, 40), 0.02)
    weight[:, 0] = 50.0
    graph = chain(lif((2,), alpha=0.9, threshold=1.0), weight)
    x = np.ones((2, 30, 40), np.uint8)
    x[:, :, 0] = 0
    plain = {"rounding": "nearest", "clipping": "none", "weight_bits": 4, "scales": "population"}
    with pytest.raises(InputError, match=r"population 'n': is dead in integers: it fires .* --allow-dead keeps it"):
        quantization(graph, CHIP, x, Choices(**plain))
    kept = quantization(graph, CHIP, x, Choices(**plain, allow_dead=True))
    assert kept.peaks["n"].rate == 0


def test_a_population_that_is_silent_in_float_too_is_noted(graph):
    result = quantization(graph, CHIP, np.zeros_like(X[:2]))
    assert (
        "n2: silent in the float network on the calibration samples, which tell nothing of it"
        in (result.network.provenance["notes"])
    )


def test_a_population_that_fires_without_end_in_integers_is_named():
    peaks = {"n": Peaks(u=9, v=9, wraps=0, clips=0, rate=1.0)}
    with pytest.raises(InputError, match=r"population 'n': fires in every step in integers, and 0\.5 times"):
        require_alive(peaks, {"n": 0.5})
    require_alive(peaks, {"n": 1.0})
