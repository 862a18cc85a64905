"""Everything neurodeploy raises at a user, and the exit code each answer has on the command line.

::

    NeurodeployError
    ├── NegativeAnswer        1  the question was understood and the honest answer is no
    │   ├── DoesNotFit           a network exceeds a limit of the chip
    │   └── NotEqual             two simulations, or a model and its export, differ
    ├── UsageError            2  wrong use: unknown target, contradictory options, output exists
    ├── InputError            3  an input is unreadable, malformed or holds something unsupported
    │   └── Unsupported          readable, but beyond what the next step can express
    └── BackendError          4  a backend is missing or ended abnormally
        └── BackendMissing       it is not installed, or cannot start here

A message has three parts: the object (file, layer, option), what was found against what is allowed, and what to do
next.
"""

from __future__ import annotations


class NeurodeployError(Exception):
    """An error with an object, a problem and a way on.

    Parameters
    ----------
    subject : the file, layer, option or value at fault, by the name the user knows it under.
    problem : what was found, and the limit it breaks; no full stop at the end.
    advice : what to do next; empty only where nothing can be done.
    """

    exit_code = 3

    def __init__(self, subject: str, problem: str, advice: str = "") -> None:
        self.subject, self.problem, self.advice = subject, problem, advice
        super().__init__(f"{subject}: {problem}" + (f"; {advice}" if advice else ""))


class NegativeAnswer(NeurodeployError):
    """The answer is no (exit code 1)."""

    exit_code = 1


class DoesNotFit(NegativeAnswer):
    """A network exceeds a limit of the chip."""


class NotEqual(NegativeAnswer):
    """Two results that must agree do not."""


class UsageError(NeurodeployError):
    """The call itself is wrong (exit code 2)."""

    exit_code = 2


class InputError(NeurodeployError):
    """An input cannot be read or makes no sense (exit code 3)."""

    exit_code = 3


class Unsupported(InputError):
    """An input is readable but holds what the next step cannot express."""


class BackendError(NeurodeployError):
    """A backend ended abnormally (exit code 4)."""

    exit_code = 4


class BackendMissing(BackendError):
    """A backend is not installed or cannot start."""
