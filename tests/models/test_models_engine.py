"""The settings of [training]: losses, schedule, parts, averages, precision, and what a run says when it fails."""

import math
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from neurodeploy.errors import UsageError
from neurodeploy.models import progress, shortage
from neurodeploy.models.averaging import WeightAverage
from neurodeploy.models.convnet import build_model
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.losses import loss_of
from neurodeploy.models.progress import EpochTiming
from neurodeploy.models.recipe import Recipe, TrainingSettings, load_recipe
from neurodeploy.models.schedule import learning_rate
from neurodeploy.models.shortage import OutOfMemory
from neurodeploy.models.synchronised import SyncBatchNorm
from neurodeploy.models.trainer import EpochMetrics, Trainer
from neurodeploy.models.training import train

TINY = [
    *("name=tiny", "epochs=1", "steps=3", "test_samples=1600", "calibration_samples=20", "layers.0.channels=2"),
    *("layers.4.channels=4", "batch_size=32"),
]


def tiny(*settings: str) -> Recipe:
    return load_recipe("digits", [*TINY, *settings])


def settings(**changes: Any) -> TrainingSettings:
    return replace(TrainingSettings(epochs=10, learning_rate=1.0), **changes)


def test_settings_at_their_default_are_not_written_so_that_older_files_stay_equal() -> None:
    text = load_recipe("digits").to_toml()
    head = text[: text.index("[[layers]]")]
    assert [line.split(" = ")[0] for line in head.split("[training]\n")[1].split()[::3]] == [
        *("epochs", "learning_rate", "batch_size", "weight_decay", "logit_scale")
    ]
    assert "ema = 0.5\n" in tiny("ema=0.5").to_toml()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("warmup_epochs=1", "warmup_epochs: is 1.0, and training has 1 epochs; leave epochs after the warm-up"),
        ("warmup_epoch=1", "warmup_epoch: is no key of a recipe; did you mean 'training.warmup_epochs'"),
        ("training.loss=crossentropy", "'crossentropy' is not known; did you mean 'cross-entropy'"),
        ("precision=float16", "'float16' is not known; did you mean 'float32'"),
        ("ema=1", "ema: 1.0 is outside"),
    ],
)
def test_a_setting_that_cannot_be_is_named(override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tiny(override)


def test_the_rate_warms_up_to_its_full_height_and_falls_to_zero() -> None:
    chosen = settings(warmup_epochs=2.0)
    rates = [learning_rate(chosen, step, 4) for step in range(40)]
    assert rates[:9] == [k / 8 for k in range(1, 9)] + [1.0]
    assert rates[8:] == sorted(rates[8:], reverse=True)
    assert rates[24] == pytest.approx(0.5)  # halfway between epochs 2 and 10
    assert 0 < rates[-1] < 0.01
    assert learning_rate(settings(), 5, 4) == 0.5 * (1 + math.cos(math.pi * 1.25 / 10))
    constant = settings(schedule="constant", warmup_epochs=0.5)
    assert [learning_rate(constant, step, 4) for step in (0, 1, 2, 39)] == [0.5, 1.0, 1.0, 1.0]


def test_each_loss_is_its_equation() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs, labels = torch.rand(5, 7, 4, generator=generator), torch.arange(7) % 4
    plain = settings(logit_scale=0.5, label_smoothing=0.1)
    smooth = functional.one_hot(labels, 4) * 0.9 + 0.025

    def entropy(logits: torch.Tensor) -> torch.Tensor:
        return -(smooth * logits.log_softmax(-1)).sum(-1).mean()

    expected = {
        "cross-entropy": entropy(outputs.sum(0) * 0.5),
        "tet": torch.stack([entropy(step * 0.5) for step in outputs]).mean(),
        "mse": ((outputs.mean(0) - smooth) ** 2).mean(),
    }
    for name, value in expected.items():
        assert loss_of(outputs, labels, replace(plain, loss=name)).item() == pytest.approx(value.item(), rel=1e-6)
        half = loss_of(outputs.bfloat16(), labels, replace(plain, loss=name))
        assert half.dtype == torch.float32
    assert len({round(value.item(), 4) for value in expected.values()}) == 3


@pytest.mark.parametrize("loss", ["tet", "mse"])
def test_every_loss_learns(loss: str, tmp_path: Path) -> None:
    chosen = ["epochs=4", "test_samples=1200", f"training.loss={loss}", "layers.0.channels=8", "layers.4.channels=8"]
    assert train(tiny(*chosen), tmp_path).test_accuracy > 0.3  # chance is 0.1


def gradients(recipe: Recipe) -> dict[str, torch.Tensor]:
    """Return the gradients of the first step."""
    trainer = Trainer(recipe, dataset_kind(recipe.data).load(recipe.data))

    def stop() -> None:
        raise KeyboardInterrupt

    trainer.after_step = stop
    with torch.random.fork_rng(devices=[]), pytest.raises(KeyboardInterrupt):
        trainer.run_epoch()
    return {name: p.grad for name, p in trainer.model.named_parameters() if p.grad is not None}


def test_a_batch_in_parts_has_the_gradient_of_the_whole() -> None:
    layers = "layers=[{kind='flatten'}, {kind='linear', features=10}, {kind='lif'}]"  # nothing that pools samples
    whole, parts = (gradients(tiny(layers, f"accumulate={n}")) for n in (1, 5))
    for name, value in whole.items():
        assert value.abs().max() > 0
        assert torch.allclose(value, parts[name], rtol=1e-4, atol=1e-7), name


def test_half_precision_trains_float32_parameters_almost_alike() -> None:
    exact, half = gradients(tiny()), gradients(tiny("precision=bf16"))
    for name, value in exact.items():
        assert half[name].dtype == torch.float32
        assert functional.cosine_similarity(value.flatten(), half[name].flatten(), dim=0) > 0.7, name
    assert not all(value.equal(half[name]) for name, value in exact.items())


def test_the_average_follows_its_equation_and_takes_its_place_for_a_block() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    average = WeightAverage(model, 0.5)
    with torch.no_grad():
        model.weight.fill_(1.0)
    average.update(1)
    assert average.values["weight"].item() == pytest.approx(1 - 2 / 11)  # the young average forgets faster
    average.update(1000)
    assert average.values["weight"].item() == pytest.approx(1 - 1 / 11)
    with average.in_place():
        assert model.weight.item() == pytest.approx(1 - 1 / 11)
    assert model.weight.item() == 1.0


def test_a_synchronised_norm_alone_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda _values: None)
    generator = torch.Generator().manual_seed(0)
    theirs, ours = torch.nn.BatchNorm2d(3), SyncBatchNorm(3)
    inputs = [torch.randn(4, 3, 5, 5, generator=generator).requires_grad_() for _ in range(2)]
    inputs[1].data.copy_(inputs[0].data)
    weights = torch.randn(4, 3, 5, 5, generator=generator)
    for module, x in zip((theirs, ours), inputs, strict=True):
        (module(x) * weights).sum().backward()
    assert inputs[0].grad is not None
    assert inputs[1].grad is not None
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-5)
    for name, value in theirs.state_dict().items():
        assert torch.allclose(value, ours.state_dict()[name], atol=1e-6), name
    assert torch.allclose(theirs.eval()(inputs[0]), ours.eval()(inputs[0]), atol=1e-6)


