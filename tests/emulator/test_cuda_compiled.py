"""What ``--device cuda`` launches, compiled for a real GPU, which needs none: it is integer code throughout."""

from __future__ import annotations

import pytest

from tests.gpu_compilation import SHARED, in_a_child


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return in_a_child("emulator", tmp_path_factory.mktemp("triton"))


def named(kernels, name, **constants):
    """Return the compilations of a kernel with these constants."""
    wanted = {key: repr(value) for key, value in constants.items()}.items()
    return [kernel for kernel in kernels if kernel.name == name and wanted <= kernel.constants.items()]


def test_every_launch_compiles_to_integer_instructions(kernels):
    floats = [f".{kind}" for kind in ("f16", "bf16", "tf32", "f32", "f64")]
    for kernel in kernels:
        assert not [i for i in kernel.instructions if any(kind in i for kind in floats)], kernel
    assert {kernel.name for kernel in kernels} == {"sums", "neurons", "variants"}


def test_what_is_launched_holds_every_way_that_the_kernels_have(kernels):
    for mode in range(3):
        assert named(kernels, "sums", MODE=mode)
    for flat in (True, False):
        for rows in (16, 128):
            assert named(kernels, "sums", FLAT=flat, ROWS=rows)
    for model in range(4):
        assert named(kernels, "variants", MODEL=model)
    for width in (64, 256):
        assert named(kernels, "neurons", CELLS=width)
    assert {kernel.signature["states"] for kernel in named(kernels, "neurons")} == {"*i32", "*i64"}


def test_sums_are_formed_on_the_matrix_units_and_shared_ones_by_atomic_additions(kernels):
    for kernel in named(kernels, "sums"):
        matrix = "wgmma.mma_async" if kernel.constants["ROWS"] == "128" else "mma.sync"
        assert any(i.startswith(matrix) and "s32.s8.s8" in i for i in kernel.instructions), kernel
        shared = any("add.u32" in i and "relaxed" in i for i in kernel.instructions)
        assert shared == (kernel.constants["MODE"] == "2"), kernel


def test_no_kernel_takes_more_than_a_multiprocessor_has_or_spills_its_registers(kernels):
    for kernel in kernels:
        assert kernel.shared <= SHARED, kernel
        assert kernel.local <= 16, kernel
