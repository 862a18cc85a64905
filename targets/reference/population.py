"""The nodes with memory: populations of neurons and delay lines, one step at a time, for all samples at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from neurodeploy.discrete import StepConstants
from neurodeploy.graph import Shape

Floats = npt.NDArray[np.float64]


class Population:
    """The state of one population of neurons, [samples, *shape] in float64, and its step.

    After a step ``u`` and ``v`` hold the stored state, ``v_fired`` the membrane that was compared with the threshold,
    and ``count`` the spikes (0 where the population does not spike).
    """

    def __init__(self, constants: StepConstants, samples: int, shape: Shape) -> None:
        self.constants = constants
        self.u = np.zeros((samples, *shape))
        self.v = np.broadcast_to(constants.v_start, self.u.shape).copy()
        self.v_fired = self.v
        self.count = np.zeros_like(self.u)

    def step(self, x: Floats) -> Floats:
        """Take the summed input of one step and return the answer: scaled spikes, or the membrane."""
        current = self._current(x)
        if self.constants.threshold is None:
            self.v = self.v_fired = self._integrate(self.v, current)
            return self.v
        semantics = self.constants.semantics
        STEPS[semantics.reset_when](self, current)
        if self.constants.v_floor is not None:
            self.v = np.maximum(self.v, self.constants.v_floor)
        return self.count * semantics.spike_scale

    def _current(self, x: Floats) -> Floats:
        beta, gain = self.constants.beta, self.constants.current_gain
        if beta is None or gain is None:
            return x
        order = self.constants.semantics.order
        if order == "update-then-use":
            self.u = used = beta * self.u + gain * x
        elif order == "jump-use-decay":
            used = self.u + gain * x
            self.u = beta * used
        else:
            self.u = used = beta * (self.u + gain * x)
        return used

    def _integrate(self, v: Floats, current: Floats) -> Floats:
        return self.constants.alpha * v + self.constants.leak + self.constants.gain * current

    def _fire(self, v: Floats) -> Floats:
        return FIRE[self.constants.semantics.fire](v, self._threshold())

    def _threshold(self) -> Floats:
        assert self.constants.threshold is not None
        return self.constants.threshold

    def _reset(self, v: Floats, count: Floats) -> Floats:
        return RESET[self.constants.semantics.reset](v, count, self._threshold(), self.constants.v_reset)

    def _reset_now(self, current: Floats) -> None:
        """Fire, and reset what fired in the same step."""
        self.v_fired = self._integrate(self.v, current)
        self.count = self._fire(self.v_fired)
        self.v = self._reset(self.v_fired, self.count)

    def _reset_next(self, current: Floats) -> None:
        """Reset first what the stored membrane says fired, then integrate.

        A subtraction comes after the integration, undecayed, as in snnTorch; a reset to a value comes before it.
        """
        pending = self._fire(self.v)
        if self.constants.semantics.reset == "subtract":
            v = self._reset(self._integrate(self.v, current), pending)
        else:
            v = self._integrate(self._reset(self.v, pending), current)
        self._store(v)

    def _reset_next_all(self, current: Floats) -> None:
        """Integrate, then reset what the stored membrane said fired: the input of this step is lost to it."""
        pending = self._fire(self.v)
        self._store(self._reset(self._integrate(self.v, current), pending))

    def _reset_once(self, current: Floats) -> None:
        """Reset in the step of the spike, except a neuron that this step's start has reset already.

        With a subtraction, snnTorch takes the early reset back where the neuron then stays silent.
        """
        pending = self._fire(self.v)
        self._reset_next(current)
        if self.constants.semantics.reset == "subtract":
            self.v = self.v - (self.count - pending) * self._threshold()
        else:
            self.v = self._reset(self.v, self.count * (pending == 0))

    def _store(self, v: Floats) -> None:
        self.v = self.v_fired = v
        self.count = self._fire(v)


class DelayLine:
    """The last values of a signal [samples, *shape]; every element leaves after its own number of steps."""

    def __init__(self, steps: npt.NDArray[np.int64], samples: int, shape: Shape) -> None:
        self.steps = np.broadcast_to(steps, (samples, *shape))
        self.values = np.zeros((int(steps.max(initial=0)) + 1, samples, *shape))
        self.now = 0

    def step(self, x: Floats) -> Floats:
        """Store ``x`` and return what entered the given number of steps ago (zero before the start)."""
        length = len(self.values)
        self.values[self.now] = x
        index = (self.now - self.steps) % length
        self.now = (self.now + 1) % length
        return np.asarray(np.take_along_axis(self.values, index[None], axis=0)[0])


#: When the reset happens -> one step from the current to the new state.
STEPS: dict[str, Callable[[Population, Floats], None]] = {
    "same-step": Population._reset_now,
    "next-step": Population._reset_next,
    "next-step-all": Population._reset_next_all,
    "once": Population._reset_once,
}

#: Fire rule -> number of spikes from membrane and threshold.
FIRE: dict[str, Callable[[Floats, Floats], Floats]] = {
    ">": lambda v, threshold: (v > threshold).astype(np.float64),
    ">=": lambda v, threshold: (v >= threshold).astype(np.float64),
    "floor-multi": lambda v, threshold: np.floor(np.maximum(v, 0.0) / threshold),
}

#: Reset -> membrane from membrane, number of spikes, threshold and reset value.
RESET: dict[str, Callable[[Floats, Floats, Floats, Floats], Floats]] = {
    "value": lambda v, count, _threshold, value: np.where(count > 0, value, v),
    "zero": lambda v, count, _threshold, _value: np.where(count > 0, 0.0, v),
    "subtract": lambda v, count, threshold, _value: v - count * threshold,
    "none": lambda v, _count, _threshold, _value: v,
}
