"""neurodeploy's own checkpoints, recorded by the model itself: a recipe's chain of layers, or one of our networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.export.live import Answers, LiveModel
from neurodeploy.export.systems import read_system, record_system, with_first
from neurodeploy.export.torch_layers import LAYERS, reader_for, values
from neurodeploy.graph import BatchNorm, Graph, Input, Neuron, Node, Output, Shape, frozen_array
from neurodeploy.models.checkpoint import load_model
from neurodeploy.models.convnet import ConvNet, as_input
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.neuron import Lif
from neurodeploy.models.spikes import Scaling, rate_code
from neurodeploy.semantics import Reset, Semantics
from neurodeploy.shapes import output_shape

#: One step is one millisecond where nobody says otherwise.
DEFAULT_DT = 1e-3

#: Number of levels of the random images that are coded as spikes for the proof.
_LEVELS = 16

#: Answers of a drawn proof at most: large networks are proved on fewer samples.
_MOST_CELLS = 1 << 26

#: Name of the node that makes input of pixels.
_SCALING = "scaling"

#: Reset of a Lif -> the same in the words of Semantics.
_RESETS: Mapping[str, Reset] = {"zero": "zero", "subtract": "subtract", "none": "none"}


def open_checkpoint(path: str | Path, *, dt: float | None = None, steps: int | None = None) -> LiveModel:
    """Return the network in a checkpoint written by ``neurodeploy train``.

    Raises
    ------
    InputError : no such file, or another format.
    Unsupported : its network holds what no Graph can; names it.
    """
    model, recipe = load_model(path)
    kind, time = dataset_kind(recipe.data), dt or DEFAULT_DT
    shape, scaling, length = kind.input_shape, kind.scaling, steps or recipe.data.steps
    _check_scaling(str(path), model, scaling)
    if isinstance(model, ConvNet):
        graph, record = _chain(model, time, scaling)
    else:
        graph = read_system(model, shape, time)
        graph = graph if scaling is None else with_first(graph, _SCALING, _norm(scaling))
        record = partial(record_system, model)

    most = max(1, _MOST_CELLS // (length * _neurons(graph)))

    def draw(samples: int, seed: int) -> npt.NDArray[np.uint8]:
        samples = min(samples, most)
        if scaling is not None:
            return np.random.default_rng(seed).integers(0, 256, (samples, length, *shape), np.uint8)
        levels = np.random.default_rng(seed).integers(0, _LEVELS + 1, (samples, *shape))
        return rate_code(levels, length, _LEVELS)

    return LiveModel(graph, lambda inputs: record(as_input(inputs, scaling)), draw)


def _neurons(graph: Graph) -> int:
    """Return the number of neurons."""
    return sum(math.prod(node.shape) for node in graph.nodes.values() if isinstance(node, Neuron))


def _chain(model: ConvNet, dt: float, scaling: Scaling | None) -> tuple[Graph, Callable[[Tensor], Answers]]:
    """Return the Graph of a chain of layers, and what runs it."""
    graph, names = read_convnet(model, dt, scaling)

    def record(x: Tensor) -> Answers:
        found = model.record(x)
        return {names[key]: values(spikes).swapaxes(0, 1).astype(np.float64) for key, spikes in found.items()}

    return graph, record


def _norm(scaling: Scaling) -> BatchNorm:
    """Return what makes input of pixels."""
    mean, std = (255.0 * np.array(numbers) for numbers in (scaling.mean, scaling.std))
    return BatchNorm(mean, std**2, np.ones_like(mean), np.zeros_like(mean), 0.0)


def _check_scaling(path: str, model: nn.Module, scaling: Scaling | None) -> None:
    """Raise :class:`Unsupported` where the first layer cannot take in what is done to pixels before it."""
    first = next((part for part in model.modules() if isinstance(part, nn.Conv2d | nn.Linear)), None)
    padded = isinstance(first, nn.Conv2d) and any(extent for extent in first.padding if extent)
    if scaling is not None and any(scaling.mean) and padded:
        problem = "its pixels have a mean taken out, which a convolution that pads with zeros cannot do instead"
        raise Unsupported(path, problem, "train with data.pixels = 'unit', or without padding in the first layer")


def read_convnet(model: ConvNet, dt: float, scaling: Scaling | None = None) -> tuple[Graph, dict[str, str]]:
    """Return the Graph of a network, and for every neuron layer its key in ``ConvNet.record`` -> its node name.

    The graph takes what datasets hold, so that ``scaling`` is its first node.
    """
    nodes: dict[str, Node] = {"input": Input(model.input_shape)}
    if scaling is not None:
        nodes[_SCALING] = _norm(scaling)
    shape, names = model.input_shape, {}
    for key, layer in model.layers.named_children():
        reader = reader_for(layer, _READERS)
        if reader is None:
            raise Unsupported(f"layers.{key}", f"is a {type(layer).__name__}, for which there is no reader")
        node = reader(layer, f"layers.{key}", shape, dt).node
        if node is None:
            continue
        name = _name(node, nodes)
        nodes[name] = node
        shape = output_shape(name, node, shape)
        if isinstance(node, Neuron):
            names[key] = name
    nodes["output"] = Output(shape)
    order = list(nodes)
    return Graph(nodes, tuple(pairwise(order)), dt), names


def _name(node: Node, taken: Mapping[str, Node]) -> str:
    """Return a name from the kind of node and its number among its kind: convolution1, neuron2."""
    kind = type(node).__name__.lower()
    return f"{kind}{1 + sum(type(other) is type(node) and name != _SCALING for name, other in taken.items())}"


def _lif(module: Lif, _name: str, shape: Shape, dt: float) -> Fragment:
    """Read ``v = beta v + x``: tau = dt / (1 - beta), and r = tau / dt makes the gain of the input 1."""
    beta = float(module.beta.detach().double())
    leaky = beta < 1
    tau = frozen_array(dt / (1 - beta)) if leaky else None
    neuron = Neuron(
        shape=shape,
        semantics=Semantics(reset=_RESETS[module.reset]),
        r=frozen_array(1 / (1 - beta) if leaky else 1.0),
        tau_mem=tau,
        v_leak=frozen_array(0.0) if leaky else None,
        threshold=frozen_array(float(module.threshold.detach().double())),
        v_reset=frozen_array(0.0),
    )
    return Fragment(neuron)


_READERS: Mapping[type, Reader] = {**LAYERS, Lif: _lif}
