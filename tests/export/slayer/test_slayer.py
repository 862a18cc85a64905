"""Networks of slayer become integer networks that equal them, and what lava-dl's own export and loader make of them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from neurodeploy.comparison import compare
from neurodeploy.conformance import read_case
from neurodeploy.conformance.checkpoint import check_checkpoint
from neurodeploy.errors import BackendMissing, InputError, NotEqual, Unsupported, UsageError
from neurodeploy.export.door import Request, open_model
from neurodeploy.export.netx import read_net
from neurodeploy.export.slayer.door import open_module
from neurodeploy.export.slayer.home import require_slayer
from neurodeploy.graph import Neuron
from neurodeploy.loading import load_netx
from neurodeploy.network_export import export_network, prove_network
from neurodeploy.simulation import simulate
from neurodeploy.source import open_source
from neurodeploy.targets.lava.environment import packages
from neurodeploy.targets.lava.netx_run import run_many
from tests.cli.conftest import run  # noqa: F401  # the fixture that runs the command line
from tests.export.slayer.networks import EXPORTED, NATIVE, Blocks, parameters, trained

CASES = {**EXPORTED, **NATIVE}


@pytest.mark.parametrize("name", CASES)
def test_a_network_is_written_and_proved(tmp_path, cuba, name):
    case = CASES[name]
    live = open_module(trained(case, cuba), shape=case.shape, steps=60)
    result = export_network(live, tmp_path / "net.nir")
    assert result.proof.equal
    assert result.proof.cells >= 8 * 60 * result.neurons
    answers = live.record(live.draw(8, 0))
    for population, spikes in answers.spikes.items():
        values = answers.v.get(population, spikes)
        assert 0 < np.count_nonzero(values) < values.size, population


def _pair(tmp_path, cuba, name):
    """Return our network in chip time and what lava-dl writes of the same module, as a netx file."""
    module = trained(EXPORTED[name], cuba)
    network = open_module(module, shape=EXPORTED[name].shape, steps=60).network
    path = tmp_path / f"{name.replace(' ', '-')}.net"
    module.export_hdf5(path)
    return network.in_chip_time(), load_netx(path)


def test_networks_equal_what_lava_dl_exports_and_runs(tmp_path, cuba):
    """In every s, u and v: our reading of its file, and its own loader in Lava."""
    pairs = {name: _pair(tmp_path, cuba, name) for name in EXPORTED}
    quantities = ("s", "u", "v")
    inputs = {name: {"input": _spikes(EXPORTED[name].shape)} for name in pairs}
    runs = run_many([(file, inputs[name]) for name, (_, file) in pairs.items()], quantities)
    for (name, (network, file)), found in zip(pairs.items(), runs, strict=True):
        ours = simulate(network, inputs[name], record=quantities)
        read = simulate(read_net(file.path), inputs[name], record=quantities)
        keys = dict(zip(read.spikes, ours.spikes, strict=True))
        for other in (read, found):
            for table in ("spikes", "u", "v"):
                for theirs, values in getattr(other, table).items():
                    np.testing.assert_array_equal(getattr(ours, table)[keys[theirs]], values, err_msg=f"{name} {table}")
        assert ours.output.any(), name


def _spikes(shape, samples=1, steps=50):
    return (np.random.default_rng(3).random((samples, steps, *shape)) < 0.3).astype(np.uint8)


def test_delays_reach_the_next_block_when_slayer_says(cuba):
    module = trained(NATIVE["delays"], cuba)
    delays = np.floor(module.blocks[0].delay.delay.detach().numpy()).astype(int)
    assert len(set(delays)) > 2
    network = open_module(module).network
    into = network.into("blocks.1")
    assert {p.delay for p in into} == set(delays)
    assert {network.lag(p) for p in into} == {d + 1 for d in delays}
    assert network.lag(network.into("blocks.0")[0]) == 0


def test_weights_are_mantissas_of_eight_bits(cuba):
    network = open_module(trained(EXPORTED["dense"], cuba)).network
    for projection in network.projections:
        assert (projection.weight_exponent, projection.weight_bits) == (1, 8)
        assert np.abs(projection.connection.weight).max() > 8
        assert (projection.connection.weight & 1).any()


def test_a_checkpoint_brings_the_shapes_that_training_settled(tmp_path, cuba):
    """A fresh module has one decay, delay and mean; its first run would draw the others anew."""
    case = replace_build(NATIVE["delays"], shared_param=False)
    module = trained(case, cuba)
    torch.save(module.state_dict(), tmp_path / "net.pt")
    (tmp_path / "mynet.py").write_text(
        "import lava.lib.dl.slayer as slayer\nfrom tests.export.slayer.networks import Blocks, parameters\n\n\n"
        "def build():\n    cuba = slayer.block.cuba\n"
        "    cells = parameters(shared_param=False)\n"
        "    return Blocks(cuba.Dense(cells, 10, 8, delay=True), cuba.Dense(dict(cells), 8, 5))\n"
    )
    live = open_model(Request(tmp_path / "net.pt", f"{tmp_path}/mynet.py:build", packages=packages()), "slayer")
    drawn = live.draw(2, 0)
    assert compare(live.record(drawn), open_module(module).record(drawn)).equal
    assert prove_network(live.network, {"input": drawn}, live.record(drawn)).equal


def replace_build(case, **more):
    cells = parameters(**more)
    return replace(
        case,
        build=lambda c: Blocks(
            c.Dense(cells, 10, 8, delay=True, weight_scale=2), c.Dense(dict(cells), 8, 5, weight_scale=2)
        ),
    )


def test_the_command_writes_and_proves(tmp_path, cuba, run):  # noqa: F811
    module = trained(NATIVE["a voltage is the answer"], cuba)
    torch.save(module.state_dict(), tmp_path / "net.pt")
    (tmp_path / "code.py").write_text(
        "from lava.lib.dl.slayer.block import cuba\nfrom tests.export.slayer.networks import Blocks, parameters\n\n\n"
        "def build():\n    return Blocks(cuba.Dense(parameters(), 10, 8), cuba.Affine(parameters(), 8, 3))\n"
    )
    given = ("export", tmp_path / "net.pt", "--factory", f"{tmp_path}/code.py:build", "--from", "slayer")
    outcome = run(*given, "-o", tmp_path / "net.nir", "--json")
    document = json.loads(outcome.out)
    assert outcome.code == 0
    assert (document["populations"], document["neurons"], document["weights"]) == (2, 11, 104)
    assert document["proof"] == {"cells": 8 * 50 * 14, "equal": True, "quantities": ["s", "v"]}
    again = run(*given, "-o", tmp_path / "net.nir", "--force")
    assert "integer network, 2 populations, 11 neurons, 104 weights" in again.out
    assert "proved against the trained model over 5,600 cells: all equal" in again.out
    assert run("inspect", tmp_path / "net.nir").code == 0


REFUSED = {
    "graded spikes": (lambda c: Blocks(c.Dense(parameters(graded_spike=True), 4, 3)), "sends its voltage"),
    "dropout that stays": (
        lambda c: Blocks(c.Dense(parameters(dropout=lambda x: x), 4, 3)),
        "drops spikes by a function of its own",
    ),
    "float weights": (lambda c: Blocks(c.Dense(parameters(), 4, 3, pre_hook_fx=lambda w: w)), "nothing quantizes them"),
    "winners": (
        lambda c: Blocks(c.KWTA(parameters(), 4, 3, num_winners=1)),
        "is a KWTA, .*k of its neurons.*Recurrent",
    ),
    "fewer steps": (
        lambda c: Blocks(c.TimeDecimation(2), c.Dense(parameters(), 4, 3)),
        "blocks.0: is a TimeDecimation, which passes on one step of several; train with as many",
    ),
    "an average amid": (
        lambda c: Blocks(c.Dense(parameters(), 4, 4), c.Average(2), c.Dense(parameters(), 2, 3)),
        "blocks.1: is a Average, .*average after the last block",
    ),
    "input neurons": (
        lambda c: Blocks(c.Input(parameters()), c.Dense(parameters(), 4, 3)),
        "drives its neurons with values",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_network_cannot_say(cuba, name):
    build, named = REFUSED[name]
    with pytest.raises(Unsupported, match=named):
        open_module(build(cuba).eval(), shape=(4,))


def test_pools_that_mix_channels_are_refused(cuba):
    for block, named in (
        (cuba.Pool(parameters(), 3), "pools 8 rows by 3"),
        (cuba.Pool(parameters(), 2, stride=4), "a stride, padding or dilation of its own"),
    ):
        with pytest.raises(Unsupported, match=named):
            open_module(Blocks(cuba.Conv(parameters(), 1, 2, 1), block).eval(), shape=(1, 8, 8))


def test_other_blocks_and_operations_between_are_refused(cuba):
    from lava.lib.dl.slayer.block import rf

    resonators = rf.Dense({"threshold": 1.0, "period": 7, "decay": 0.1}, 4, 3)
    with pytest.raises(
        Unsupported, match=r"blocks.0: is a rf.Dense, which has neurons other than CUBA.s; build it of cuba.Dense"
    ):
        open_module(Blocks(resonators).eval(), shape=(4,))

    class Residual(Blocks):
        def forward(self, spike):
            first = self.blocks[0](spike)
            return self.blocks[1](first + spike)

    with pytest.raises(Unsupported, match=r"blocks.1: takes a tensor that is neither the input nor the answer"):
        open_module(Residual(cuba.Dense(parameters(), 4, 4), cuba.Dense(parameters(), 4, 3)).eval())

    class Twice(Blocks):
        def forward(self, spike):
            return self.blocks[0](self.blocks[0](spike))

    with pytest.raises(Unsupported, match=r"blocks.0: runs twice"):
        open_module(Twice(cuba.Dense(parameters(), 4, 4)).eval())


def test_a_scaling_norm_and_a_leaking_normed_recurrence_are_refused(cuba):
    from lava.lib.dl.slayer.neuron.norm import MeanOnlyBatchNorm, WgtScaleBatchNorm

    scaled = trained_blocks(cuba.Dense(parameters(norm=WgtScaleBatchNorm), 4, 3))
    with pytest.raises(Unsupported, match=r"divides its current by 0\.125"):
        open_module(scaled)
    leaking = trained_blocks(cuba.Recurrent(parameters(norm=MeanOnlyBatchNorm), 4, 3))
    leaking.blocks[0].neuron.norm.running_mean = torch.tensor([0.5, -0.25, 0.0])
    with pytest.raises(Unsupported, match="normalises a recurrent current"):
        open_module(leaking)


def trained_blocks(block):
    module = Blocks(block).eval()
    module(torch.zeros(1, 4, 2))
    return module


def test_states_beyond_the_chips_width_are_found(tmp_path, cuba):
    """Slayer's current has more than 24 bits."""
    module = Blocks(cuba.Dense(parameters(current_decay=0.0, voltage_decay=0.0, threshold=900.0), 200, 2)).eval()
    with torch.no_grad():
        module.blocks[0].synapse.weight.fill_(3.9)
    live = open_module(module, steps=60)
    with pytest.raises(NotEqual, match=r"its 24-bit states overflow \(blocks.0 [\d,]+ times\), where the model's are"):
        export_network(live, tmp_path / "net.nir")
    assert not (tmp_path / "net.nir").exists()


