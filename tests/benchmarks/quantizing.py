"""How long quantizing with calibration takes: ``python -m tests.benchmarks.quantizing [--samples 512] [-o FILE.json]``.

The float network is W2 of :mod:`tests.benchmarks.workloads`, dequantized; it is quantized for loihi2 with every choice
open, and once with 4-bit weights. Compiling the kernels is left out: a run on one sample precedes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from neurodeploy.choices import Choices
from neurodeploy.dequantize import dequantize
from neurodeploy.quantization import quantization
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.benchmarks.quantization_page import save
from tests.benchmarks.workloads import workload


def measure(samples: int, bits: int | None) -> dict[str, object]:
    """Return wall and CPU seconds of one quantization of W2, and what came of it."""
    load = workload("W2")
    graph, chip, spikes = dequantize(load.network(chip_time=False)), load_chip("loihi2"), load.spikes(samples)
    simulate(load.network(), spikes[:1], record=("u", "v"))
    wall, cpu = time.perf_counter(), time.process_time()
    result = quantization(graph, chip, spikes, Choices(weight_bits=bits))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert result.bench is not None
    return {
        "network": "W2",
        "samples": samples,
        "weight_bits": bits or chip.formats.weight_bits,
        "wall_second": round(wall, 2),
        "cpu_second": round(cpu, 2),
        "float_samples": result.bench.evidence.recording.samples,
        "plans": sum(len(measured) for measured in result.candidates.values()),
        "answer_distance": result.bench.answers(result.realized),
    }


def main() -> None:
    """Measure, print a line a run, and write all as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rows = []
    for bits in (None, 4):
        rows.append(measure(arguments.samples, bits))
        print(json.dumps(rows[-1]))
    if arguments.output:
        save(arguments.output, rows)


if __name__ == "__main__":
    main()
