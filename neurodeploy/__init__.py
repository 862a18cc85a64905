"""neurodeploy: from a trained PyTorch spiking network to a neuromorphic chip, in integers, with a bill.

The names below are loaded when first used, so that ``import neurodeploy`` stays fast and pulls in nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurodeploy.comparison import compare
    from neurodeploy.energy import estimate
    from neurodeploy.events import EventInput
    from neurodeploy.export.torchcode import to_torch
    from neurodeploy.graph import Graph
    from neurodeploy.loading import load
    from neurodeploy.mapping import map_network
    from neurodeploy.network import Network
    from neurodeploy.pipeline import deploy
    from neurodeploy.quantization import quantize
    from neurodeploy.recording import Recording
    from neurodeploy.session import Session
    from neurodeploy.simulation import simulate
    from neurodeploy.streaming import stream
    from neurodeploy.targets.chip import load_chip

__all__ = [
    "EventInput",
    "Graph",
    "Network",
    "Recording",
    "Session",
    "compare",
    "deploy",
    "estimate",
    "load",
    "load_chip",
    "map_network",
    "quantize",
    "simulate",
    "stream",
    "to_torch",
]

#: Public name -> module that defines it.
_HOMES = {
    "EventInput": "neurodeploy.events",
    "Graph": "neurodeploy.graph",
    "Network": "neurodeploy.network",
    "Recording": "neurodeploy.recording",
    "Session": "neurodeploy.session",
    "compare": "neurodeploy.comparison",
    "deploy": "neurodeploy.pipeline",
    "estimate": "neurodeploy.energy",
    "load": "neurodeploy.loading",
    "load_chip": "neurodeploy.targets.chip",
    "map_network": "neurodeploy.mapping",
    "quantize": "neurodeploy.quantization",
    "simulate": "neurodeploy.simulation",
    "stream": "neurodeploy.streaming",
    "to_torch": "neurodeploy.export.torchcode",
}

try:
    __version__ = version("neurodeploy")
except PackageNotFoundError:  # a bare checkout
    __version__ = "0+checkout"


def __getattr__(name: str) -> Any:
    """Load a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'neurodeploy' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
