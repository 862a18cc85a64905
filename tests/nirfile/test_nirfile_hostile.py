"""Damaged and hostile files end in one clear InputError, before anything large is allocated."""

import pickle

import h5py
import numpy as np
import pytest

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.graph import Graph, Input, Linear, Neuron, Output
from neurodeploy.nirfile import read_graph, read_metadata, write_graph
from neurodeploy.semantics import Semantics

NODES = "node/nodes"


@pytest.fixture
def bare(tmp_path):
    """A small valid NIR file without our metadata."""
    one = np.ones(3)
    nodes = {
        "input": Input((2,)),
        "w": Linear(np.ones((3, 2)), np.zeros(3)),
        "lif": Neuron((3,), Semantics(), r=one, tau_mem=one * 1e-3, v_leak=one * 0, threshold=one, v_reset=one * 0),
        "output": Output((3,)),
    }
    path = tmp_path / "net.nir"
    write_graph(Graph(nodes, (("input", "w"), ("w", "lif"), ("lif", "output")), 1e-4), path)
    with h5py.File(path, "r+") as file:
        del file["node/metadata"]
    return path


def read(path):
    return read_graph(path, semantics="snntorch")


def replace(file, name, **made):
    del file[name]
    file.create_dataset(name, **made)


def text(value):
    return {"data": value, "dtype": h5py.string_dtype()}


def hard_link_to_root(file):
    file[f"{NODES}/again"] = file["node"]


def deep(file):
    group = file[NODES]
    for _ in range(40):
        inner = group.create_group("deeper")
        inner.create_dataset("type", **text("NIRGraph"))
        inner.create_dataset("edges", shape=(0, 2), dtype=h5py.string_dtype())
        group = inner.create_group("nodes")


def virtual(file):
    layout = h5py.VirtualLayout(shape=(3, 2), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(3, 2))
    del file[f"{NODES}/w/weight"]
    file.create_virtual_dataset(f"{NODES}/w/weight", layout)


def link(kind):
    def change(file):
        del file[f"{NODES}/w/weight"]
        file[f"{NODES}/w/weight"] = kind

    return change


def field(name, **made):
    return lambda file: replace(file, f"{NODES}/{name}", **made)


def edges(rows):
    return lambda file: replace(file, "node/edges", data=rows, dtype=h5py.string_dtype())


def wider(file):
    replace(file, f"{NODES}/w/weight", data=np.ones((4, 2)))
    replace(file, f"{NODES}/w/bias", data=np.ones(4))


