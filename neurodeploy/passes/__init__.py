"""Rewrites of the float network, ``Graph -> Graph``, that keep every spike; :mod:`.lower` runs them in order."""

from __future__ import annotations

from neurodeploy.passes.absorb_leak import absorb_leak
from neurodeploy.passes.approximate_reset import approximate_reset
from neurodeploy.passes.delays_to_edges import delays_to_edges
from neurodeploy.passes.drop_identity import drop_identity
from neurodeploy.passes.even_padding import even_padding
from neurodeploy.passes.fold_batchnorm import fold_batchnorm
from neurodeploy.passes.fold_scale import fold_scale
from neurodeploy.passes.fuse_linear import fuse_linear
from neurodeploy.passes.lower import lower
from neurodeploy.passes.max_pool_to_or import max_pool_to_or
from neurodeploy.passes.membrane_bias import membrane_bias
from neurodeploy.passes.normalise_dt import normalise_dt
from neurodeploy.passes.pool_to_convolution import pool_to_convolution
from neurodeploy.passes.remove_dead import remove_dead
from neurodeploy.passes.split_signs import split_signs
from neurodeploy.passes.to_nir import to_nir
from neurodeploy.passes.two_axes import two_axes

__all__ = [
    "absorb_leak",
    "approximate_reset",
    "delays_to_edges",
    "drop_identity",
    "even_padding",
    "fold_batchnorm",
    "fold_scale",
    "fuse_linear",
    "lower",
    "max_pool_to_or",
    "membrane_bias",
    "normalise_dt",
    "pool_to_convolution",
    "remove_dead",
    "split_signs",
    "to_nir",
    "two_axes",
]
