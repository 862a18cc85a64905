"""Leaves the tests of frameworks that are not installed to the environment that has them; see ``environment.py``."""

from importlib.util import find_spec

NEEDED = ("spikingjelly", "sinabs")

collect_ignore = (
    []
    if all(find_spec(name) for name in NEEDED)
    else ["test_cases.py", "test_gpu_systems.py", "test_sinabs.py", "test_spikingjelly.py"]
)
