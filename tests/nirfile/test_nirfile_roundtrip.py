"""What is written is what is read, byte for byte the same each time, and nir itself accepts it."""

import dataclasses
import itertools
from dataclasses import replace

import h5py
import nir
import numpy as np
import pytest

from neurodeploy.errors import InputError, Unsupported, UsageError
from neurodeploy.graph import BatchNorm, Convolution, Graph, Input, Linear, Neuron, Output, Pool, frozen_array
from neurodeploy.nirfile import read_graph, read_metadata, write_graph
from neurodeploy.semantics import Semantics
from tests.nirfile.random_graphs import random_graph


def assert_same(a: Graph, b: Graph, *, dtypes: bool = True) -> None:
    assert list(a.nodes) == list(b.nodes)
    assert (a.edges, a.dt, a.feedback, a.notes) == (b.edges, b.dt, b.feedback, b.notes)
    for name, node in a.nodes.items():
        assert type(node) is type(b.nodes[name])
        for field in dataclasses.fields(node):
            mine, theirs = getattr(node, field.name), getattr(b.nodes[name], field.name)
            if isinstance(mine, np.ndarray):
                assert mine.shape == theirs.shape, (name, field.name)
                assert mine.dtype == theirs.dtype or not dtypes, (name, field.name)
                np.testing.assert_array_equal(mine, theirs)
                assert not theirs.flags.writeable
            else:
                assert mine == theirs, (name, field.name)
    assert a.metadata.keys() == b.metadata.keys()
    for key, value in a.metadata.items():
        assert np.array_equal(value, b.metadata[key])


def small(weight=None, *between) -> Graph:
    nodes = {"input": Input((2, 6, 6))}
    for i, node in enumerate(between):
        nodes[f"n{i}"] = node
    nodes["output"] = Output((2, 6, 6))
    names = list(nodes)
    return Graph(nodes, tuple(itertools.pairwise(names)), 1e-3)


@pytest.mark.parametrize("seed", range(25))
def test_reading_what_was_written_is_the_identity(tmp_path, seed):
    graph = random_graph(seed)
    path = tmp_path / "net.nir"
    write_graph(graph, path)
    assert_same(graph, read_graph(path))
    first = path.read_bytes()
    write_graph(read_graph(path), path, force=True)
    assert path.read_bytes() == first
    if graph.nodes["conv"].groups == 1:
        assert "lif" in nir.read(path).nodes


def test_nir_refuses_two_convolutions_by_its_own_mistake(tmp_path):
    def conv(shape, groups, padding):
        return Convolution(frozen_array(np.ones(shape)), None, (1, 1), padding, (1, 1), groups)

    cases = {
        "non-square": conv((2, 2, 3, 5), 1, ((1, 1), (2, 2))),
        "groups": conv((2, 1, 3, 3), 2, ((1, 1), (1, 1))),
    }
    for name, node in cases.items():
        graph, path = small(None, node), tmp_path / f"{name}.nir"
        write_graph(graph, path)
        assert_same(graph, read_graph(path))
        with pytest.raises(ValueError, match="type mismatch"):
            nir.read(path)


def test_same_padding_survives_an_even_kernel(tmp_path):
    node = Convolution(frozen_array(np.ones((2, 2, 4, 4))), None, (1, 1), ((1, 2), (1, 2)), (1, 1))
    write_graph(small(None, node), tmp_path / "x.nir")
    with h5py.File(tmp_path / "x.nir") as file:
        assert file["node/nodes/n0/padding"][()] == b"same"
    assert_same(small(None, node), read_graph(tmp_path / "x.nir"))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Pool("max", (1, 1), (1, 1), (0, 0)), "n0: NIR has no maximum pooling"),
        (BatchNorm(*(frozen_array(np.ones(2)) for _ in range(4)), 1e-5), "n0: .*run the pass fold_batchnorm"),
        (
            Convolution(frozen_array(np.ones((2, 2, 2, 2))), None, (1, 1), ((1, 0), (1, 0)), (1, 1)),
            "n0: its padding .* differs before and behind",
        ),
    ],
)
def test_what_nir_has_no_word_for(tmp_path, node, message):
    with pytest.raises(Unsupported, match=message):
        write_graph(small(None, node), tmp_path / "x.nir")
    assert list(tmp_path.iterdir()) == []


