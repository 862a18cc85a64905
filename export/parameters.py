"""Parameters of neurons as arrays that broadcast to the shape of a population."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from neurodeploy.errors import Unsupported
from neurodeploy.export.torch_layers import values
from neurodeploy.graph import Shape, frozen_array

Vector = npt.NDArray[np.float64]


def per_neuron(parameter: Any, name: str, what: str, shape: Shape) -> Vector:
    """Return a parameter, a number or a tensor, in float64 with axes that broadcast to ``shape``.

    Raises
    ------
    Unsupported : its shape is neither that of one number nor one that broadcasts; names the layer and ``what``.
    """
    array = np.asarray(values(torch.as_tensor(parameter)), np.float64)
    while array.ndim > len(shape) and array.shape[0] == 1:
        array = array[0]
    try:
        np.broadcast_to(array, shape)
    except ValueError as error:
        raise Unsupported(
            name, f"{what} has the shape {array.shape} for neurons {shape}", "give one value, or one per neuron"
        ) from error
    return frozen_array(array)
