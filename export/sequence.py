"""Run a torch module on whole sequences, as its author does, and collect every neuron's answers by sample and step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurodeploy.export.live import Answers
from neurodeploy.export.stepping import Given, call_step

#: (inputs, node name -> module name, nodes whose membrane is the answer) -> Answers.
Run = Callable[[Given, Mapping[str, str], frozenset[str]], Answers]

#: (a neuron's module, what its calls answered) -> [samples, steps, *shape].
Arrange = Callable[[nn.Module, list[Tensor]], Tensor]


def tensors_of(inputs: Given) -> tuple[Tensor, ...]:
    """Return every input of a network as a float32 tensor of its own."""
    arrays = inputs if isinstance(inputs, tuple) else (inputs,)
    return tuple(torch.tensor(array, dtype=torch.float32) for array in arrays)


def record_sequence(module: nn.Module, x: tuple[Tensor, ...], neurons: Mapping[str, str], arrange: Arrange) -> Answers:
    """Call ``module(*x)`` once and return what its neurons answered.

    Parameters
    ----------
    module : in evaluation mode and in its first state, which the call spends.
    x : the whole sequence of every input in the module's own layout.
    neurons : node name -> module name.
    arrange : brings the answers of all calls of a neuron into the layout [samples, steps, *shape].

    Raises
    ------
    InputError : the module's own code fails.
    """
    parts = dict(module.named_modules())
    found: dict[str, list[Tensor]] = {name: [] for name in neurons}
    with ExitStack() as hooks, torch.no_grad():
        for name, part in neurons.items():
            hooks.callback(parts[part].register_forward_hook(_keeper(found[name])).remove)
        call_step(module, x, None)
        answers = {name: arrange(parts[part], found[name]) for name, part in neurons.items()}
    return {name: answer.cpu().numpy().astype(np.float64) for name, answer in answers.items()}


def copy_of(module: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """Return a deep copy, also of a module whose state still belongs to the graph of a training step.

    Parameters
    ----------
    memo : as of :func:`copy.deepcopy`: id of an object -> what stands for it in the copy.
    """
    memo = {} if memo is None else memo
    for part in module.modules():
        for held in (vars(part), part._buffers, vars(part).get("_memories", {})):
            with_history = (each for each in held.values() if isinstance(each, Tensor) and not each.is_leaf)
            memo |= {id(each): each.detach().clone() for each in with_history}
    return deepcopy(module, memo)


def _keeper(into: list[Tensor]) -> Callable[..., None]:
    def keep(_module: nn.Module, _args: Any, answer: Any) -> None:
        whole: Tensor = torch.stack(answer) if isinstance(answer, list) else answer
        into.append(whole.detach().clone())

    return keep
