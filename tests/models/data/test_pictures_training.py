"""A recipe on videos, from a folder as it is published to a trained network."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from neurodeploy.cli.train import train
from neurodeploy.errors import Unsupported, UsageError
from neurodeploy.export.ours import open_checkpoint
from neurodeploy.models.data.cache import CACHE_VARIABLE
from neurodeploy.models.data.decoding import THREADS_VARIABLE
from neurodeploy.nir_export import export_model
from neurodeploy.npz import read_events
from tests.models.data.published import write_ucf101

SMALL = [
    "epochs=1",
    "warmup_epochs=0",
    "steps=4",
    "size=32",
    "test_samples=4",
    "calibration_samples=4",
    "batch_size=4",
    "precision=float32",
    "layers.0.channels=4",
    "layers.3.channels=4",
    "layers.6.channels=8",
    "layers.9.kernel=2",
]


def call(folder: Path, *arguments: str) -> Result:
    sets = [word for pair in [*SMALL, f'folder="{folder}"'] for word in ("--set", pair)]
    return CliRunner().invoke(train, ["ucf101", *sets, "--json", "--quiet", *arguments], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return write_ucf101(tmp_path / "data")


def test_a_folder_of_videos_becomes_a_trained_network_and_its_data(folder: Path) -> None:
    document = json.loads(call(folder, "-o", "first").stdout)
    assert document["epochs"] == 1
    run = json.loads(Path("first/run.json").read_text())
    assert run["data"] == {"dataset": "ucf101", "train_samples": 8, "test_samples": 4, "sha256": run["data"]["sha256"]}
    events = read_events(document["files"]["test"])
    assert events.spikes[""].shape == (4, 4, 3, 32, 32)
    assert np.unique(events.spikes[""]).size > 20  # pixels, not counts
    assert events.labels is not None
    assert events.labels.tolist() == [0, 0, 1, 1]


def test_pixels_go_into_a_chips_weights_and_what_cannot_is_refused(folder: Path) -> None:
    """The exported network takes what test.npz holds, bytes, where training took shares of 255."""
    for pixels in ("unit", "normal"):
        assert (
            call(folder, "-o", pixels, "--set", f"pixels={pixels}", "--set", "layers.2.threshold=0.01").exit_code == 0
        )
    live = open_checkpoint("unit/model.safetensors")
    for samples in ("unit/test.npz", None):  # pixels of videos, and drawn ones
        export = export_model(live, "net.nir", samples=samples, force=True)
        assert export.proof.cells > 0
        assert "scaling" not in export.graph.nodes
    answers = live.record(read_events("unit/test.npz").spikes[""])
    assert answers["neuron1"].any()
    with pytest.raises(Unsupported, match=r"a mean taken out, .* pads with zeros .* train with data\.pixels = 'unit'"):
        open_checkpoint("normal/model.safetensors")


def test_the_same_bytes_come_of_any_number_of_threads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, threads in (("one", "1"), ("three", "3")):
        monkeypatch.setenv(THREADS_VARIABLE, threads)
        assert call(folder, "-o", name).exit_code == 0
    for file in ("model.safetensors", "last.safetensors", "test.npz", "metrics.jsonl", "run.json"):
        assert Path("one", file).read_bytes() == Path("three", file).read_bytes(), file


def test_a_run_is_not_resumed_on_other_videos(folder: Path) -> None:
    assert call(folder, "-o", "run").exit_code == 0
    (path,) = (folder / "UCF-101" / "ApplyEyeMakeup").glob("*g03*")
    path.write_bytes(path.read_bytes() + b"\0" * 8)
    with pytest.raises(UsageError, match=r"run: was started on data of SHA-256"):
        call(folder, "-o", "run", "--resume")


def test_an_unknown_augmentation_names_the_nearest(folder: Path) -> None:
    with pytest.raises(
        UsageError, match=r"data\.augment\.0: 'resize-crop' is no augmentation; did you mean 'resized-crop'"
    ):
        call(folder, "--set", 'augment=["resize-crop"]')
