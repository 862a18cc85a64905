"""Run slayer's own code from a cleared state and keep what its neurons answer."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from neurodeploy.export.slayer.chain import PORT, Chain, Step, kind_of, run
from neurodeploy.export.stepping import first_output
from neurodeploy.fixedpoint import STATE_SHIFT
from neurodeploy.recording import Recording


def record(module: nn.Module, chain: Chain, inputs: npt.NDArray[Any]) -> Recording:
    """Return the spikes of every block's neurons, and the voltage of an Affine block in units of state.

    Parameters
    ----------
    inputs : [samples, steps, *shape].
    """
    found: dict[str, list[npt.NDArray[Any]]] = {step.name: [] for step in chain.steps}
    _clear(module)
    with ExitStack() as hooks:
        for step in chain.steps:
            hooks.callback(_part(step).register_forward_hook(_keeper(found[step.name])).remove)
        run(module, torch.tensor(np.moveaxis(inputs, 1, -1), dtype=torch.float32))
    _clear(module)
    answers = {step.name: _whole(step, found[step.name]) for step in chain.steps}
    readouts = tuple(step.name for step in chain.steps if kind_of(step.block) == "Affine")
    return Recording(
        samples=inputs.shape[0],
        steps=inputs.shape[1],
        spikes={name: np.zeros_like(values) if name in readouts else values for name, values in answers.items()},
        outputs=(chain.output,),
        backend="slayer",
        versions={"torch": torch.__version__},
        v={name: answers[name] for name in readouts},
        inputs={PORT: inputs},
        readouts=tuple(name for name in readouts if name == chain.output),
    )


def _part(step: Step) -> nn.Module:
    """Return the module whose answers are those of the neurons, before any delay."""
    block: Any = step.block
    neuron: nn.Module = block.neuron
    return step.block if kind_of(step.block) == "Affine" else neuron


def _keeper(into: list[npt.NDArray[Any]]) -> Any:
    def keep(_module: nn.Module, _args: Any, answer: Any) -> None:
        into.append(first_output(answer).detach().cpu().numpy())

    return keep


def _whole(step: Step, answers: list[npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """Return [samples, steps, *shape]; a recurrent block runs its neurons once a step."""
    block: Any = step.block
    units = block.neuron.w_scale << STATE_SHIFT if kind_of(block) == "Affine" else 1
    together = np.concatenate(answers, axis=-1).astype(np.float64) * units
    cells = np.moveaxis(np.rint(together).astype(np.int64), -1, 1)
    return cells.reshape(*cells.shape[:2], *step.shape)


def _clear(module: nn.Module) -> None:
    """Forget what blocks keep from one input to the next, recurrent ones and all that share their settings."""
    for part in module.modules():
        for state in ("current_state", "voltage_state"):
            if isinstance(getattr(part, state, None), torch.Tensor):
                setattr(part, state, torch.zeros(1))
        if hasattr(part, "delay_buffer"):
            setattr(part, "delay_buffer", None)  # noqa: B010  # an attribute that only some blocks have
