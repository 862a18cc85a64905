"""How much memory and disk there is, how much was used, and the refusal of what needs more."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from neurodeploy.errors import InputError

_CGROUP = Path("/sys/fs/cgroup")
#: Files of a limit and of what is used, of both versions of control groups.
_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


#: So much is taken to be there: asking the system would outlast a short run.
ALWAYS = 1 << 26


def free_memory() -> int:
    """Return how many bytes this process may still take: what the system has, or what its control group leaves."""
    return min([_system(), *_left_in_groups()])


def _system() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _left_in_groups() -> list[int]:
    left = []
    for limit, used in _LIMITS:
        try:
            most = (_CGROUP / limit).read_text().strip()
            if most.isdigit():  # "max" where there is no limit
                left.append(max(0, int(most) - int((_CGROUP / used).read_text())))
        except OSError:
            continue
    return left


def peak_memory() -> int:
    """Return the most bytes of memory this process has held at once (its peak resident set)."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_disk(path: str | Path) -> int:
    """Return how many bytes may be written beside ``path``."""
    folder = Path(path).absolute().parent
    return shutil.disk_usage(folder).free if folder.is_dir() else 0


def require_memory(subject: str, needed: int, advice: str) -> None:
    """Raise :class:`InputError` where ``subject`` needs more memory than is free."""
    if needed > ALWAYS and needed > (free := free_memory()):
        raise InputError(subject, f"needs {spelled(needed)} of memory, {spelled(free)} are free", advice)


def require_disk(path: str | Path, needed: int) -> None:
    """Raise :class:`InputError` where a file needs more room than its disk has."""
    if needed > (free := free_disk(path)):
        problem = f"takes {spelled(needed)}, its disk has {spelled(free)} left"
        raise InputError(str(path), problem, "choose another disk with -o, record fewer states, or fewer samples")


def spelled(size: int) -> str:
    """Return a number of bytes as people read it, such as ``1.5 GiB``."""
    value, units = float(size), ["KiB", "MiB", "GiB", "TiB"]
    if size < 1 << 10:
        return f"{size} bytes"
    unit = ""
    while value >= 1 << 10 and units:
        value, unit = value / (1 << 10), units.pop(0)
    return f"{value:,.1f} {unit}"
