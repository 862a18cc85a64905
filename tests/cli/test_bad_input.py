"""Wrong use and bad files: one message that names object, finding and way on; the exit code; nothing half-written."""

from __future__ import annotations

import os
import pickle
import re

import h5py
import numpy as np
import pytest


def pickle_bomb(path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(path.parent / "exploded"),))

    path.write_bytes(pickle.dumps(Bomb()))


def with_edge(path, source, target):
    with h5py.File(path, "a") as file:
        edges = [[e.decode() for e in edge] for edge in file["node/edges"][()]]
        del file["node/edges"]
        file["node/edges"] = np.array([*edges, [source, target]], dtype=h5py.string_dtype())


def set_dataset(path, name, values):
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = values


def spoil(name, change):
    """Return a preparation that changes a file of the folder."""
    return lambda folder: change(folder / name)


def nan_weight(path):
    with h5py.File(path, "r") as file:
        weight = file["node/nodes/fc/weight"][()]
    weight[0, 0] = np.nan
    set_dataset(path, "node/nodes/fc/weight", weight)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def wrong_shape(path):
    np.savez(path, spikes=np.ones((6, 12, 2, 7, 8), np.uint8))


def wrong_labels(path):
    np.savez(path, spikes=np.ones((6, 12, 2, 8, 8), np.uint8), labels=np.arange(5))


def fractions(path):
    np.savez(path, spikes=np.full((6, 12, 2, 8, 8), 0.25))


def objects(path):
    np.savez(path, spikes=np.array([[[{}]]]))


def infinite(path):
    np.savez(path, spikes=np.full((6, 12, 2, 8, 8), np.inf))


def endless_events(path):
    zero = np.zeros(2, np.int64)
    np.savez(path, samples=2, steps=np.uint64((1 << 63) + 5), t=zero, index=zero, sample=np.arange(2))


def long_events(path):
    np.savez(path, samples=1, steps=10**12, t=np.zeros(1, np.int64), index=np.zeros(1, np.int64))


def loud(path):
    np.savez(path, spikes=np.full((6, 12, 2, 8, 8), 1 << 60))


def beyond(path):
    np.savez(path, spikes=np.full((6, 12, 2, 8, 8), 1e300))


QUANTIZE = ("quantize", "float.nir", "--target", "loihi2", "-o", "out.nir")
SIMULATE = ("simulate", "net.nir", "--input", "data.npz", "-o", "out.npz")
MAP = ("map", "net.nir", "--target", "loihi2")
ESTIMATE = ("estimate", "net.nir", "--input", "data.npz", "--target", "loihi2")
EXPORT = ("export", "model.safetensors", "-o", "out.nir")

