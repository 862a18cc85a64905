"""Runs a Network as an ONNX Scan in onnxruntime and returns what every backend does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import BackendError
from neurodeploy.network import Network
from neurodeploy.onnxgraph import Options, require_onnx, require_onnxruntime, scan_model
from neurodeploy.onnxgraph.signals import narrowest
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator.run import threads

Spikes = npt.NDArray[np.integer[Any]]

#: What a graph counts in every step, beside what it records.
_COUNTS = ("wraps", "clips")
#: Bytes of recordings that one call of the engine may return.
_PORTION = 1 << 28


def run(network: Network, spikes: Mapping[str, Spikes], record: Collection[str] = ("s",)) -> Recording:
    """Simulate ``network`` in onnxruntime on the CPU.

    Parameters
    ----------
    spikes : port -> integer [samples, steps, *shape].
    record : any of "u" and "v" for what to keep beside the spikes.

    Raises
    ------
    BackendMissing : onnx or onnxruntime is not installed.
    BackendError : onnxruntime refuses the graph or fails in it; with its own words.
    """
    onnx, engine = require_onnx(), require_onnxruntime()
    payload = narrowest(*spikes.values())
    states = [letter for letter in ("u", "v") if letter in record or (letter == "v" and network.readouts)]
    session = _session(engine, scan_model(network, Options(payload), (*states, *_COUNTS)))
    samples, steps = next(iter(spikes.values())).shape[:2]
    kept = _storage(network, states, samples, steps)
    for part in _portions(kept, samples):
        feed = {f"spikes/{name}": values[part].astype(payload) for name, values in spikes.items()}
        for name, values in zip(kept, _answers(session, list(kept), feed), strict=True):
            kept[name][part] = values

    def only(letter: str, names: Collection[str]) -> dict[str, npt.NDArray[Any]]:
        return {name: kept[f"{letter}/{name}"] for name in names if f"{letter}/{name}" in kept}

    def totals(letter: str) -> dict[str, int]:
        return {name: int(counts.sum(dtype=np.int64)) for name, counts in only(letter, everyone).items()}

    everyone = [population.name for population in network.populations]
    return Recording(
        samples=samples,
        steps=steps,
        spikes=only("s", everyone),
        outputs=network.outputs,
        backend="onnx",
        versions={"onnxruntime": engine.__version__, "onnx": onnx.__version__},
        u=only("u", everyone),
        v=only("v", everyone if "v" in record else network.readouts),
        inputs=dict(spikes),
        wraps=totals("wraps"),
        clips=totals("clips"),
        readouts=network.readouts,
    )


def _session(engine: Any, model: Any) -> Any:
    """Return a session that executes ``model`` on as many threads as there are processors."""
    options = engine.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 3
    try:
        return engine.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BackendError("onnxruntime", f"refuses the network ({_first_line(error)})", "update it") from error


def _answers(session: Any, names: list[str], feed: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    try:
        answers: list[npt.NDArray[Any]] = session.run(names, feed)
    except Exception as error:
        raise BackendError("onnxruntime", f"failed ({_first_line(error)})", "give fewer samples") from error
    return answers


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _storage(network: Network, states: list[str], samples: int, steps: int) -> dict[str, npt.NDArray[Any]]:
    """Return what the answers are collected in, by the name of each output."""
    kept: dict[str, npt.NDArray[Any]] = {}
    for letter in ("s", *states, *_COUNTS):
        for population in network.populations:
            dtype = np.uint8 if letter == "s" and not population.neuron.graded else np.int32
            shape = () if letter in _COUNTS else population.shape
            kept[f"{letter}/{population.name}"] = np.zeros((samples, steps, *shape), dtype=dtype)
    return kept


def _portions(kept: Mapping[str, npt.NDArray[Any]], samples: int) -> list[slice]:
    """Cut the samples so that what one call returns stays within bounds."""
    each = max(1, sum(values.nbytes for values in kept.values()) // samples)
    portion = max(1, _PORTION // each)
    return [slice(start, start + portion) for start in range(0, samples, portion)]
