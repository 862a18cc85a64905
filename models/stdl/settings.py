"""The training methods that a recipe's ``[method]`` table may name, each with its options; no torch here.

Every method but ``bptt`` cuts the gradient: between groups of units (in space), between steps (in time), or both.

============  =============================  ===========================================================
kind          in space                       auxiliary networks
============  =============================  ===========================================================
``bptt``      nothing is cut                 none
``sltt``      nothing is cut                 none (after SLTT: Meng et al., 2023)
``ell``       groups                         a linear classifier (after ELL and DECOLLE: d = 0)
``auglocal``  groups                         a fixed number of later units (after AugLocal: Ma et al., 2024)
``stdl``      groups                         as many later units as fit a budget of memory
============  =============================  ===========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from neurodeploy.errors import UsageError
from neurodeploy.models.tables import bounded, describe, join, nearest, one_of, read_table, write_table

TEMPORAL = ("detach", "trace", "bptt")
_MOST_BYTES = 1 << 50


@dataclass(frozen=True)
class BpttSettings:
    """Back-propagation through all layers and all steps; what a recipe without ``[method]`` means."""


@dataclass(frozen=True)
class SlttSettings:
    """One gradient through all layers, cut between steps.

    Attributes
    ----------
    temporal : ``detach`` knows the spikes of a step alone, ``trace`` their decayed sum (OTTT: Xiao et al., 2022).
    online_update : take an optimizer step after every step of the sequence, and not after the last alone.
    """

    temporal: str = one_of(("detach", "trace"), "detach")
    online_update: bool = field(default=False)


@dataclass(frozen=True)
class EllSettings:
    """Groups that each learn from a classifier of their own: mean over places and one linear layer.

    Attributes
    ----------
    groups : how many groups of units the network is cut into; 0 makes each unit one.
    temporal : as for ``sltt``; ``bptt`` keeps the gradient through time inside each group.
    """

    groups: int = bounded(0, 256, 0)
    temporal: str = one_of(TEMPORAL, "detach")
    online_update: bool = field(default=False)


@dataclass(frozen=True)
class AuglocalSettings:
    """Groups of one unit whose auxiliary networks have a fixed number of the units that follow.

    Attributes
    ----------
    depth : units of the first group's auxiliary network; the last ``depth`` + 1 units are the last group.
    pyramid : by how much of that, less one, the depth has shrunk at the last auxiliary network.
    """

    depth: int = bounded(1, 256, 2)
    pyramid: float = bounded(0.0, 1.0, 0.5)
    temporal: str = one_of(TEMPORAL, "detach")
    online_update: bool = field(default=False)


@dataclass(frozen=True)
class StdlSettings:
    """Groups whose auxiliary networks are as deep as a budget of training memory allows.

    The paper says that it is the largest subset of later layers under a memory constraint; how it is found, how memory
    is counted and what the constraint is are choices of this implementation.

    Attributes
    ----------
    groups : how many groups of units the network is cut into; 0 makes each unit one.
    memory_bytes : the budget of one group with its auxiliary network at one step of a batch; 0 is not given.
    share : the budget as a share of what BPTT takes; 0 is not given. Without either the budget is what the most
        expensive group takes with one auxiliary unit.
    selection : ``uniform`` spreads the units evenly, with the last among them; ``knapsack`` takes the cheapest.
    """

    groups: int = bounded(0, 256, 0)
    memory_bytes: int = bounded(0, _MOST_BYTES, 0)
    share: float = bounded(0.0, 1.0, 0.0)
    selection: str = one_of(("uniform", "knapsack"), "uniform")
    temporal: str = one_of(TEMPORAL, "detach")
    online_update: bool = field(default=False)


LocalSettings = SlttSettings | EllSettings | AuglocalSettings | StdlSettings
MethodSettings = BpttSettings | LocalSettings

METHOD_KINDS: dict[str, type[Any]] = {
    "bptt": BpttSettings,
    "sltt": SlttSettings,
    "ell": EllSettings,
    "auglocal": AuglocalSettings,
    "stdl": StdlSettings,
}


def method_name(settings: MethodSettings) -> str:
    """Return the name under which ``settings`` stand in :data:`METHOD_KINDS`."""
    return next(name for name, kind in METHOD_KINDS.items() if kind is type(settings))


def read_method(raw: object, file: str) -> MethodSettings:
    """Return the options of a recipe's ``[method]`` table, or raise :class:`UsageError` naming the key."""
    if not isinstance(raw, dict):
        raise UsageError(f"{file}: method", f"is {describe(raw)}, not a table", "write it as a [method] table")
    options = dict(raw)
    kind = options.pop("kind", "bptt")
    if not isinstance(kind, str) or kind not in METHOD_KINDS:
        found = f"{kind!r} is no kind of method"
        raise UsageError(f"{file}: {join('method', 'kind')}", found, nearest(str(kind), METHOD_KINDS))
    settings: MethodSettings = read_table(METHOD_KINDS[kind], options, "method", file)
    _check(settings, file)
    return settings


def write_method(settings: MethodSettings) -> str:
    """Return the ``[method]`` table that :func:`read_method` reads back; nothing for BPTT, as in files of old."""
    if isinstance(settings, BpttSettings):
        return ""
    return f'[method]\nkind = "{method_name(settings)}"\n{write_table(settings)}\n'


def _check(settings: MethodSettings, file: str) -> None:
    rules: tuple[tuple[Callable[[Any], bool], str, str, str], ...] = (
        (
            lambda s: bool(getattr(s, "memory_bytes", 0) and getattr(s, "share", 0)),
            "memory_bytes",
            "stands beside share: two budgets",
            "keep one of them",
        ),
        (
            lambda s: getattr(s, "online_update", False) and s.temporal == "bptt",
            "online_update",
            "needs steps that are learned one by one, and temporal is 'bptt'",
            "set method.temporal to 'detach' or 'trace'",
        ),
    )
    for broken, key, problem, advice in rules:
        if broken(settings):
            raise UsageError(f"{file}: {join('method', key)}", problem, advice)
