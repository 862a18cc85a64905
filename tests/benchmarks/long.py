"""Long runs and large shapes: steps a second, whether memory grows, and whether states drift from the golden model.

::

    python -m tests.benchmarks.long [--steps 1000000] [--neurons 1000000] [--whole] [--json FILE]

A small network with delays and a loop, of leaky integrate-and-fire neurons (the chunked kernel) and of variants with
scheduled resets (the stepwise one), runs for a million steps in a session. At ten checkpoints the golden model takes
the state over and both run on: every spike, current and membrane has to be the same. With ``--whole`` the golden
model runs all steps by itself, some ten minutes, and hashes of all that both recorded are compared. Resident memory is
read at a tenth of the run and at its end. Then come populations of a million neurons, behind a convolution, a grouped
one and sparse synapses, streamed to a file, the first steps beside the golden model.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.carried import Carried
from neurodeploy.events import EventInput
from neurodeploy.headroom import peak_memory, spelled
from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection, Sparse
from neurodeploy.neurons import Lif, SigmaDelta
from neurodeploy.recording import Recording
from neurodeploy.session import Session
from neurodeploy.streaming import stream

PIECE, WINDOW = 10_000, 500
EVERYTHING = ("s", "u", "v")


def resident() -> int:
    """Return the bytes of memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def small(*, variants: bool) -> Network:
    """Return a network of 24 inputs and 44 neurons with delays, a loop and, of variants, resets every 4,099 steps."""
    rng = np.random.default_rng(7)

    def dense(out: int, into: int) -> Dense:
        return Dense(2 * rng.integers(-40, 48, (out, into)))

    hidden = Lif(300, 512, 160, bias=3, bias_exponent=4)
    second = replace(hidden, reset="subtract", refractory=2) if variants else hidden
    last = SigmaDelta(200) if variants else replace(hidden, spiking=False)
    populations = (
        Population("a", (24,), hidden, 1),
        Population("b", (16,), second, 2),
        Population("c", (4,), last, 3),
    )
    connection = Sparse.from_dense(2 * rng.integers(-40, 48, (16, 24))) if variants else dense(16, 24)
    projections = (
        Projection("in-a", "in", "a", dense(24, 24)),
        Projection("a-b", "a", "b", connection),
        Projection("b-c", "b", "c", dense(4, 16)),
        Projection("b-b", "b", "b", dense(16, 16), 0, 6),
        Projection("late", "in", "b", dense(16, 24), 0, 31),
    )
    network = Network((Port("in", (24,)),), populations, projections, ("c",))
    return replace(network, reset_interval=4099, reset_offset=5) if variants else network


def spikes_of(piece: int, steps: int, cells: int = 24, density: float = 0.06) -> np.ndarray:
    """Return the input of one piece, uint8 [1, steps, cells], the same whoever asks."""
    return (np.random.default_rng(piece).random((1, steps, cells), np.float32) < density).astype(np.uint8)


def digest_of(digest: Any, recording: Recording) -> str:
    """Return a hash that takes in every s, u and v of a recording."""
    for table in (recording.spikes, recording.u, recording.v):
        for name in sorted(table):
            digest.update(np.ascontiguousarray(table[name].astype(np.int32)))
    return str(digest.hexdigest())