def test_delays_of_the_answer_and_a_closing_average_are_told(cuba):
    module = trained(replace(NATIVE["delays"], build=lambda c: Blocks(c.Dense(parameters(), 10, 8, delay=True))), cuba)
    (note,) = open_module(module).network.provenance["notes"]
    assert note.startswith("blocks.0: the delays of its answer, up to ")
    averaged = Blocks(cuba.Dense(parameters(), 10, 8), cuba.Average(2)).eval()
    live = open_module(averaged)
    assert live.network.provenance["notes"] == ["blocks.1: the closing average is left to the host"]
    assert live.network.outputs == ("blocks.0",)


def test_the_shape_is_asked_for_where_nothing_tells_it(cuba):
    with pytest.raises(UsageError, match=r"--input-shape: the first block 'blocks.0' takes any size"):
        open_module(Blocks(cuba.Conv(parameters(), 2, 4, 3)).eval())
    with pytest.raises(InputError, match="fails on inputs of"):
        open_module(Blocks(cuba.Dense(parameters(), 4, 3)).eval(), shape=(5,))
    with pytest.raises(Unsupported, match="holds no block of slayer"):
        open_module(torch.nn.Linear(4, 3), shape=(4,))


def test_slayer_is_imported_without_leaving_anything_behind(cuba, monkeypatch):
    for name in ("matplotlib", "cv2", "PIL", "torchvision"):
        assert all(module.__spec__.origin for key, module in sys.modules.items() if key == name)
    monkeypatch.delitem(sys.modules, "lava.lib.dl.slayer")
    monkeypatch.setattr("neurodeploy.export.slayer.home._installed", lambda: False)
    with pytest.raises(BackendMissing, match="run: neurodeploy lava install"):
        require_slayer(())