# ruff: noqa: E501
CASES = [
    ("unknown verb", None, ("deplyo",), 2, "deplyo"),
    ("missing option", None, ("quantize", "float.nir", "-o", "x.nir"), 2, "--target"),
    ("missing network", None, ("quantize", "nothing.nir", "--target", "loihi2", "-o", "x.nir"), 3, "nothing.nir: no such file"),
    ("folder as network", None, ("quantize", ".", "--target", "loihi2", "-o", "x.nir"), 3, "is not a file"),
    ("unknown target", None, ("quantize", "float.nir", "--target", "loihi3", "-o", "x.nir"), 2, "loihi3.*loihi"),
    ("unknown target of map", None, ("map", "net.nir", "--target", "akida"), 2, "akida"),
    ("output exists", None, ("quantize", "float.nir", "--target", "loihi2", "-o", "net.nir"), 2, "net.nir: already exists.*--force"),
    ("quantized twice", None, ("quantize", "net.nir", "--target", "loihi2", "-o", "x.nir"), 2, "is quantized already, for loihi2"),
    ("float network to the emulator", None, ("simulate", "float.nir", "--input", "data.npz"), 3, "is a float network; quantize"),
    ("no folder for the output", None, (*QUANTIZE[:-1], "nowhere/out.nir"), 2, "cannot be written"),
    ("unknown quantity", None, (*SIMULATE, "--record", "s,w"), 2, r"\['w'\] cannot be recorded"),
    ("unknown backend", None, (*SIMULATE, "--backend", "chip"), 2, "chip"),
    ("text as network", spoil("float.nir", lambda p: p.write_text("hello")), QUANTIZE, 3, r"float\.nir"),
    ("empty network", spoil("float.nir", lambda p: p.write_bytes(b"")), QUANTIZE, 3, r"float\.nir"),
    ("truncated network", spoil("float.nir", truncate), QUANTIZE, 3, r"float\.nir"),
    ("pickle as network", spoil("float.nir", pickle_bomb), QUANTIZE, 3, r"float\.nir.*pickle"),
    ("pickle as checkpoint", spoil("model.safetensors", pickle_bomb), EXPORT, 3, "pickle"),
    ("missing checkpoint", None, EXPORT, 3, "model.safetensors: no such file"),
    ("corrupt checkpoint", spoil("model.safetensors", lambda p: p.write_bytes(b"\xff" * 64)), EXPORT, 3, "model.safetensors"),
    ("NaN in a weight", spoil("float.nir", nan_weight), QUANTIZE, 3, "fc.*[Nn]a[Nn]"),
    ("dangling edge", spoil("float.nir", lambda p: with_edge(p, "n1", "ghost")), QUANTIZE, 3, "ghost"),
    ("unknown node", spoil("float.nir", lambda p: set_dataset(p, "node/nodes/fc/type", "Quantum")), QUANTIZE, 3, "Quantum"),
    ("missing data", None, ("simulate", "net.nir", "--input", "none.npz"), 3, "none.npz: no such file"),
    ("data that is no npz", spoil("data.npz", lambda p: p.write_text("hello")), SIMULATE, 3, r"no readable \.npz"),
    ("truncated data", spoil("data.npz", truncate), SIMULATE, 3, r"data\.npz"),
    ("objects in the data", spoil("data.npz", objects), SIMULATE, 3, "Python objects"),
    ("wrong input shape", spoil("data.npz", wrong_shape), SIMULATE, 3, r"is \[6, 12, 2, 7, 8\], the network takes \[samples, steps, 2, 8, 8\]"),
    ("labels of another length", spoil("data.npz", wrong_labels), SIMULATE, 3, r"labels \[5\] for 6 samples"),
    ("fractions as spikes", spoil("data.npz", fractions), SIMULATE, 3, "holds fractions, such as 0.25"),
    ("infinity as spikes", spoil("data.npz", infinite), SIMULATE, 3, r"holds NaN or infinity in 9,216 of 9,216 places, the first at \[0, 0, 0, 0, 0\]"),
    ("events of more steps than can be counted", spoil("data.npz", endless_events), SIMULATE, 3, "has 2 samples of 9,223,372,036,854,775,813 steps, 4,.* can be counted"),
    ("events too long for memory as an array", spoil("data.npz", long_events), ("simulate", "float.nir", "--input", "data.npz", "--backend", "float"), 3, "events as arrays of 1 samples of 1,000,000,000,000 steps: needs .* of memory"),
    ("payloads beyond 64-bit sums", spoil("data.npz", loud), SIMULATE, 3, "a payload of 1.152921505e.18 could carry population 'n1' to"),
    ("floats beyond 64 bits", spoil("data.npz", beyond), (*SIMULATE, "--backend", "golden"), 3, "spikes holds 1e.300, beyond 64 bits"),
    ("a recording that is none", None, (*ESTIMATE, "--recording", "data.npz"), 3, "says nothing of a recording"),
    ("streaming what keeps no state", None, (*SIMULATE, "--stream", "--backend", "float"), 2, "a streamed run: takes an integer network, not a Graph"),
    ("estimate on wrong data", spoil("data.npz", wrong_shape), ESTIMATE, 3, "the network takes"),
    ("map of a text file", spoil("net.nir", lambda p: p.write_text("hello")), MAP, 3, r"net\.nir"),
]  # fmt: skip


@pytest.mark.parametrize(("prepare", "arguments", "code", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_bad_input(run, files, monkeypatch, prepare, arguments, code, message):
    monkeypatch.chdir(files)
    if prepare is not None:
        prepare(files)
    before = {p.name: p.read_bytes() for p in files.iterdir()}
    outcome = run(*arguments)
    assert outcome.code == code, outcome
    assert re.search(message, outcome.err.replace("\n", " ")), outcome.err
    assert "Traceback" not in outcome.err
    assert not outcome.out
    assert {p.name: p.read_bytes() for p in files.iterdir()} == before, "something was left behind or changed"


def test_verbose_shows_the_traceback(run, files):
    outcome = run("map", files / "nothing.nir", "--target", "loihi2", "--verbose")
    assert outcome.code == 3
    assert "Traceback" in outcome.err
