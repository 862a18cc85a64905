"""Says which optional installation is missing, before an import fails with a bare module name."""

from __future__ import annotations

import importlib.util

from neurodeploy.errors import BackendMissing

#: What no extra can bring -> how to install it. sinabs 3.1 asks for nir 1.0.4 at most, and runs with later ones.
_BY_HAND = {"sinabs": "pip install pbr matplotlib && pip install --no-deps sinabs"}


def require(*modules: str, extra: str) -> None:
    """Raise :class:`BackendMissing` when one of ``modules`` is not installed, naming the extra that brings it."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            command = _BY_HAND.get(extra, f'pip install "neurodeploy[{extra}]"')
            raise BackendMissing(module, "is not installed here", f"run: {command}")
