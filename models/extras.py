"""Says which optional installation is missing, before an import fails with a bare module name."""

from __future__ import annotations

import importlib.util

from neurodeploy.errors import BackendMissing


def require(*modules: str, extra: str) -> None:
    """Raise :class:`BackendMissing` when one of ``modules`` is not installed, naming the extra that brings it."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise BackendMissing(module, "is not installed here", f'run: pip install "neurodeploy[{extra}]"')
