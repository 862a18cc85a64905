"""What a refusal says besides its reason: the user's line, and what to use instead."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

import torch

#: Folders whose lines are neither the user's nor a framework's.
_OURS = (str(Path(torch.__file__).parent), str(Path(__file__).parent), str(Path(__file__).resolve().parent))

_NORMS = "use BatchNorm, whose statistics are constants: it is folded into the weights"
_UNITS = "use spiking neurons; a network without them is converted from ONNX: neurodeploy convert net.onnx -o net.nir"
_UPWARD = "use a convolution with stride 1, or make the map larger by ZeroPad2d"

#: Operation -> what can take its place.
_CHOICES: Mapping[str, str] = {
    **dict.fromkeys(("layer_norm", "group_norm", "instance_norm", "local_response_norm", "batch_norm"), _NORMS),
    **dict.fromkeys(("relu", "relu_", "leaky_relu", "gelu", "silu", "sigmoid", "tanh", "softmax", "elu"), _UNITS),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "interpolate", "pixel_shuffle"), _UPWARD),
    **dict.fromkeys(("permute", "transpose", "swapaxes", "t"), "put the axes in order before the network, or flatten"),
    **dict.fromkeys(("unsqueeze", "unflatten", "expand"), "give the input that shape by --input-shape"),
    **dict.fromkeys(("lp_pool1d", "lp_pool2d"), "use AvgPool, which is the same but for a factor"),
    **dict.fromkeys(("conv3d", "max_pool3d", "avg_pool3d"), "use layers over one or two axes"),
    **dict.fromkeys(("gt", "ge", "lt", "le", "heaviside"), "let a neuron of the framework fire"),
    "stack": "add or concatenate along the channels (torch.cat)",
    "einsum": "use Linear, or x @ matrix",
}


def choices(operation: str, known: str) -> str:
    """Return what to use instead of an operation; ``known`` lists the layers."""
    return _CHOICES.get(operation.strip("_"), f"use layers ({known}), +, flatten or view")


def calling_line(start: str) -> str:
    """Return file and line of the innermost frame outside torch and this package; nothing where there is none.

    ``start`` is the name of the function that runs the user's module; frames before it do not count.
    """
    stack = traceback.extract_stack()
    first = max((place for place, frame in enumerate(stack) if frame.name == start), default=0)
    frames = [frame for frame in stack[first:] if not frame.filename.startswith(_OURS)]
    if not frames:
        return ""
    frame = frames[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}: {frame.line}" if frame.line else f"line {frame.lineno}"