def pieces(steps: int) -> Iterator[np.ndarray]:
    """Yield the input piece by piece."""
    for piece in range(-(-steps // PIECE)):
        yield spikes_of(piece, min(PIECE, steps - piece * PIECE))


def same_window(network: Network, start: Carried, spikes: np.ndarray) -> bool:
    """Return whether emulator and golden model go on alike from a state."""
    found = []
    for backend in ("emulator", "golden"):
        with Session(network, 1, backend, EVERYTHING, start) as session:
            found.append(digest_of(hashlib.sha256(), session.run(spikes)))
    return found[0] == found[1]


def long_run(name: str, network: Network, steps: int, *, whole: bool) -> dict[str, Any]:
    """Return figures of a long run, and whether it equals the golden one."""
    seconds, memory, equal = 0.0, [], []
    digests: dict[str, Any] = {backend: hashlib.sha256() for backend in ("emulator", "golden")}
    tenth = max(1, -(-steps // PIECE) // 10)
    golden = Session(network, 1, "golden", EVERYTHING)
    with Session(network, 1, "emulator", EVERYTHING) as session:
        session.run(spikes_of(0, 16))  # compiled or read from the cache before the clock starts
        session.reset()
        for nth, spikes in enumerate(pieces(steps)):
            start = time.perf_counter()
            recording = session.run(spikes)
            seconds += time.perf_counter() - start
            memory.append(resident())
            if whole:
                mine, theirs = (
                    digest_of(digests["emulator"], recording),
                    digest_of(digests["golden"], golden.run(spikes)),
                )
                equal.append(mine == theirs)
            elif (nth + 1) % tenth == 0:
                equal.append(same_window(network, session.carried(), spikes[:, :WINDOW]))
    return {
        "name": name,
        "steps": steps,
        "steps_per_second": round(steps / seconds),
        "resident_at_tenth": memory[tenth - 1],
        "resident_at_end": memory[-1],
        "checkpoints": len(equal),
        "compared": "all steps" if whole else f"{WINDOW} steps after each checkpoint",
        "equal": all(equal),
    }


def large(kind: str, neurons: int) -> Network:
    """Return a network of one population of about so many neurons, behind a few inputs each."""
    side = max(8, int(np.sqrt(neurons / 4)))
    rng = np.random.default_rng(3)
    lif = Lif(40, 512, 160)
    if kind == "sparse":
        rows, columns = np.repeat(np.arange(neurons), 4), rng.integers(0, neurons, 4 * neurons)
        columns = np.sort(columns.reshape(neurons, 4), axis=1).ravel()
        fresh = np.concatenate([[True], (np.diff(rows) != 0) | (np.diff(columns) != 0)])
        ends = np.concatenate([[0], np.cumsum(np.bincount(rows[fresh], minlength=neurons))])
        data = 2 * rng.integers(-30, 40, int(fresh.sum()))
        connection: Any = Sparse(ends, columns[fresh], data, (neurons, neurons))
        source, target = (neurons,), (neurons,)
    else:
        groups = 4 if kind == "grouped" else 1
        connection = Convolution(2 * rng.integers(-20, 30, (4, 4 // groups, 3, 3)), padding=(1, 1), groups=groups)
        source = target = (4, side, side)
    path = Projection("in-x", "in", "x", connection)
    return Network((Port("in", source),), (Population("x", target, lif, 1),), (path,), ("x",))


def events_of(shape: tuple[int, ...], steps: int, density: float = 0.01) -> EventInput:
    """Return input of so many steps as events; that of fewer steps is its beginning."""
    rng, cells = np.random.default_rng(5), int(np.prod(shape))
    index = [np.unique(rng.integers(0, cells, int(cells * density))).astype(np.int32) for _ in range(steps)]
    t = np.repeat(np.arange(steps, dtype=np.int32), [len(each) for each in index])
    return EventInput(1, steps, t, np.concatenate(index))


def large_run(kind: str, neurons: int, steps: int, compared: int) -> dict[str, Any]:
    """Return figures of a large population: streamed to a file, and held against the golden model over some steps."""
    network = large(kind, neurons)
    spikes = events_of(network.ports[0].shape, steps)
    first = events_of(network.ports[0].shape, compared)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        stream(network, first, path, piece_bytes=1)
        seen: list[int] = []
        start = time.perf_counter()
        stream(network, spikes, path, piece_bytes=1 << 26, on_progress=lambda _: seen.append(resident()))
        seconds, size = time.perf_counter() - start, path.stat().st_size
    found = stream(network, first, against="golden").comparison
    assert found is not None
    return {
        "name": f"{kind}, {network.populations[0].size:,} neurons",
        "steps": steps,
        "steps_per_second": round(steps / seconds, 1),
        "file_bytes": size,
        "resident_at_tenth": seen[max(0, len(seen) // 10 - 1)],
        "resident_at_end": seen[-1],
        "compared_cells": found.cells,
        "equal": found.equal,
    }


def main() -> int:
    """Run everything, print a line each, and return 0 where all is equal to the golden model."""
    parser = argparse.ArgumentParser(description="long runs and large shapes")
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--neurons", type=int, default=1_000_000)
    parser.add_argument("--large-steps", type=int, default=1000)
    parser.add_argument("--compared", type=int, default=20)
    parser.add_argument("--only", choices=("chunked", "stepwise", "convolution", "grouped", "sparse"))
    parser.add_argument("--whole", action="store_true", help="let the golden model run all steps")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    tasks = {
        "chunked": lambda: long_run("chunked kernel", small(variants=False), asked.steps, whole=asked.whole),
        "stepwise": lambda: long_run("stepwise kernel, resets", small(variants=True), asked.steps, whole=asked.whole),
    }
    for kind in ("convolution", "grouped", "sparse"):
        tasks[kind] = lambda kind=kind: large_run(kind, asked.neurons, asked.large_steps, asked.compared)
    results = []
    for name, task in tasks.items():
        if asked.only in (None, name):
            results.append(task())
            row = results[-1]
            sys.stdout.write(
                f"{row['name']}: {row['steps']:,} steps, {row['steps_per_second']:,} a second, resident "
                f"{spelled(row['resident_at_tenth'])} at a tenth and {spelled(row['resident_at_end'])} at the end, "
                f"equal to the golden model: {row['equal']}\n"
            )
            sys.stdout.flush()
    sys.stdout.write(f"peak memory {spelled(peak_memory())}\n")
    if asked.json is not None:
        asked.json.write_text(json.dumps({"peak_memory_byte": peak_memory(), "runs": results}, indent=2))
    return 0 if all(row["equal"] for row in results) else 1


if __name__ == "__main__":
    sys.exit(main())
