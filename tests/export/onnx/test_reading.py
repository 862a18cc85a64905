"""Files that lie, reach out or are broken: an error that names the place, and nothing opened outside the folder."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.export.onnx import reading
from neurodeploy.export.onnx.reading import read_model
from neurodeploy.export.onnx.translation import read_ann
from neurodeploy.export.onnx.writing import write_onnx
from tests.export.onnx.files import Model
from tests.random_networks import random_network


def small() -> onnx.ModelProto:
    model = Model("n", 4)
    model.gemm(3, 4)
    model.add("Relu")
    model.gemm(2, 3)
    return model.proto()


def written(path, proto):
    path.write_bytes(proto.SerializeToString())
    return path


def external(tensor, **entries):
    """Say that a tensor is kept in a file."""
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))


def test_external_files_of_the_same_folder_are_taken_in(tmp_path):
    proto = small()
    weight = onnx.numpy_helper.to_array(proto.graph.initializer[0])
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "weights.bin").write_bytes(b"12345678" + weight.tobytes() + b"more")
    external(proto.graph.initializer[0], location="part/weights.bin", offset=8, length=weight.nbytes)
    ann, model = read_ann(written(tmp_path / "net.onnx", proto))
    assert np.array_equal(ann.nodes["Gemm_0"].weight, weight)
    assert not model.graph.initializer[0].external_data


ESCAPES = ["../secret", "/etc/passwd", "part/../../secret", "link", "folder/secret", "", "x" * 5000, "a\0b", "."]


@pytest.mark.parametrize("location", ESCAPES)
def test_external_files_elsewhere_are_never_opened(location, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(48))
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(tmp_path / "secret")
    (home / "folder").symlink_to(tmp_path)
    proto = small()
    external(proto.graph.initializer[0], location=location)
    with pytest.raises(InputError, match=r"tensor 'c0': is kept in .*(outside the model's folder|which is no file)"):
        read_model(written(home / "net.onnx", proto))


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "-8"},
        {"length": "7"},
        {"offset": "9" * 30},
        {"offset": "0x10"},
        {"offset": 40},
        {"length": ""},
    ],
)
def test_extents_that_do_not_fit_their_file_are_refused(entries, tmp_path):
    (tmp_path / "w").write_bytes(bytes(48))
    proto = small()
    external(proto.graph.initializer[0], location="w", **entries)
    with pytest.raises(InputError, match=r"tensor 'c0': (has the offset and length|takes 48 bytes)"):
        read_model(written(tmp_path / "net.onnx", proto))


def test_a_missing_external_file_is_named(tmp_path):
    proto = small()
    external(proto.graph.initializer[0], location="lost.bin")
    with pytest.raises(InputError, match=r"'lost.bin', which is no file; copy it beside the model"):
        read_model(written(tmp_path / "net.onnx", proto))


@pytest.mark.parametrize("dims", [[1 << 40, 1 << 40], [-1, 4], [1 << 62] * 15, [1] * 17])
def test_absurd_shapes_are_refused_before_anything_is_allocated(dims, tmp_path):
    proto = small()
    proto.graph.initializer[0].dims[:] = dims
    with pytest.raises(InputError, match=r"tensor 'c0': has (the shape|17 axes)"):
        read_model(written(tmp_path / "net.onnx", proto))


def test_a_shape_with_other_data_is_refused(tmp_path):
    proto = small()
    proto.graph.initializer[0].dims[:] = [3, 5]
    with pytest.raises(InputError, match=r"is refused by onnx .*48 bytes|its data do not fill the shape \[3, 5\]"):
        read_ann(written(tmp_path / "net.onnx", proto))


def test_an_input_beyond_all_memory_is_refused(tmp_path):
    model = Model("n", 4, 1 << 20, 1 << 20)
    model.add("Relu")
    with pytest.raises(InputError, match=r"input: has the shape \[4, 1048576, 1048576\]"):
        read_ann(model.save(tmp_path / "net.onnx"))


def test_padding_beyond_all_memory_is_refused(tmp_path):
    model = Model("n", 1, 4, 4)
    model.add("Conv", np.ones((1, 1, 1, 1)), pads=[1 << 20] * 4)
    proto = model.proto()
    with pytest.raises(InputError, match="Conv '/Conv_0': has the shape"):
        read_ann(written(tmp_path / "net.onnx", proto))


def test_constants_do_not_grow_without_bound(tmp_path):
    model = Model("n", 4)
    value = model.constant(np.ones(1 << 12))
    for _ in range(40):
        value = model.add("Concat", sources=[value, value], axis=0)
    path = written(tmp_path / "net.onnx", model.proto(infer=False))
    with pytest.raises(Unsupported, match=r"Concat '/Concat_8': computes more than 1,048,576 constants"):
        read_ann(path)


def test_copies_of_constants_are_counted(tmp_path):
    model = Model("n", 4)
    value = model.constant(np.ones(1 << 18))
    for _ in range(600):
        model.add("Cast", source=value, to=onnx.TensorProto.FLOAT)
    path = written(tmp_path / "net.onnx", model.proto(infer=False))
    with pytest.raises(Unsupported, match=r"Cast .* makes 1,048,576 bytes of constants, too many by now"):
        read_ann(path)


def test_a_long_row_of_scales_is_counted(tmp_path):
    model = Model("n", 4096)
    for _ in range(5):
        model.add("Mul", np.float32(2), source="x")
    path = written(tmp_path / "net.onnx", model.proto(infer=False))
    with pytest.raises(Unsupported, match=r"Mul '/Mul_2': makes 134,217,728 bytes of constants"):
        read_ann(path)


def test_no_onnx_at_all(tmp_path):
    path = tmp_path / "net.onnx"
    for content, message in ((b"", "holds no graph"), (b"PK\x03\x04" + bytes(99), "is no ONNX model")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_model(path)
    with pytest.raises(InputError, match="no such file"):
        read_model(tmp_path / "other.onnx")


def test_every_truncation_is_refused(tmp_path):
    data = small().SerializeToString()
    path = tmp_path / "net.onnx"
    refused = 0
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        try:
            read_ann(path)
        except InputError:
            refused += 1
    assert refused == len(range(0, len(data), 7))


def test_limits_of_size_and_nodes(tmp_path, monkeypatch):
    path = written(tmp_path / "net.onnx", small())
    monkeypatch.setattr(reading, "MAX_NODES", 2)
    with pytest.raises(InputError, match="has 3 nodes; the limit is 2"):
        read_model(path)
    monkeypatch.setattr(reading, "MAX_BYTES", 100)
    with pytest.raises(InputError, match=r"has \d+ bytes; the limit is 100"):
        read_model(path)


def test_external_files_count_toward_the_limit(tmp_path, monkeypatch):
    proto = small()
    (tmp_path / "w").write_bytes(bytes(48))
    external(proto.graph.initializer[0], location="w")
    path = written(tmp_path / "net.onnx", proto)
    monkeypatch.setattr(reading, "MAX_BYTES", path.stat().st_size + 47)
    with pytest.raises(InputError, match="tensor 'c0': brings the model to more than"):
        read_model(path)


def test_other_versions_functions_and_domains_are_refused(tmp_path):
    proto = small()
    proto.opset_import[0].version = 7
    with pytest.raises(InputError, match="uses version 7 of the standard operations; export it with 9 to 26"):
        read_model(written(tmp_path / "old.onnx", proto))
    proto = small()
    proto.functions.add(name="f", domain="d")
    with pytest.raises(InputError, match="holds functions, training or sparse tensors"):
        read_model(written(tmp_path / "functions.onnx", proto))
    proto = small()
    proto.opset_import.add(domain="com.microsoft", version=1)
    proto.graph.node[1].domain = "com.microsoft"
    with pytest.raises(InputError, match=r"Relu '/Relu_1': is an operation of 'com\.microsoft'"):
        read_ann(written(tmp_path / "domain.onnx", proto))


def test_loops_are_refused_by_name(tmp_path):
    write_onnx(random_network(0), tmp_path / "ours.onnx")
    with pytest.raises(Unsupported, match=r"is an integer network that neurodeploy wrote; use the \.nir"):
        read_ann(tmp_path / "ours.onnx")
    proto = onnx.load(tmp_path / "ours.onnx")
    del proto.metadata_props[:]
    with pytest.raises(Unsupported, match=r"has the inputs and outputs \['spikes/input', 's/a', 's/b', 's/c'\]"):
        read_ann(written(tmp_path / "bare.onnx", proto))


def test_several_inputs_or_none_fixed_are_refused(tmp_path):
    proto = small()
    proto.graph.input.append(helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["n", 4]))
    with pytest.raises(Unsupported, match=r"has the inputs and outputs \['x', 'z', 'y2'\]; export it with one of each"):
        read_ann(written(tmp_path / "two.onnx", proto))
    model = Model("n", "m")
    model.add("Relu")
    path = model.save(tmp_path / "free.onnx")
    with pytest.raises(Unsupported, match=r"takes the shape \[0, 0\]; the first axis is samples"):
        read_ann(path)
