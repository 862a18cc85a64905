"""The backbone of a trained classifier as the beginning of another network's."""

from __future__ import annotations

from torch import nn

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.checkpoint import load_checkpoint
from neurodeploy.models.metasdt.network import Backbone

_PREFIX = "backbone."


def load_backbone(model: nn.Module, file: str) -> None:
    """Give the backbone of ``model`` the weights and statistics of that in the checkpoint ``file``.

    Raises :class:`UsageError` where ``model`` has none, and :class:`InputError` where the file's is another or none.
    """
    own = next((module for module in model.modules() if isinstance(module, Backbone)), None)
    if own is None:
        found = f"names a file, and {type(model).__name__} has no backbone that could begin with it"
        raise UsageError("training.pretrained", found, "leave it out")
    tensors = load_checkpoint(file).model
    values = {name.removeprefix(_PREFIX): value for name, value in tensors.items() if name.startswith(_PREFIX)}
    expected = own.state_dict()
    for name in {**expected, **values}:
        if name not in values or name not in expected or values[name].shape != expected[name].shape:
            advice = "give a checkpoint of a classifier of the same [model] options"
            raise InputError(file, f"holds another backbone: its {_PREFIX + name!r} does not fit", advice)
    own.load_state_dict(values)