CHANGES = {
    "absurd weight": (field("w/weight", shape=(10**6, 10**6), dtype="f4", chunks=(10, 10)), "weight.*size.*limit"),
    "bomb": (
        field("w/weight", shape=(6, 2 * 10**7), dtype="f4", chunks=(1, 10**6), compression="gzip"),
        "weight.*size.*limit",
    ),
    "huge chunk": (
        field("w/weight", shape=(3, 2), maxshape=(None, None), chunks=(10**4, 10**5), dtype="f4"),
        "size.*limit",
    ),
    "absurd input": (field("input/shape", data=[10**12]), "input: its shape.*size.*limit"),
    "negative input": (field("input/shape", data=[-3]), "shape.*negative"),
    "complex": (field("w/weight", data=np.ones((3, 2), dtype=complex)), "weight.*type complex"),
    "text weight": (field("w/weight", data=[["a", "b"]] * 3, dtype=h5py.string_dtype()), "weight.*type text"),
    "external storage": (
        field("w/weight", shape=(3, 2), dtype="f4", external=[("elsewhere.bin", 0, 24)]),
        "external storage",
    ),
    "external link": (link(h5py.ExternalLink("other.h5", "/x")), "external link"),
    "soft link": (link(h5py.SoftLink("/node/nodes/w/bias")), "soft link"),
    "virtual": (virtual, "virtual dataset"),
    "filter": (field("w/weight", data=np.ones((30, 20)), chunks=(30, 20), scaleoffset=3), "HDF5 filter 6"),
    "nan": (field("w/weight", data=np.full((3, 2), np.nan)), "w: weight is NaN in 6 of 6 cells"),
    "infinite": (field("w/bias", data=[0, np.inf, 0]), "w: bias is infinite in 1 of 3 cells, the first at .1."),
    "endless nesting": (hard_link_to_root, "nesting.*depth limit of 16"),
    "deep nesting": (deep, "nesting.*depth limit of 16"),
    "hostile type": (field("lif/type", **text("__import__")), "'lif' has the unknown type '__import__'"),
    "no type": (lambda file: file.__delitem__(f"{NODES}/lif/type"), "lif/type: is missing"),
    "no bias": (lambda file: file.__delitem__(f"{NODES}/w/bias"), "the field 'bias' of 'w' is missing"),
    "no node": (lambda file: file.__delitem__("node"), "node: is missing"),
    "no edges": (edges(np.zeros((0, 2), dtype=object)), "no edges"),
    "three columns": (edges([["a", "b", "c"]]), "edges: has the shape .1, 3."),
    "dangling": (edges([["input", "w"], ["w", "lif"], ["lif", "nowhere"]]), "'nowhere', which does not exist"),
    "duplicate": (edges([["input", "w"], ["w", "lif"], ["w", "lif"], ["lif", "output"]]), "duplicate edge"),
    "disconnected": (edges([["input", "w"], ["lif", "output"]]), "output: this Output is not connected"),
    "nothing to the output": (edges([["input", "w"], ["w", "lif"]]), "output: this Output is not connected"),
    "threshold of nothing": (field("lif/v_threshold", data=[1.0, np.nan, 1.0]), "lif: v_threshold is NaN"),
    "root of another type": (lambda file: replace(file, "node/type", **text("LIF")), "the root has the type 'LIF'"),
    "long name": (edges([["x" * 300, "w"]]), "name of 300 characters; the limit is 256"),
    "lengths": (field("lif/v_threshold", data=np.ones(4)), "differ in shape: .*v_threshold"),
    "layers": (wider, r"w -> lif: w has the shape \[4\], but lif has the shape \[3\]"),
    "negative tau": (field("lif/tau", data=[1.0, -1.0, 1.0]), "lif: tau_mem is negative"),
    "zero tau": (field("lif/tau", data=[1.0, 0.0, 1.0]), "lif: tau_mem is zero"),
    "tau below dt": (field("lif/tau", data=[4e-5] * 3), "tau_mem is 4e-05 s, below dt = 0.0001 s.*unstable"),
    "threshold": (field("lif/v_threshold", data=[-1.0] * 3), "lif: v_reset is 0, not below the threshold.*negative"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_is_refused_by_name(bare, name):
    change, message = CHANGES[name]
    with h5py.File(bare, "r+") as file:
        change(file)
    with pytest.raises(InputError, match=f"(?s){message}"):
        read(bare)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, not HDF5"),
        (b"plain words\n", "a text file, not HDF5"),
        (pickle.dumps({"a": 1}), "a Python pickle"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(88), "truncated or damaged HDF5"),
        (bytes(range(256)), "an unknown format, not HDF5"),
    ],
)
def test_says_what_another_file_is(tmp_path, content, message):
    path = tmp_path / "x.nir"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path)


def test_missing_file_and_folder(tmp_path):
    for path, message in ((tmp_path / "none.nir", "no such file"), (tmp_path, "is not a file")):
        with pytest.raises(InputError, match=message):
            read(path)


