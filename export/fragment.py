"""What a reader makes of a module: a node, and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neurodeploy.graph import Node, Shape


@dataclass(frozen=True, eq=False)
class Fragment:
    """What a module becomes.

    Attributes
    ----------
    node : its own node; None: it vanishes.
    recurrent : the synapse that feeds a recurrent module back to itself.
    feeding : the synapse between its input and its own node, where one module is both.
    part : the child whose answers its node gives, where it is not the module as a whole.
    """

    node: Node | None
    recurrent: Node | None = None
    feeding: Node | None = None
    part: str = ""


#: (module, its name, shape of one sample of its input, dt in seconds) -> Fragment; raises Unsupported.
Reader = Callable[[Any, str, Shape, float], Fragment]
