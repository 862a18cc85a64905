"""Run a torch module step by step, whatever way it keeps its state, and record its neurons."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurodeploy.errors import InputError, Unsupported

#: The input of a network [samples, steps, *shape], or those of a network with several.
Given = npt.NDArray[Any] | tuple[npt.NDArray[Any], ...]

#: What frameworks call the membrane that a module stores.
_MEMBRANES = ("mem", "v", "v_mem")


def call_step(module: nn.Module, x: Tensor | tuple[Tensor, ...], states: tuple[Any, ...] | None) -> Any:
    """Call ``module(x)``, or ``module(x, *states)`` where forward takes states; None stands for the first ones.

    A network of several inputs takes them one after the other, before its states.

    Raises
    ------
    InputError : the module's own code fails; the message repeats it.
    """
    inputs = x if isinstance(x, tuple) else (x,)
    given = (None,) * state_count(module, len(inputs)) if states is None else states
    try:
        return module(*inputs, *given)
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        shapes = " and ".join(str(tuple(each.shape)) for each in inputs)
        raise InputError(
            type(module).__name__,
            f"fails on an input of shape {shapes}: {str(error).splitlines()[0] if str(error) else error!r}",
            "check --input-shape; forward takes the input of one step, [batch, *shape]",
        ) from error


def state_count(module: nn.Module, inputs: int = 1) -> int:
    """Return how many states forward takes after its inputs."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return max(0, len(named) - inputs)


def first_output(answer: Any) -> Any:
    """Return the first tensor of what forward returned: the answer of the network."""
    while isinstance(answer, list | tuple | dict) and answer:
        answer = next(iter(answer.values())) if isinstance(answer, dict) else answer[0]
    return answer


def answers_of(answer: Any, states: int) -> dict[str, Any]:
    """Return what forward answers besides the states for its next step, by name.

    Of a dictionary these are its values, of several answers those before the states, under the names ``output``,
    ``output_2`` and so on; of what is nested deeper, the first tensor.
    """
    if isinstance(answer, dict):
        return {str(name): first_output(value) for name, value in answer.items()}
    if not isinstance(answer, list | tuple):
        return {"output": answer}
    leading = answer[: max(1, len(answer) - states)]
    return {f"output_{place}" if place > 1 else "output": first_output(v) for place, v in enumerate(leading, start=1)}


def membrane_of(module: nn.Module) -> list[Tensor]:
    """Return the membrane that a neuron module stores, if it does."""
    stored = (getattr(module, name, None) for name in _MEMBRANES)
    return [membrane for membrane in stored if isinstance(membrane, Tensor)][:1]


def clear_states(module: nn.Module) -> None:
    """Forget the state that neuron modules store."""
    for part in module.modules():
        for state in ("mem", "syn", "spk", "syn_exc", "syn_inh"):
            if isinstance(getattr(part, state, None), Tensor):
                setattr(part, state, torch.zeros(0))


def require_kept_state(module: nn.Module, sample: Tensor | tuple[Tensor, ...], neurons: Iterable[str]) -> None:
    """Raise :class:`Unsupported` where forward clears the membranes of its neurons in every step.

    ``neurons`` are the names of modules that store their membrane as ``mem``. A forward that takes its states is free
    to make the first ones, and is not asked.
    """
    if state_count(module, len(sample) if isinstance(sample, tuple) else 1):
        return
    parts = dict(module.named_modules())
    with ExitStack() as hooks, torch.no_grad():
        call_step(module, sample, None)  # gives every membrane its shape
        for name in neurons:
            if membranes := membrane_of(parts[name]):
                hook = _checks_state(name, membranes[0])
                hooks.callback(parts[name].register_forward_pre_hook(hook, with_kwargs=True).remove)
        call_step(module, sample, None)
    clear_states(module)


def _checks_state(name: str, kept: Tensor) -> Any:
    def check(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = [state for state in (*args[1:], *kwargs.values()) if isinstance(state, Tensor)]
        cleared = not any(membrane is kept for membrane in membrane_of(module))
        if cleared or (given and not any(state is kept for state in given)):
            raise Unsupported(
                name or type(module).__name__,
                "forward clears its state in every step, so it has no memory",
                "clear it outside: forward does one step, with init_hidden=True or with states taken and returned",
            )

    return check


def record(
    module: nn.Module, inputs: Given, neurons: Mapping[str, str], readouts: Iterable[str] = ()
) -> dict[str, npt.NDArray[np.float64]]:
    """Run all steps of all samples and return every neuron's answer.

    Parameters
    ----------
    module : in evaluation mode.
    inputs : [samples, steps, *shape]; a tuple of them where the network has several inputs.
    neurons : node name -> module name.
    readouts : node names whose membrane is the answer.

    Returns
    -------
    node name -> float64 [samples, steps, *shape].
    """
    parts, membranes = dict(module.named_modules()), set(readouts)
    found: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in neurons}
    clear_states(module)
    with ExitStack() as hooks, torch.no_grad():
        for name, part in neurons.items():
            keep = _keeper(found[name], membrane=name in membranes)
            hooks.callback(parts[part].register_forward_hook(keep).remove)
        states: tuple[Any, ...] | None = None
        arrays = inputs if isinstance(inputs, tuple) else (inputs,)
        for step in range(arrays[0].shape[1]):
            x = tuple(torch.tensor(array[:, step], dtype=torch.float32) for array in arrays)
            answer = call_step(module, x, states)
            states = _states(module, answer, len(x))
    clear_states(module)
    return {name: np.stack(steps, axis=1).astype(np.float64) for name, steps in found.items()}


def _keeper(into: list[npt.NDArray[Any]], *, membrane: bool) -> Any:
    def keep(module: nn.Module, _args: Any, answer: Any) -> None:
        outputs = answer if isinstance(answer, tuple) else (answer,)
        kept = (membrane_of(module) or outputs[-1:])[0] if membrane else outputs[0]
        into.append(kept.detach().cpu().numpy().copy())

    return keep


def _states(module: nn.Module, answer: Any, inputs: int) -> tuple[Any, ...] | None:
    """Return the states for the next step: what forward returns after the answers of the network."""
    wanted = state_count(module, inputs)
    if not wanted:
        return None
    returned = tuple(answer[1:])[-wanted:] if isinstance(answer, tuple | list) else ()
    if len(returned) != wanted:
        raise Unsupported(
            type(module).__name__,
            f"forward takes {wanted} states and returns {len(returned)}",
            "return them after the answer in the order forward takes them",
        )
    return returned
