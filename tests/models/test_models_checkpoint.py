import contextlib
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from neurodeploy.errors import InputError
from neurodeploy.models.checkpoint import Checkpoint, load_checkpoint, load_model, save_checkpoint
from neurodeploy.models.convnet import build_model
from neurodeploy.models.recipe import load_recipe

RECIPE = load_recipe("digits", ["layers.0.channels=2", "layers.4.channels=3", "layers.2.learn_beta=true"])


def checkpoint() -> Checkpoint:
    torch.manual_seed(1)
    return Checkpoint(RECIPE, epoch=4, model=build_model(RECIPE).state_dict(), history=({"epoch": 1, "loss": 0.1},))


def rewrite(path: Path, head: dict[str, Any] | None = None, **tensors: torch.Tensor | None) -> None:
    """Write the checkpoint with some metadata and tensors replaced, or removed where None is given."""
    save_checkpoint(path, checkpoint())
    with safetensors.safe_open(path, "pt") as file:
        metadata = json.loads(file.metadata()["neurodeploy"]) | (head or {})
    found: dict[str, Any] = safetensors.torch.load_file(path) | {k.replace("__", "."): v for k, v in tensors.items()}
    kept = {name: value for name, value in found.items() if value is not None}
    safetensors.torch.save_file(kept, path, metadata={"neurodeploy": json.dumps(metadata)})


def test_what_is_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved = replace(
        checkpoint(), optimizer={"layers.0.weight/step": torch.tensor(3.0)}, rng=torch.random.get_rng_state()
    )
    save_checkpoint(tmp_path / "a.safetensors", saved)
    back = load_checkpoint(tmp_path / "a.safetensors")
    assert (back.recipe, back.epoch, back.history) == (RECIPE, 4, saved.history)
    assert back.versions["torch"] == torch.__version__
    assert back.model.keys() == saved.model.keys()
    assert all(torch.equal(back.model[name], value) for name, value in saved.model.items())
    assert back.optimizer == {"layers.0.weight/step": torch.tensor(3.0)}
    assert back.rng is not None
    assert torch.equal(back.rng, saved.rng)


def test_equal_checkpoints_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_checkpoint(tmp_path / name, checkpoint())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_loaded_model_is_the_saved_one_ready_for_evaluation(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = build_model(RECIPE)
    model(torch.ones(3, 2, 1, 8, 8))
    save_checkpoint(tmp_path / "a", Checkpoint(RECIPE, 1, model.state_dict()))
    generator = torch.random.get_rng_state()
    loaded, recipe = load_model(tmp_path / "a")
    assert torch.equal(generator, torch.random.get_rng_state())
    assert not loaded.training
    assert recipe == RECIPE
    x = (torch.rand(8, 4, 1, 8, 8) > 0.5).float()
    ours, theirs = model.record(x), loaded.record(x)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def write_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"a": 1}))


def write_torch(path: Path) -> None:
    torch.save({"a": torch.ones(2)}, path)


def write_old_torch(path: Path) -> None:
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)


def write_npz(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"")


def write_foreign(path: Path) -> None:
    safetensors.torch.save_file({"a": torch.ones(2)}, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_pickle, "is a pickle, which could run code"),
        (write_torch, "is a zip archive, as torch.save writes it"),
        (write_old_torch, "is a pickle, which could run code"),
        (write_npz, "is a zip archive"),
        (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n"), "is an HDF5 file"),
        (lambda p: p.write_bytes(b""), "is no whole safetensors file"),
        (lambda p: p.write_bytes(b"name = 'digits'\n" * 9), "is no whole safetensors file"),
        (lambda p: p.write_bytes(struct.pack("<Q", 1 << 60) + b"{}"), "is no whole safetensors file"),
        (write_foreign, "without neurodeploy's metadata"),
        (lambda p: rewrite(p, {"format": 2}), "has format 2, this version reads 1"),
        (lambda p: rewrite(p, {"recipe": None}), "holds no recipe"),
        (lambda p: rewrite(p, {"recipe": "x = 1"}), "cannot be used .its recipe: x: is no key"),
        (lambda p: rewrite(p, {"epoch": "two"}), "its metadata is damaged"),
        (lambda p: rewrite(p, {"history": [1]}), "its metadata is damaged"),
        (
            lambda p: rewrite(p, {"recipe": RECIPE.to_toml().replace("features = 10", "features = 9")}),
            "its recipe makes no network .*10 classes",
        ),
        (
            lambda p: rewrite(p, {"recipe": RECIPE.to_toml().replace("channels = 3", "channels = 4096")}),
            r"'layers\.4\.weight' is \(3, 2, 3, 3\) torch.float32, its recipe makes it \(4096, 2, 3, 3\)",
        ),
        (lambda p: rewrite(p, layers__4__weight=None), r"tensor 'layers\.4\.weight' is missing"),
        (lambda p: rewrite(p, extra=torch.ones(1)), "tensor 'extra' is not in its recipe's network"),
        (lambda p: rewrite(p, layers__9__bias=torch.ones(11)), r"'layers\.9\.bias' is \(11,\).*makes it \(10,\)"),
        (lambda p: rewrite(p, layers__9__bias=torch.ones(10).double()), r"'layers\.9\.bias' is \(10,\) torch.float64"),
        (lambda p: rewrite(p, layers__9__bias=torch.full((10,), torch.nan)), "holds NaN or infinity"),
    ],
)
def test_a_file_that_is_no_sound_checkpoint_is_refused(
    tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "x.safetensors"
    write(path)
    with pytest.raises(InputError, match=f"x.safetensors: .*{message}"):
        load_model(path)


def test_metadata_that_is_no_json_is_refused(tmp_path: Path) -> None:
    safetensors.torch.save_file({}, tmp_path / "x", metadata={"neurodeploy": "{"})
    with pytest.raises(InputError, match="its metadata is no JSON"):
        load_checkpoint(tmp_path / "x")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.safetensors: no such file"):
        load_model(tmp_path / "none.safetensors")


def test_a_file_cut_anywhere_or_with_a_changed_byte_never_escapes_as_another_error(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "whole", checkpoint())
    whole = (tmp_path / "whole").read_bytes()
    path = tmp_path / "cut"
    for length in range(0, len(whole), len(whole) // 25):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="is no whole safetensors file"):
            load_checkpoint(path)
    header = struct.unpack("<Q", whole[:8])[0]
    for place in range(0, 8 + header, header // 25):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        with contextlib.suppress(InputError):  # a changed digit of a version or a loss is not seen, and does no harm
            load_checkpoint(path)
