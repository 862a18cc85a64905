"""Rewrites of the float network, ``Graph -> Graph``, that keep every spike; :mod:`.lower` runs them in order."""

from __future__ import annotations

from neurodeploy.passes.drop_identity import drop_identity
from neurodeploy.passes.fold_batchnorm import fold_batchnorm
from neurodeploy.passes.fold_scale import fold_scale
from neurodeploy.passes.fuse_linear import fuse_linear
from neurodeploy.passes.lower import lower
from neurodeploy.passes.membrane_bias import membrane_bias
from neurodeploy.passes.pool_to_convolution import pool_to_convolution

__all__ = [
    "drop_identity",
    "fold_batchnorm",
    "fold_scale",
    "fuse_linear",
    "lower",
    "membrane_bias",
    "pool_to_convolution",
]
