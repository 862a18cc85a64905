"""Runs whose recording goes to disk as it grows: memory is bounded by a piece, whatever the number of samples or steps.

Whole samples run together where several fit into a piece. A sample that does not fit runs in pieces of its steps
(:mod:`neurodeploy.session`), one sample after the other, so that every array of the file grows from its beginning to
its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.blocks import Block, blocks
from neurodeploy.comparison import Comparison, compare, joined
from neurodeploy.errors import InputError, UsageError
from neurodeploy.events import Densified, EventInput
from neurodeploy.files import replacing
from neurodeploy.headroom import free_memory, require_disk, require_memory
from neurodeploy.network import Network
from neurodeploy.npzstream import NpzWriter
from neurodeploy.recording import Recording, read_recording
from neurodeploy.room import recorded_bytes, working_bytes
from neurodeploy.session import Session
from neurodeploy.simulation import Spikes, check_quantities, check_spikes, ports, simulate
from neurodeploy.tally import Tally

#: A piece takes at most this many bytes, so that progress shows and an interruption is heard, and at most this share
#: of the memory that is free.
PIECE_BYTES, _SHARE = 1 << 28, 8

Fed = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Streamed:
    """What is left of a run: the sums, the recording on disk or None, and how it compares where asked for."""

    tally: Tally
    recording: Recording | None
    comparison: Comparison | None


@dataclass(frozen=True)
class _Run:
    """What runs, and in which pieces."""

    network: Network
    spikes: Fed
    pieces: tuple[Block, ...]
    steps: int
    device: str


def stream(
    network: Network,
    spikes: Spikes | EventInput | Mapping[str, Spikes | EventInput],
    path: str | Path | None = None,
    backend: str = "emulator",
    record: Collection[str] = ("s",),
    *,
    against: str | None = None,
    device: str = "cpu",
    piece_bytes: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Streamed:
    """Simulate ``network`` piece by piece; write the recording to ``path``, uncompressed, whole or not at all.

    Parameters
    ----------
    network, spikes, backend, record, device : as of :func:`neurodeploy.simulate`; a spikes array may be a
        :class:`numpy.memmap`.
    path : an .npz file, or None for the sums alone.
    against : a backend that every piece is compared with, in all of s, u and v.
    piece_bytes : about what the recording of one piece takes in memory.
    on_progress : called after every piece with the number of steps, over all samples, that it had.

    Raises
    ------
    UsageError : a backend that cannot go on, for samples too long to run at once; else as :func:`simulate`.
    InputError : a network or piece that does not fit into memory, a file that does not fit on its disk.
    """
    if not isinstance(network, Network):
        raise UsageError("a streamed run", f"takes an integer network, not a {type(network).__name__}", "quantize it")
    check_quantities(record)
    checked = check_spikes(ports(network), spikes)
    samples, steps = next(iter(checked.values())).shape[:2]
    wanted = ("s", "u", "v") if against else tuple(record)
    pieces = _pieces(network, (samples, steps), wanted, piece_bytes)
    if path is not None:
        require_disk(path, samples * steps * _file_bytes(network, record))
    run = _Run(network, checked, pieces, steps, device)
    mine = _recordings(run, backend, wanted)
    theirs = _recordings(replace(run, device="cpu"), against, wanted) if against else None
    tally, parts = Tally(samples, steps), []
    with contextlib.ExitStack() as stack:
        writer = _Writer(stack, path, (samples, steps)) if path is not None else None
        for block, recording in zip(pieces, mine, strict=True):
            tally.add(block[0], recording)
            if theirs is not None:
                parts.append((block, compare(recording, next(theirs))))
            if writer is not None:
                writer.append(recording.only(record))
            if on_progress is not None:
                on_progress(recording.samples * recording.steps)
        if writer is not None:
            writer.finish(tally)
    kept = None if path is None else read_recording(path, Densified(checked, ports(network)))
    return Streamed(tally, kept, joined(parts, (samples, steps)) if parts else None)


def recorded(
    network: Network, path: str | Path, spikes: Spikes | EventInput | Mapping[str, Spikes | EventInput]
) -> Recording:
    """Return the recording of a file, left on the disk, with the spikes that were fed in when it was made.

    Raises
    ------
    InputError : no recording, or one of other populations, samples or steps.
    """
    checked = check_spikes(ports(network), spikes)
    found = read_recording(path, Densified(checked, ports(network)))
    if (extent := next(iter(checked.values())).shape[:2]) != found.extent:
        problem = "{} samples of {} steps, the input has {} of {}".format(*found.extent, *extent)
        raise InputError(str(path), problem, "give the input that it was made from")
    if set(found.spikes) != (names := {p.name for p in network.populations}):
        problem = f"holds the populations {sorted(found.spikes)}, the network has {sorted(names)}"
        raise InputError(str(path), problem, "give the network that it was made from")
    return found


def _pieces(
    network: Network, extent: tuple[int, int], record: Collection[str], piece_bytes: int | None
) -> tuple[Block, ...]:
    """Return the pieces in order, each as large as allowed."""
    require_memory("network", working_bytes(network), "split it, or use a machine with more memory")
    step = recorded_bytes(network, record)
    allowed = piece_bytes or min(PIECE_BYTES, free_memory() // _SHARE)
    require_memory("recording of one step", step, "record fewer states, or split the network")
    return tuple(blocks(*extent, step, max(allowed, step)))


def _file_bytes(network: Network, record: Collection[str]) -> int:
    """Return how many bytes a step takes in the file, which keeps the first output twice."""
    first = network.by_name[network.outputs[0]]
    return recorded_bytes(network, record) + 4 * int(np.prod(first.shape))


def _recordings(run: _Run, backend: str, record: Collection[str]) -> Iterator[Recording]:
    """Yield the recording of each piece."""
    session: Session | None = None
    for samples, steps in run.pieces:
        fed = {name: values[samples] for name, values in run.spikes.items()}
        if (steps.start, steps.stop) == (0, run.steps):
            yield simulate(run.network, fed, backend, record, run.device)
            continue
        if run.device != "cpu":
            problem = f"samples of {run.steps:,} steps do not fit into memory at once"
            raise UsageError(
                f"device {run.device}", problem, "use the device cpu, whose state goes from piece to piece"
            )
        if session is None:
            session = Session(run.network, 1, backend, record)
        elif steps.start == 0:
            session.reset()
        yield session.run({name: _steps_of(values, steps) for name, values in fed.items()})


def _steps_of(values: npt.NDArray[Any] | EventInput, steps: slice) -> npt.NDArray[Any] | EventInput:
    """Return some steps of one sample."""
    if not isinstance(values, EventInput):
        return values[:, steps]
    first, end = np.searchsorted(values.t, (steps.start, steps.stop))
    payload = None if values.payload is None else values.payload[first:end]
    t, index = values.t[first:end] - steps.start, values.index[first:end]
    return EventInput(1, steps.stop - steps.start, t, index, None, payload)


class _Writer:
    """The file that a recording grows into; it takes its name when it is complete."""

    def __init__(self, stack: contextlib.ExitStack, path: str | Path, extent: tuple[int, int]) -> None:
        self._path, self._extent = path, extent
        self._file = stack.enter_context(NpzWriter(stack.enter_context(replacing(path))))
        self._last: Recording | None = None

    def append(self, part: Recording) -> None:
        """Write the next piece."""
        try:
            for name, values in part.arrays().items():
                if self._last is None:
                    self._file.reserve(name, (*self._extent, *values.shape[2:]), values.dtype)
                self._file.append(name, values)
        except OSError as error:
            raise InputError(str(self._path), f"cannot be written ({error.strerror})", "free its disk") from error
        self._last = part

    def finish(self, tally: Tally) -> None:
        """Write what is known at the end only."""
        assert self._last is not None, "there is at least one piece"
        samples, steps = self._extent
        whole = replace(
            self._last,
            samples=samples,
            steps=steps,
            backend=tally.backend,
            versions=tally.versions,
            wraps=dict(tally.wraps),
            clips=dict(tally.clips),
        )
        self._file.comment = whole.about()
