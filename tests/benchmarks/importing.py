"""What it costs to import, check and quantize a large network: ``python -m tests.benchmarks.importing [-o FILE]``.

A ``.nir`` of fifty million float32 weights is written, then read, verified and quantized in a child process whose peak
memory above what it held after its imports is compared with the size of the weights. Printed as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np

from neurodeploy.graph import Graph, Input, Linear, Neuron, Node, Output
from neurodeploy.nirfile import write_graph
from neurodeploy.semantics import Semantics

#: Bounds: seconds, and peak memory in sizes of the file's parameters.
SECONDS, SIZES = 30.0, 4.0
#: Neurons of each layer, input first: 50,331,648 weights in three layers.
WIDTH = 4096

_CHILD = """
import json, resource, sys, threading, time
from neurodeploy.loading import load
from neurodeploy.quantization import quantize
from neurodeploy.targets.chip import load_chip
import numba, scipy.sparse

def resident():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * resource.getpagesize()

chip = load_chip("loihi2")
before, start = resident(), time.perf_counter()
graph = load(sys.argv[1])
read = time.perf_counter()
network = quantize(graph, chip)
done = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
weights = sum(p.connection.weight.size for p in network.projections)
print(json.dumps({"import_s": read - start, "quantize_s": done - read, "peak": peak - before, "weights": weights}))
"""


def chain(layers: int, width: int = WIDTH) -> Graph:
    """Return fully connected layers of leaky neurons with random float32 weights."""
    rng = np.random.default_rng(0)
    nodes: dict[str, Node] = {"input": Input((width,))}
    for index in range(layers):
        weight = rng.standard_normal((width, width), dtype=np.float32) / np.float32(np.sqrt(width))
        nodes[f"fc{index}"] = Linear(weight, np.zeros(width, np.float32))
        tau, one = np.full(width, 4e-3), np.ones(width)
        nodes[f"lif{index}"] = Neuron(
            (width,), Semantics(reset="zero"), r=tau / 1e-3, tau_mem=tau, v_leak=0 * one, threshold=one, v_reset=0 * one
        )
    nodes["output"] = Output((width,))
    names = list(nodes)
    return Graph(nodes, tuple(pairwise(names)), 1e-3)


def measure(layers: int, width: int = WIDTH) -> dict[str, object]:
    """Return seconds and peak bytes of one import and quantization in a fresh process, and the bounds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.nir"
        write_graph(chain(layers, width), path)
        done = subprocess.run([sys.executable, "-c", _CHILD, str(path)], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        stored = path.stat().st_size
    size = 4 * layers * (width * width + width)
    seconds = found["import_s"] + found["quantize_s"]
    return {
        "parameters": layers * (width * width + width),
        "file_bytes": stored,
        "parameter_bytes": size,
        "import_s": round(found["import_s"], 2),
        "quantize_s": round(found["quantize_s"], 2),
        "seconds": round(seconds, 2),
        "peak_bytes": found["peak"],
        "peak_sizes": round(found["peak"] / size, 2),
        "within": {"seconds": seconds < SECONDS, "memory": found["peak"] < SIZES * size},
        "machine": {"cores": len(os.sched_getaffinity(0)), "processor": platform.machine(), "numpy": np.__version__},
    }


def main() -> None:
    """Measure and print or write the document; exit 1 where a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=3, help="of 4096 x 4096 weights; 3 make fifty million")
    parser.add_argument("-o", "--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    document = measure(options.layers)
    text = json.dumps(document, indent=2)
    sys.stdout.write(text + "\n")
    if options.output is not None:
        options.output.write_text(text + "\n")
    within = document["within"]
    assert isinstance(within, dict)
    sys.exit(0 if all(within.values()) else 1)


if __name__ == "__main__":
    main()
