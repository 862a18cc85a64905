"""The Triton kernels compiled ahead of time for real GPUs, which needs none: they are integer code throughout."""

from __future__ import annotations

import json
import os
import subprocess
import sys

SCRIPT = """
import json, re
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from neurodeploy.targets.emulator.cuda import kernels, variants

def assembly(kernel, types, flags, aligned, **options):
    names = kernel.arg_names
    signature = {name: "constexpr" if name in flags else types.get(name, "i32") for name in names}
    hints = {(names.index(name),): [["tt.divisibility", 16]] for name in aligned}
    source = ASTSource(fn=kernel, signature=signature, constexprs=flags, attrs=hints)
    return compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["ptx"]

found = {}
for out, mode, flat, rows, aligned in (
    ("*i16", 0, False, 128, ("channels",)), ("*i32", 1, True, 128, ()), ("*i32", 2, False, 16, ("channels",))
):
    types = {"x": "*i8", "w": "*i8", "table": "*i32", "out": out}
    flags = {"FLAT": flat, "MODE": mode, "ROWS": rows, "COLUMNS": 32, "DEPTH": 64}
    found[f"sums {mode}"] = assembly(kernels.sums, types, flags, (*types, *aligned))
for a, state, kept in (("*i16", "*i32", False), ("*i32", "*i64", True)):
    types = {"a": a, "s": "*i8", "states": state, "kept_u": "*i32", "kept_v": "*i32", "clock": "*i32"}
    types |= dict.fromkeys(("thresholds", "keeps_u", "keeps_v", "biases"), state)
    flags = {"DRIVEN": True, "UNIFORM": not kept, "KEEP_U": kept, "KEEP_V": kept, "RESETS": kept, "CELLS": 256}
    found[f"neurons {state}"] = assembly(kernels.neurons, types, flags, ("a", "s", "states", "cells"), num_warps=2)
for model in range(4):
    types = {"a": "*i32", "b": "*i32", "s": "*i32", "kept_u": "*i32", "kept_v": "*i32", "clock": "*i32"}
    types |= dict.fromkeys(("states", "thresholds", "firsts", "seconds", "biases", "lowers"), "*i64")
    flags = {"MODEL": model, "STAGE": 2, "U": 0, "V": 1, "CELLS": 64}
    flags |= dict.fromkeys(("RELU", "CUMULATIVE", "SUBTRACT", "DRIVEN", "DRIVEN_B", "KEEP_U", "KEEP_V", "RESETS"), True)
    found[f"model {model}"] = assembly(variants.variants, types, flags, (), num_warps=1)
pattern = re.compile(r"^\\s+(?:@!?%p\\d+ )?([a-z][\\w.:]+)", re.M)
print(json.dumps({name: sorted(set(pattern.findall(ptx))) for name, ptx in found.items()}))
"""


def test_kernels_compile_to_integer_instructions(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "TRITON_DEFAULT_FP_FUSION": "0"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name, instructions in found.items():
        assert not [
            i for i in instructions if any(f".{kind}" in i for kind in ("f16", "bf16", "tf32", "f32", "f64"))
        ], name
    assert any(i.startswith("wgmma.mma_async") and ".s32.s8.s8" in i for i in found["sums 0"])
    assert any(i.startswith(("mma.sync", "wgmma")) and "s32.s8.s8" in i for i in found["sums 2"])
    assert any("add.u32" in i and "relaxed" in i for i in found["sums 2"])
