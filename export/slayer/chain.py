"""One run of a network of slayer blocks: which block takes whose answer, and how much later.

A block answers ``[batch, ..., steps]``, a step late (``delay_shift``) and by the learned delay of each channel later
still. Blocks that hold no neurons, ``Input`` and ``Flatten``, only change how the answer of another one arrives.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.export.netx.schema import Numbers
from neurodeploy.export.stepping import first_output
from neurodeploy.network import Shape

#: Name of the port.
PORT = "input"

_BLOCKS = "lava.lib.dl.slayer.block."
_CUBA = _BLOCKS + "cuba"

#: Blocks of CUBA neurons that become a population.
POPULATIONS = ("Dense", "Conv", "Pool", "Affine", "Recurrent")
#: Those whose neurons lie in a row, though slayer gives them a height and a width of 1 behind pictures.
_FULL = ("Dense", "Affine")


@dataclass(frozen=True, eq=False)
class Arrival:
    """How spikes reach a block.

    Attributes
    ----------
    source : the port or population they come from.
    shape : of one step, as they arrive: (n,) or (channels, height, width).
    lag : steps between the source's own spike and its arrival, before ``delays``.
    delays : further steps by cell of the source, in the shape in which they arrive.
    """

    source: str
    shape: Shape
    lag: int
    delays: Numbers


@dataclass(frozen=True, eq=False)
class Step:
    """A block of neurons, and what it takes."""

    name: str
    block: nn.Module
    arrival: Arrival
    shape: Shape  # of its neurons


@dataclass(frozen=True, eq=False)
class Chain:
    """The blocks of neurons in the order in which they run, the one that answers, and what is left to the host."""

    steps: tuple[Step, ...]
    output: str
    notes: tuple[str, ...]


def kind_of(module: nn.Module) -> str | None:
    """Return the name of the CUBA block that a module is or derives from, ``rf.Dense`` of another, None of no block."""
    for base in type(module).__mro__:
        if base.__module__ == _CUBA:
            return base.__name__
        if base.__module__.startswith(_BLOCKS) and base.__module__ != _BLOCKS + "base":
            return f"{base.__module__.removeprefix(_BLOCKS)}.{base.__name__}"
    return None


def run(module: nn.Module, inputs: Tensor) -> Any:
    """Run whole sequences, [samples, ..., steps].

    Raises
    ------
    InputError : the module's own code fails; the message repeats it.
    """
    try:
        with torch.no_grad():
            return module(inputs)
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError, AssertionError) as error:
        said = str(error).splitlines()[0] if str(error) else repr(error)
        advice = "check --input-shape; forward takes [batch, ..., steps]"
        raise InputError(type(module).__name__, f"fails on inputs of {list(inputs.shape)}: {said}", advice) from error


def follow(module: nn.Module, shape: Shape) -> Chain:
    """Return the blocks of a network by running it once on silence.

    Raises
    ------
    Unsupported : a block that is no CUBA block or has no counterpart, or an operation between blocks.
    """
    calls: list[tuple[str, nn.Module, Any, Any]] = []
    blocks = {name: part for name, part in module.named_modules() if kind_of(part) is not None}
    if not blocks:
        raise Unsupported(type(module).__name__, "holds no block of slayer", "known: " + ", ".join(_known()))
    with ExitStack() as hooks:
        for name, block in blocks.items():
            hook = _caller(calls, name or type(block).__name__.lower())
            hooks.callback(block.register_forward_hook(hook, with_kwargs=True).remove)
        sample = torch.zeros(1, *shape, 2)
        answer = first_output(run(module, sample))
    return _connected(calls, sample, answer)


def _caller(calls: list[tuple[str, nn.Module, Any, Any]], name: str) -> Any:
    def called(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> None:
        given = args[0] if args else next(iter(kwargs.values()), None)
        calls.append((name, block, given, first_output(answer)))

    return called


def _connected(calls: list[tuple[str, nn.Module, Any, Any]], sample: Tensor, answer: Any) -> Chain:
    known: dict[int, Arrival] = {id(sample): Arrival(PORT, _shape(sample), 0, np.zeros(_shape(sample), np.int64))}
    steps: dict[str, Step] = {}
    notes: list[str] = []
    for name, block, given, answered in calls:
        kind = kind_of(block)
        if id(given) not in known:
            problem = "takes a tensor that is neither the input nor the answer of a block"
            raise Unsupported(name, problem, "let blocks take each other's answers as they are, and cuba.Flatten")
        if name in steps:
            raise Unsupported(name, "runs twice on one input", "build a block for each use")
        arrival = known[id(given)]
        if kind == "Average" and answered is answer:
            notes.append(f"{name}: the closing average is left to the host")
            answer = given
            continue
        if kind not in _PASSES and kind not in POPULATIONS:
            raise _without_reader(name, kind or type(block).__name__)
        shape = _shape(answered)
        if kind in POPULATIONS:
            flat = kind in _FULL and all(extent == 1 for extent in shape[1:])
            steps[name] = Step(name, block, arrival, shape[:1] if flat else shape)
            arrival = Arrival(name, shape, 0, np.zeros(shape, np.int64))
        else:
            _PASSES[kind](name, block)
        known[id(answered)] = _delayed(arrival, block, shape)
    if id(answer) not in known or known[id(answer)].source not in steps:
        raise Unsupported("the module", "returns a tensor that is not the answer of a block of neurons", "return it")
    last = known[id(answer)]
    if last.delays.any():
        notes.append(f"{last.source}: the delays of its answer, up to {last.delays.max()} steps, are left to the host")
    return Chain(tuple(steps.values()), last.source, tuple(notes))


#: Block that is not read -> why, and what can take its place.
_CHOICES = {
    "ConvT": ("spreads every spike over a map (a transposed convolution)", "use cuba.Conv, or cuba.Dense"),
    "Unpool": ("spreads every spike over a window", "use cuba.Conv with padding, or cuba.Dense"),
    "KWTA": ("lets only k of its neurons fire, which none of them can know", "use cuba.Recurrent"),
    "TimeDecimation": ("passes on one step of several", "train with as many steps as the chip is to run"),
    "Average": (
        "averages the spikes of neurons that other blocks hear",
        "average after the last block, or use cuba.Dense",
    ),
}


def _without_reader(name: str, kind: str) -> Unsupported:
    family, _, block = kind.rpartition(".")
    known = f"known: {', '.join(_known())}"
    if family:
        neuron = "has neurons other than CUBA's"
        return Unsupported(name, f"is a {kind}, which {neuron}", f"build it of cuba.{block}; {known}")
    why, instead = _CHOICES.get(block, ("is no block of a Network", known))
    return Unsupported(name, f"is a {kind}, which {why}", instead if instead == known else f"{instead}; {known}")


def _delayed(arrival: Arrival, block: nn.Module, shape: Shape) -> Arrival:
    """Return how the answer of a block arrives at the next one."""
    lag = arrival.lag + int(getattr(block, "delay_shift", False) is True)
    delays = arrival.delays.reshape(shape)
    learned = getattr(block, "delay", None)
    if learned is not None:
        by_channel = np.floor(learned.delay.detach().cpu().numpy()).astype(np.int64)
        delays = delays + by_channel.reshape(-1, *(1,) * (len(shape) - 1))
    return replace(arrival, shape=shape, lag=lag, delays=delays)


def _input(name: str, block: Any) -> None:
    if block.neuron is not None:
        raise Unsupported(
            name,
            "drives its neurons with values instead of spikes",
            "give spikes to cuba.Dense, as a delta or Poisson code; or export it with lava-dl and read its .net",
        )


def _flatten(_name: str, _block: Any) -> None:
    return


#: Block without neurons of its own -> what checks it.
_PASSES = {"Input": _input, "Flatten": _flatten}


def _known() -> list[str]:
    return [f"cuba.{name}" for name in (*_PASSES, *POPULATIONS)]


def _shape(tensor: Tensor) -> Shape:
    return tuple(tensor.shape[1:-1])
