import os
import pickle

import pytest
import safetensors.torch
import torch
from torch import nn

from neurodeploy.errors import InputError
from neurodeploy.export.weights import fill, load_weights

TENSORS = {"0.weight": torch.ones(3, 2), "0.bias": torch.zeros(3)}


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", ["torch", "plain pickle"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, protocol):
    proof, path = tmp_path / "it_ran", tmp_path / "net.pt"
    if protocol == "torch":
        torch.save({"0.weight": Hostile(proof)}, path)
    else:
        path.write_bytes(pickle.dumps(Hostile(proof)))
    with pytest.raises(InputError, match=r"net\.pt: .*can run code, so it was not loaded; .*state_dict"):
        load_weights(path)
    assert not proof.exists()
    pickle.loads(pickle.dumps(Hostile(proof)))
    assert proof.exists(), "the attack would have worked"


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict"])
def test_torch_files(tmp_path, wrapper):
    content = TENSORS if wrapper is None else {"epoch": 3, wrapper: TENSORS}
    torch.save(content, tmp_path / "net.pt")
    assert load_weights(tmp_path / "net.pt").keys() == TENSORS.keys()


def test_safetensors_files(tmp_path):
    safetensors.torch.save_file(TENSORS, tmp_path / "net.safetensors")
    assert torch.equal(load_weights(tmp_path / "net.safetensors")["0.weight"], TENSORS["0.weight"])


@pytest.mark.parametrize("name", ["net.pt", "net.safetensors"])
@pytest.mark.parametrize("content", [b"", b"hello, world", b"\x80\x02", b"PK\x03\x04 cut short", b"\xff" * 64])
def test_files_that_are_none(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        load_weights(tmp_path / name)


def test_a_truncated_file(tmp_path):
    torch.save(TENSORS, tmp_path / "net.pt")
    whole = (tmp_path / "net.pt").read_bytes()
    (tmp_path / "net.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="no readable torch file"):
        load_weights(tmp_path / "net.pt")


@pytest.mark.parametrize(("content", "found"), [([1, 2], "a list"), ({"epoch": 3}, r"the keys \['epoch'\]")])
def test_other_content(tmp_path, content, found):
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(InputError, match=f"holds {found}, not tensors by name"):
        load_weights(tmp_path / "net.pt")


def test_nan(tmp_path):
    torch.save({"w": torch.tensor([1.0, float("nan")])}, tmp_path / "net.pt")
    with pytest.raises(InputError, match="'w' holds NaN"):
        load_weights(tmp_path / "net.pt")


def test_every_key_is_accounted_for():
    module = nn.Sequential(nn.Linear(2, 3))
    fill(module, TENSORS, "net.pt")
    assert torch.equal(module[0].weight, TENSORS["0.weight"])
    with pytest.raises(InputError, match=r"it lacks '0\.bias' and has also 'x'"):
        fill(module, {"0.weight": TENSORS["0.weight"], "x": torch.ones(1)}, "net.pt")
    with pytest.raises(InputError, match=r"'0\.weight' has the shape \[4, 2\], the factory's module \[3, 2\]"):
        fill(module, {**TENSORS, "0.weight": torch.ones(4, 2)}, "net.pt")
