import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from neurodeploy.cli.train import train
from neurodeploy.errors import UsageError
from neurodeploy.models.plan import plan_training
from neurodeploy.models.recipe import load_recipe


def test_a_plan_counts_what_can_be_counted_by_hand() -> None:
    state = torch.random.get_rng_state()
    plan = plan_training(load_recipe("digits"))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [layer.shape for layer in plan.layers][:5] == [(16, 8, 8), (16, 8, 8), (16, 8, 8), (16, 4, 4), (32, 4, 4)]
    assert plan.parameters == 9 * 16 + 2 * 16 + 9 * 16 * 32 + 2 * 32 + 128 * 10 + 10
    assert plan.macs == 16 * (9 * 16 * 64 + 9 * 16 * 32 * 16 + 128 * 10)
    assert plan.parameter_bytes == plan.gradient_bytes == 4 * plan.parameters == plan.optimizer_bytes / 2
    assert plan.input_bytes == 4 * 64 * 16 * 64
    potentials = 4 * 16 * 64 * 16 * 64  # one float32 for every neuron, step and sample
    norm, neurons = plan.layers[1:3]
    assert potentials <= norm.kept_bytes < 1.01 * potentials
    assert potentials <= neurons.kept_bytes < 1.01 * potentials


def test_parts_and_processes_divide_what_is_kept_and_an_average_adds() -> None:
    whole = plan_training(load_recipe("digits"))
    parts = plan_training(load_recipe("digits", ["accumulate=4", "ema=0.9"]), processes=2)
    assert (whole.samples_at_once, parts.samples_at_once) == (64, 8)
    assert parts.activation_bytes == pytest.approx(whole.activation_bytes / 8, rel=1e-3)
    assert parts.average_bytes == parts.parameter_bytes == whole.parameter_bytes
    half = plan_training(load_recipe("digits", ["precision=bf16"]))
    assert half.activation_bytes < whole.activation_bytes


def test_a_dry_run_prints_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(train, ["digits", "--dry-run"])
    assert printed.exit_code == 0
    assert "digits: 6,138 parameters; 1,347,584 MACs (2,695,168 FLOPs) a sample" in printed.stdout
    assert printed.stdout.splitlines()[1].split()[:5] == ["layers.0", "Conv2d", "16", "x", "8"]
    document = json.loads(CliRunner().invoke(train, ["digits", "--dry-run", "--json"]).stdout)
    assert document["total_bytes"] > document["activation_bytes"] > 10 * document["parameter_bytes"]
    assert len(document["layers"]) == 11
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="--dry-run, --device: are for recipes"):
        train.main(["net.nir", "--dry-run"], standalone_mode=False)
    with pytest.raises(UsageError, match="cannot be built"):
        train.main(["digits", "--dry-run", "--set", "layers.0.kernel=20"], standalone_mode=False)


def test_a_norm_that_its_neurons_take_in_keeps_its_parameters_and_nothing_else() -> None:
    plain, fused = (plan_training(load_recipe("digits", [f"fused_norm={on}"])) for on in ("false", "true"))
    assert [(layer.name, layer.shape) for layer in fused.layers] == [(row.name, row.shape) for row in plain.layers]
    assert (fused.parameters, fused.macs) == (plain.parameters, plain.macs)
    assert fused.layers[1].parameters == 32
    assert fused.layers[1].kept_bytes == 0 < plain.layers[1].kept_bytes
