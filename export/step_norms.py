"""Batch normalisation with statistics of its own for every step: one where all of them agree, refused where not.

A chip's weights are the same in every step. Frameworks build such a normalisation as a list of plain ones, of which a
step of the network takes its own (snnTorch's ``BatchNormTT1d`` and ``BatchNormTT2d``, SpikingJelly's
``BatchNormThroughTime``).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.sequence import copy_of
from neurodeploy.export.stepping import call_step

#: What makes a normalisation in evaluation mode.
_CONSTANTS = ("running_mean", "running_var", "weight", "bias", "eps")


def refuse_step_norms(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Run two steps of a copy; raise :class:`Unsupported` where each takes another normalisation, and they differ.

    Parameters
    ----------
    inputs : those of one step.
    """
    if not any(_is_list(part) for part in module.modules()):
        return
    module = copy_of(module)  # a network that counts its steps starts anew afterwards
    lists = {name: list(part.children()) for name, part in module.named_modules() if _is_list(part)}
    called: list[set[int]] = []
    with ExitStack() as hooks, torch.no_grad():
        for norm in (each for norms in lists.values() for each in norms):
            hook = norm.register_forward_hook(lambda each, _args, _answer: called[-1].add(id(each)))
            hooks.callback(hook.remove)
        for _ in range(2):
            called.append(set())
            call_step(module, inputs, None)
    first, second = called
    for name, norms in lists.items():
        members = {id(each) for each in norms}
        if first & members != second & members:
            require_equal(norms, name)


def require_equal(norms: Sequence[Any], name: str) -> None:
    """Raise :class:`Unsupported` unless all normalisations compute the same; the message names a constant."""
    for step, norm in enumerate(norms):
        for constant in _CONSTANTS:
            one, other = (getattr(each, constant) for each in (norms[0], norm))
            if (one is None) != (other is None) or (one is not None and not _equal(one, other)):
                raise Unsupported(
                    name,
                    f"normalises every step by statistics of its own: {constant} of step {step} is not that of step 0",
                    "a chip's weights are those of every step: train one BatchNorm for all steps, or copy one over all",
                )


def _equal(one: Any, other: Any) -> bool:
    return torch.equal(one, other) if isinstance(one, Tensor) else one == other


def _is_list(module: nn.Module) -> bool:
    parts = list(module) if isinstance(module, nn.ModuleList) else []
    return len(parts) > 1 and all(isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) for part in parts)