def test_running_out_of_memory_says_what_is_needed_and_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(Trainer, "_take_step", fail)
    monkeypatch.setattr(shortage, "memory_of", lambda _device: 1_000_000)
    advice = r"start again with training\.accumulate=64, which needs about 0\.\d MB"
    message = rf"with 64 samples at once: about 2\d\.\d MB .* device has 1\.0 MB; {advice}"
    with pytest.raises(OutOfMemory, match=message):
        train(load_recipe("digits"), tmp_path / "a")
    monkeypatch.setattr(shortage, "memory_of", lambda _device: 1_000)
    with pytest.raises(OutOfMemory, match=r"make the network or data\.steps smaller"):
        train(load_recipe("digits"), tmp_path / "b")
    monkeypatch.setattr(Trainer, "_take_step", lambda *_: (_ for _ in ()).throw(RuntimeError("another")))
    with pytest.raises(RuntimeError, match="another"):
        train(tiny(), tmp_path / "c")


def test_figures_go_to_tensorboard_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written: list[tuple[str, float, int]] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path)

        def add_scalar(self, name: str, value: float, epoch: int) -> None:
            written.append((name, value, epoch))

        def flush(self) -> None:
            pass

        def close(self) -> None:
            written.append(("closed", 0, 0))

    fake = types.ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    figures = EpochMetrics(3, 0.5, 0.6, 0.7, 0.1), EpochTiming(3, 1.0, 0.1, 90.0, 1000)
    for found in (None, object()):
        monkeypatch.setattr(progress, "find_spec", lambda _name, found=found: found)
        with progress.tensorboard(tmp_path, write=True) as write:
            write(*figures)
        assert bool(written) == (found is not None)
    assert ("test_accuracy", 0.7, 3) in written
    assert ("samples_per_second", 90.0, 3) in written
    assert written[-1][0] == "closed"


def test_a_learned_decay_survives_half_precision() -> None:
    with torch.random.fork_rng(devices=[]):
        model = build_model(tiny("layers.2.learn_beta=true"))
        with torch.autocast("cpu", torch.bfloat16):
            output = model(torch.ones(3, 2, 1, 8, 8))
    assert output.dtype == torch.float32
    assert set(output.unique().tolist()) <= {0.0, 1.0}
