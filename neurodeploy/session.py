"""A simulation that goes on: steps are fed as they come, and state is kept from one run to the next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from neurodeploy.carried import Carried, at_start
from neurodeploy.errors import InputError, UsageError
from neurodeploy.events import EventInput
from neurodeploy.network import Network
from neurodeploy.recording import Recording
from neurodeploy.simulation import Spikes, check_quantities, check_spikes, ports
from neurodeploy.state_width import narrow_populations
from neurodeploy.verify_network import verify_network


class Carrier(Protocol):
    """What a backend keeps between two runs."""

    def run(self, spikes: Mapping[str, Any], record: Collection[str]) -> Recording:
        """Simulate the next steps."""

    def carried(self) -> Carried:
        """Return the state after the steps so far."""


def _emulator(network: Network, start: Carried) -> Carrier:
    from neurodeploy.targets.emulator.carrying import Carrier as Kernels

    return Kernels(network, start)


def _golden(network: Network, start: Carried) -> Carrier:
    from neurodeploy.targets.emulator.golden import Carrier as Golden

    return Golden(network, start)


#: Backend -> what makes its carrier: those whose state can be taken from one run to the next.
CARRIERS: dict[str, Callable[[Network, Carried], Carrier]] = {"emulator": _emulator, "golden": _golden}


class Session:
    """A network whose samples are simulated a few steps at a time, equal bit for bit to one run of all steps.

    ::

        with Session(network) as session:
            for spikes in source:  # [1, any number of steps, *shape]
                recording = session.run(spikes)

    Membranes, currents, refractory counters, spikes on their way through delays and loops, and the phase of scheduled
    resets are carried from run to run. Memory does not grow with the number of steps.

    Parameters
    ----------
    network : an integer Network.
    samples : how many run side by side, each with a state of its own.
    backend : a key of :data:`CARRIERS`.
    record : any of "s", "u", "v", as of :func:`neurodeploy.simulate`.
    start : the state to begin with, as :meth:`carried` of a session of the same network returned it, on any backend;
        of a new sample where not given.

    Raises
    ------
    UsageError : a backend that cannot go on, an unknown quantity, no sample.
    InputError : a network that cannot be.
    """

    def __init__(
        self,
        network: Network,
        samples: int = 1,
        backend: str = "emulator",
        record: Collection[str] = ("s",),
        start: Carried | None = None,
    ) -> None:
        if backend not in CARRIERS:
            raise UsageError(f"backend {backend!r}", "keeps no state between runs", f"one of {', '.join(CARRIERS)}")
        if not isinstance(network, Network):
            raise UsageError("a session", f"runs an integer network, not a {type(network).__name__}", "quantize it")
        if samples < 1:
            raise UsageError("a session", f"of {samples} samples", "give at least one")
        check_quantities(record)
        verify_network(network)
        self.network, self.record = network, tuple(record)
        self._backend, self._samples = backend, samples if start is None else start.samples
        self._open(start)

    def _open(self, start: Carried | None) -> None:
        start = at_start(self.network, self._samples) if start is None else start
        # What is narrower than the kernels' registers cannot be proved for steps that are still to come.
        backend = "golden" if narrow_populations(self.network) else self._backend
        self._carrier: Carrier | None = CARRIERS[backend](self.network, start)
        self._steps = start.steps

    @property
    def steps(self) -> int:
        """How many steps have been simulated since the samples began."""
        return self._steps

    def run(self, spikes: Spikes | EventInput | Mapping[str, Spikes | EventInput]) -> Recording:
        """Simulate the steps that ``spikes`` [samples, steps, *shape] has, and return the recording of those.

        Raises
        ------
        InputError : spikes that :func:`neurodeploy.simulate` would refuse, or of another number of samples.
        UsageError : the session is closed.
        """
        checked = check_spikes(ports(self.network), spikes)
        samples = next(iter(checked.values())).shape[0]
        if samples != self._samples:
            found = f"{samples} samples, the session has {self._samples}"
            raise InputError("input spikes", found, "give the next steps of all of them")
        recording = self._live().run(checked, self.record)
        self._steps += recording.steps
        return recording

    def carried(self) -> Carried:
        """Return the state after the steps so far, from which a session on any backend can start."""
        return self._live().carried()

    def reset(self) -> None:
        """Begin new samples: all state cleared, nothing on its way, step 0."""
        self._open(None)

    def close(self) -> None:
        """Give the memory back."""
        self._carrier = None

    def _live(self) -> Carrier:
        if self._carrier is None:
            raise UsageError("session", "is closed", "open another one, or reset it")
        return self._carrier

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
