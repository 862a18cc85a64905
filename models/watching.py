"""Seeing what each layer of any network puts out, by its name in the state dict, while the network runs as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn
from torch.nn.utils import parametrize

from neurodeploy.models.spiking.normalized import NormalizedNeuron

#: A layer's name, the layer, and what it returned.
Seen = Callable[[str, nn.Module, Tensor], None]


@contextmanager
def watching(model: nn.Module, seen: Seen) -> Iterator[None]:
    """Call ``seen`` in the block whenever a layer of ``model`` has returned a tensor.

    A layer is a module that holds no other one, or parameters of its own, or that computes as a whole.
    """
    with ExitStack() as hooks:
        for name, layer in layers(model):

            def tell(module: nn.Module, _inputs: object, output: object, name: str = name) -> None:
                if isinstance(output, Tensor):
                    seen(name, module, output)

            hooks.callback(layer.register_forward_hook(tell).remove)
        yield


def layers(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the names and modules of the layers of ``model``, in the order in which it holds them."""
    children = () if _is_whole(model) else tuple(model.named_children())
    if not children or next(model.parameters(recurse=False), None) is not None:
        yield prefix, model
    for name, child in children:
        yield from layers(child, f"{prefix}.{name}" if prefix else name)


def own_parameters(layer: nn.Module) -> int:
    """Return the trained numbers of a layer that are no other layer's."""
    return sum(parameter.numel() for parameter in layer.parameters(recurse=_is_whole(layer)))


def _is_whole(module: nn.Module) -> bool:
    return isinstance(module, NormalizedNeuron) or parametrize.is_parametrized(module)
