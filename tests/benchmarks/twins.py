"""Our networks on SpikingJelly's layers: every neuron replaced by theirs of the same dynamics, all else as it was.

What is stateless runs over all steps at once in either, as in their ``SeqToANNContainer``; weights are copies, so both
compute the same from the same input. SpikingJelly 2 chooses among its CUDA, Triton and torch implementations by itself;
older releases are told one by name.
"""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np
from torch import Tensor, nn

from neurodeploy.errors import NeurodeployError
from neurodeploy.models.spiking.dynamics import Dynamics
from neurodeploy.models.spiking.layer import MultiSpike, SpikingNeuron
from neurodeploy.models.spiking.normalized import NormalizedNeuron
from tests.benchmarks import environments

#: What a release before 2 can be told to compute with, the usually fastest first.
BACKENDS = ("cupy", "triton", "torch")


def find_spikingjelly(say: Callable[[str], None], *, install: bool = True) -> str:
    """Return the version of SpikingJelly, or nothing where there is none; ``say`` hears why.

    Where it is not installed beside us its environment of :mod:`environments` is made unless ``install`` forbids, and
    seen behind our own packages.
    """
    if find_spec("spikingjelly") is None:
        place = environments.location(environments.SPIKINGJELLY)
        try:
            if install:
                environments.prepare(environments.SPIKINGJELLY, say)
        except NeurodeployError as error:
            say(f"spikingjelly: left out, {error}")
        for packages in place.glob("lib/python*/site-packages"):
            if str(packages) not in sys.path:
                sys.path.append(str(packages))
        importlib.invalidate_caches()
    try:
        importlib.import_module("spikingjelly.activation_based.neuron")
        return version("spikingjelly")
    except (ImportError, PackageNotFoundError) as error:
        say(f"spikingjelly: left out, {error}")
        return ""


def _parts(name: str) -> Any:
    return importlib.import_module(f"spikingjelly.activation_based.{name}")


def _surrogate(dynamics: Dynamics) -> Any:
    """Return their surrogate whose slope is ours; raise :class:`ValueError` where there is none."""
    theirs, width = _parts("surrogate"), dynamics.width
    if dynamics.surrogate == "exponential" and width != 2.0:
        raise ValueError(f"their exponential slope of width {width} has another height")
    return {
        "atan": lambda: theirs.ATan(width),
        "sigmoid": lambda: theirs.Sigmoid(width),
        "rectangle": lambda: theirs.Rect(1 / (2 * width)),
        "exponential": lambda: theirs.PiecewiseExp(width),
    }[dynamics.surrogate]()


def node_of(dynamics: Dynamics, backend: str = "") -> nn.Module:
    """Return their multi-step neuron of these dynamics; it takes [T, B, ...] and has to be reset before a sequence.

    Raises :class:`ValueError` for dynamics that they do not have.
    """
    neurons = _parts("neuron")
    # They fire at the threshold; above it alone is at the next larger float32.
    threshold = float(np.nextafter(np.float32(dynamics.threshold), np.float32(np.inf)))
    settings: dict[str, Any] = {
        "v_threshold": threshold if dynamics.strict else dynamics.threshold,
        "v_reset": None if dynamics.reset == "subtract" else 0.0,
        "surrogate_function": _surrogate(dynamics),
        "detach_reset": dynamics.detach_reset,
        "step_mode": "m",
    }
    factor = dynamics.factor
    if dynamics.charge == "memoryless" and not 0 < factor <= 1:
        raise ValueError(f"their neurons have no gain of {factor}")
    remembered = {"decay": factor, "mean": 1 - 1 / factor if factor else 0.0, "memoryless": 1 - factor}[dynamics.charge]
    if remembered in (0.0, 1.0):
        if dynamics.charge == "decay" and not remembered:
            raise ValueError("a decay of 0 is none of theirs")
        node = neurons.IFNode(**settings)
    else:
        tau = factor if dynamics.charge == "mean" else 1 / (1 - remembered)
        node = neurons.LIFNode(tau=tau, decay_input=dynamics.charge != "decay", **settings)
    if backend:
        node.backend = backend
    return OneStep(node) if dynamics.charge == "memoryless" else node  # type: ignore[no-any-return]


class OneStep(nn.Module):
    """Neurons that hear every step of every sample as the first one: what their fused kernels can forget by."""

    def __init__(self, node: nn.Module, norm: float = 1.0) -> None:
        super().__init__()
        self.node, self.norm = node, norm

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes of ``x`` [T, B, ...], of its shape."""
        spikes: Tensor = self.node(x.flatten(0, 1).unsqueeze(0)).view(x.shape)
        return spikes if self.norm == 1.0 else spikes / self.norm


def _integer_node(neuron: MultiSpike) -> nn.Module:
    neurons = _parts("neuron")
    if not hasattr(neurons, "ILIFNode"):
        raise ValueError("this release has no neurons that send integers")
    counts = _parts("surrogate").MultiLevelSpikeCount(neuron.most)
    return OneStep(neurons.ILIFNode(surrogate_function=counts, step_mode="m"), neuron.norm)


def _twin_of(module: nn.Module, backend: str) -> nn.Module | None:
    """Return their layer in the place of one of ours; None for what is torch's in either."""
    if isinstance(module, SpikingNeuron):
        return node_of(module.dynamics, backend)
    if isinstance(module, MultiSpike):
        return _integer_node(module)
    if isinstance(module, NormalizedNeuron):
        return nn.Sequential(_parts("layer").SeqToANNContainer(module.norm), node_of(module.dynamics, backend))
    return None


def on_spikingjelly(model: nn.Module, backend: str = "") -> nn.Module:
    """Return a copy of ``model`` with their layers under the names of ours.

    Raises :class:`ValueError` for neurons that they do not have.
    """
    twin = copy.deepcopy(model)
    for parent in list(twin.modules()):
        for name, child in list(parent.named_children()):
            if (other := _twin_of(child, backend)) is not None:
                setattr(parent, name, other)
    return twin


def forget(model: nn.Module) -> None:
    """Bring their neurons to where a sequence begins."""
    _parts("functional").reset_net(model)


def backends(release: str) -> tuple[str, ...]:
    """Return the backends to try of this release: that of its own choice from 2 on."""
    major = release.partition(".")[0]
    return BACKENDS if major.isdecimal() and int(major) < 2 else ("",)
