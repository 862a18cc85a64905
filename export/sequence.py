"""Run a torch module on whole sequences, as its author does, and collect every neuron's answers by sample and step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurodeploy.export.live import Answers
from neurodeploy.export.stepping import call_step

#: (inputs, node name -> module name, nodes whose membrane is the answer) -> Answers.
Run = Callable[[npt.NDArray[Any], Mapping[str, str], frozenset[str]], Answers]

#: (a neuron's module, what its calls answered) -> [samples, steps, *shape].
Arrange = Callable[[nn.Module, list[Tensor]], Tensor]


def record_sequence(module: nn.Module, x: Tensor, neurons: Mapping[str, str], arrange: Arrange) -> Answers:
    """Call ``module(x)`` once and return what its neurons answered.

    Parameters
    ----------
    module : in evaluation mode and in its first state, which the call spends.
    x : the whole sequence in the module's own layout.
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


def _keeper(into: list[Tensor]) -> Callable[..., None]:
    def keep(_module: nn.Module, _args: Any, answer: Any) -> None:
        into.append(answer.detach().clone())

    return keep