def _files(tmp_path, cuba):
    """Write a checkpoint, the code it belongs to, events, and what slayer answers to them."""
    module = trained(EXPORTED["dense"], cuba)
    torch.save(module.state_dict(), tmp_path / "checkpoint.pt")
    (tmp_path / "model.py").write_text(
        "from lava.lib.dl.slayer.block import cuba\nfrom tests.export.slayer.networks import EXPORTED\n\n\n"
        "def build():\n    return EXPORTED['dense'].build(cuba)\n"
    )
    spikes = _spikes((10,), samples=3)
    np.savez(tmp_path / "input.npz", spikes=spikes, labels=np.zeros(3, int))
    return open_module(module).record(spikes).spikes


def test_a_conformance_case_of_slayer(tmp_path, cuba):
    answers = _files(tmp_path, cuba)
    document = {"framework": "slayer", "semantics": {"dt": 1e-3}, "importer_should": "accept; spikes equal native"}
    (tmp_path / "case.json").write_text(json.dumps(document))
    np.savez(tmp_path / "native.npz", **{f"spikes/{name}": values for name, values in answers.items()})
    (row,) = check_checkpoint(read_case(tmp_path))
    assert (row.verdict, row.cells, row.mismatches) == ("holds", 3 * 50 * 13, 0)
    changed = {f"spikes/{name}": 1 - values for name, values in answers.items()}
    np.savez(tmp_path / "native.npz", **changed, **{"spikes/ghost": answers["blocks.0"]})
    (row,) = check_checkpoint(read_case(tmp_path))
    assert (row.verdict, row.mismatches) == ("fails", 3 * 50 * 13)
    assert "first in layer 'blocks.0' at sample 0, step 0" in row.detail
    assert "the network has no ghost" in row.detail


def test_a_deployment_starts_from_the_integers(tmp_path, cuba):
    _files(tmp_path, cuba)
    source = open_source(
        tmp_path / "checkpoint.pt",
        tmp_path / "net.nir",
        samples=tmp_path / "input.npz",
        factory=f"{tmp_path}/model.py:build",
        framework="slayer",
    )
    assert source.kind == "quantized network"
    assert source.network is not None
    assert source.proof == {"cells": 3 * 50 * 13, "equal": True, "ties": 0}
    assert source.graph.of_type(Neuron) == ["blocks.0", "blocks.1"]