def test_names_that_hdf5_cannot_store(tmp_path):
    graph = Graph({"a/b": Input((1,)), "out": Output((1,))}, (("a/b", "out"),), 1e-3)
    with pytest.raises(Unsupported, match="a/b: is no name that HDF5 can store"):
        write_graph(graph, tmp_path / "x.nir")


def test_an_existing_file_stays(tmp_path):
    path = tmp_path / "net.nir"
    path.write_text("precious")
    with pytest.raises(UsageError, match="already exists"):
        write_graph(random_graph(0), path)
    assert path.read_text() == "precious"


def test_extra_metadata_stands_beside_and_stays_out_of_the_graph(tmp_path):
    path = tmp_path / "net.nir"
    extra = {"neurodeploy_network": "{}", "neurodeploy_array_0": np.arange(6, dtype=np.int32).reshape(2, 3)}
    write_graph(random_graph(1), path, extra_metadata=extra)
    found = read_metadata(path)
    assert found["neurodeploy_network"] == "{}"
    assert found["neurodeploy_array_0"].dtype == np.int32
    np.testing.assert_array_equal(found["neurodeploy_array_0"], extra["neurodeploy_array_0"])
    assert_same(random_graph(1), read_graph(path))


def test_nir_keeps_our_metadata(tmp_path):
    graph = next(graph for graph in map(random_graph, range(9)) if graph.nodes["conv"].groups == 1)
    write_graph(graph, tmp_path / "a.nir")
    nir.write(tmp_path / "b.nir", nir.read(tmp_path / "a.nir"))
    assert_same(graph, read_graph(tmp_path / "b.nir"), dtypes=False)  # nir makes every w_in float64


def test_constants_changed_by_another_tool_are_not_lost(tmp_path):
    lif = Neuron((3,), Semantics(), r=frozen_array(1.0), tau_mem=frozen_array(0.01), threshold=frozen_array(1.0))
    nodes = {"in": Input((3,)), "lif": lif, "out": Output((3,))}
    path = tmp_path / "x.nir"
    write_graph(Graph(nodes, (("in", "lif"), ("lif", "out")), 1e-3), path)
    with h5py.File(path, "r+") as file:
        file["node/nodes/lif/v_threshold"][1] = 2.0
        file["node/nodes/lif/v_reset"][1] = 0.5
    read = read_graph(path).nodes["lif"]
    assert read.threshold.tolist() == [1, 2, 1]
    assert read.v_reset.tolist() == [0, 0.5, 0]
    assert read.tau_mem.shape == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "has the format 'list'"),
        ('{"format": 2}', "has the format 2; 1 is known"),
        ('{"format": 1}', "is damaged .KeyError: 'dt'"),
        ('{"format": 1, "dt": -1, "nodes": {}}', "says dt = -1"),
        ('{"format": 1, "dt": 1, "nodes": {}, "feedback": [], "notes": []}', "does not describe its nodes"),
        ('{"format": 1, "dt": 1, "nodes": [], "feedback": 3, "notes": []}', "is damaged"),
    ],
)
def test_damaged_metadata_is_refused(tmp_path, text, message):
    path = tmp_path / "net.nir"
    write_graph(random_graph(0), path)
    with h5py.File(path, "r+") as file:
        del file["node/metadata/neurodeploy"]
        file["node/metadata/neurodeploy"] = text
    with pytest.raises(InputError, match=message):
        read_graph(path)


def test_the_user_overrules_the_file_and_is_told(tmp_path):
    path = tmp_path / "net.nir"
    write_graph(random_graph(0), path)
    graph = read_graph(path, dt=5e-4, semantics="norse")
    assert graph.dt == 5e-4
    assert graph.nodes["lif"].semantics.order == "jump-use-decay"
    assert sum("overrule" in note for note in graph.notes) == 2


def test_a_broken_graph_is_not_written(tmp_path):
    graph = random_graph(0)
    broken = replace(graph, nodes={**graph.nodes, "dense": Linear(frozen_array(np.ones((5, 1))))})
    with pytest.raises(InputError, match="scale -> dense"):
        write_graph(broken, tmp_path / "x.nir")