def test_damage_anywhere_is_refused_or_harmless(bare):
    whole = bare.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 30):
            damaged[place] = rng.integers(256)
        bare.write_bytes(damaged[: rng.integers(len(whole) // 2, len(whole) + 1)])
        try:
            read(bare)
        except InputError:
            refused += 1
    assert refused > 30


def test_unknown_field_version_and_missing_v_reset_are_told(bare):
    with h5py.File(bare, "r+") as file:
        file[f"{NODES}/lif/refractory"] = np.ones(3)
        del file[f"{NODES}/lif/v_reset"]
        replace(file, "version", **text("99.0.0"))
    notes = "\n".join(read(bare).notes)
    for expected in ("no field refractory in NIR; it was ignored", "'99.0.0'", "v_reset is missing"):
        assert expected in notes


@pytest.mark.parametrize(
    ("delay", "told"), [(3e-4, None), (np.float32(7e-4), None), (2.6e-4, "late: a delay of 2.6 steps is taken as 3")]
)
def test_a_delay_of_a_part_of_a_step_is_told(bare, delay, told):
    with h5py.File(bare, "r+") as file:
        late = file[NODES].create_group("late")
        late.create_dataset("type", **text("Delay"))
        late["delay"] = np.array([0, delay])
        edges([["input", "late"], ["late", "w"], ["w", "lif"], ["lif", "output"]])(file)
    notes = [note for note in read(bare).notes if note.startswith("late")]
    assert notes == ([told] if told else [])


def test_bare_file_needs_dt_and_semantics(bare):
    with pytest.raises(InputError, match=r"does not hold dt, nor how .*'lif' needs.*--semantics NAME .*snntorch.*--dt"):
        read_graph(bare)
    with pytest.raises(InputError, match="does not hold dt, which 'lif' needs; give --dt"):
        read_graph(bare, semantics="rockpool")
    with pytest.raises(InputError, match="is no preset; one of nir, snntorch"):
        read_graph(bare, semantics="tensorflow")
    assert read_graph(bare, semantics="norse", dt=2e-4).dt == 2e-4
    assert read_graph(bare, semantics="snntorch").dt == 1e-4
    assert any("preset nir" in note for note in read_graph(bare, dt=1e-4).notes)


def test_two_ports_of_a_nested_graph(bare):
    with h5py.File(bare, "r+") as file:
        inner = file.create_group(f"{NODES}/inner")
        inner.create_dataset("type", **text("NIRGraph"))
        inner.create_dataset("edges", data=[["a", "c"], ["b", "c"]], dtype=h5py.string_dtype())
        for name, kind in (("a", "Input"), ("b", "Input"), ("c", "Output")):
            inner.create_dataset(f"nodes/{name}/type", **text(kind))
            inner[f"nodes/{name}/shape"] = [3]
        edges([["input", "w"], ["w", "inner"], ["inner", "lif"], ["lif", "output"]])(file)
    with pytest.raises(Unsupported, match="inner: the nested graph has 2 Input nodes"):
        read(bare)


def test_metadata_is_bounded_and_free_of_the_network(bare):
    with h5py.File(bare, "r+") as file:
        file["node/metadata/words"] = "kept"
        file["node/metadata/table"] = np.arange(3)
        file["node/metadata/inner/x"] = 2.0
    found = read_metadata(bare)
    assert found["words"] == "kept"
    assert found["table"].tolist() == [0, 1, 2]
    assert found["inner:x"] == 2.0
    assert read(bare).metadata["words"] == "kept"
    with h5py.File(bare, "r+") as file:
        file.create_dataset("node/metadata/much", shape=(10**9,), dtype="f8")
    with pytest.raises(InputError, match=r"metadata/much.*limit"):
        read_metadata(bare)


def test_a_heap_without_end_does_not_hang(bare):
    damaged = bytearray(bare.read_bytes())
    heap = damaged.index(b"GCOL\x01")
    free = heap + 16
    while int.from_bytes(damaged[free : free + 2], "little"):
        free += 16 + (int.from_bytes(damaged[free + 8 : free + 16], "little") + 7) // 8 * 8
    damaged[free + 8 : free + 16] = bytes(8)
    bare.write_bytes(damaged)
    with pytest.raises(InputError, match=r"truncated or damaged HDF5 file .the global heap at byte"):
        read(bare)


def test_a_heap_in_disguise_does_not_hang(bare):
    """The library takes a heap for one whatever its reserved bytes hold."""
    damaged = bytearray(bare.read_bytes())
    heap = damaged.index(b"GCOL\x01")
    damaged[heap + 5 : heap + 8] = b"\xff\xff\xff"
    damaged[heap + 24 : heap + 32] = bytes(8)
    bare.write_bytes(damaged)
    with pytest.raises(InputError, match=r"its text lies in no global heap at byte"):
        read(bare)


def test_a_text_that_claims_gigabytes_is_not_allocated(bare):
    with h5py.File(bare) as file:
        place = file[f"{NODES}/lif/type"].id.get_offset()
    damaged = bytearray(bare.read_bytes())
    damaged[place + 3] = 229
    bare.write_bytes(damaged)
    with pytest.raises(InputError, match=r"lif/type: holds a text of 3,841,982,467 bytes; the limit is 1,024"):
        read(bare)
