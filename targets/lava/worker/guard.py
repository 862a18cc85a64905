"""Makes failures of Lava visible and its processes mortal.

Lava forks one process per Process. An exception in one of them leaves the others waiting for its message for ever, and
their parent's death leaves them running. So every process writes its exception to a file, which the supervisor watches,
and every process asks the kernel to die with its parent.
"""

import contextlib
import ctypes
import functools
import os
import signal
import sys
import traceback
from multiprocessing import current_process, shared_memory

PR_SET_PDEATHSIG = 1
EXIT_CODE = 3


class ErrorFile:
    """Takes the first error of a run; what follows it is its consequence."""

    def __init__(self, path):
        self.path = path

    def write(self, text):
        """Write ``text``, whose first line says it all, unless there is an error already."""
        own = self.path.with_suffix(f".{os.getpid()}")
        own.write_text(text)
        with contextlib.suppress(FileExistsError):
            self.path.hardlink_to(own)  # whole, and never over another

    def write_exception(self):
        """Write the exception that is being handled: one line, then its traceback."""
        kind, value, _ = sys.exc_info()
        self.write(f"{kind.__name__}: {' '.join(str(value).split())}\n{traceback.format_exc()}")


def name_shared_memory(prefix):
    """Let all shared memory of this process and its children be called ``prefix...``, so that it can be swept."""
    shared_memory._SHM_NAME_PREFIX = f"/{prefix}"
    shared_memory._SHM_SAFE_NAME_LENGTH = len(prefix) + 1 + 8


def keep_sockets_short(folder):
    """Let multiprocessing put its sockets into ``folder`` by relative names: a socket's path holds 107 bytes."""
    os.chdir(folder)
    current_process()._config["tempdir"] = "."


def die_with_parent():
    """Let the kernel end this process, and every child it forks, when its parent ends; does nothing outside Linux."""
    if not sys.platform.startswith("linux"):
        return
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask(parent):
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it went before we asked
            os._exit(EXIT_CODE)

    ask(os.getppid())
    me = [os.getpid()]

    def after_fork():
        ask(me[0])
        me[0] = os.getpid()

    os.register_at_fork(after_in_child=after_fork)


def report_exceptions(runtime, errors):
    """Replace what Lava runs in each child by the same with its exceptions written down."""
    original = runtime.target_fn

    @functools.wraps(original)
    def guarded(*args, **kwargs):
        try:
            original(*args, **kwargs)
        except BaseException:  # noqa: BLE001  # whatever it is, nobody else would hear of it
            errors.write_exception()
            os._exit(EXIT_CODE)

    runtime.target_fn = guarded


class DeathWatch:
    """While ``armed``, a child that ends abnormally (out of memory, a full disk) is reported as the run's error."""

    def __init__(self, errors):
        self.errors = errors
        self.armed = False
        self.pid = os.getpid()
        signal.signal(signal.SIGCHLD, self._child_ended)

    def _child_ended(self, *_):
        if not self.armed or os.getpid() != self.pid:
            return
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or (ended.si_code == os.CLD_EXITED and ended.si_status == 0):
            return
        how = "with code" if ended.si_code == os.CLD_EXITED else "by signal"
        self.errors.write(f"ChildProcessError: a Lava process was ended {how} {ended.si_status}")
