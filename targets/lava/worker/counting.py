"""Counts of updates that left their registers, as the models make them: each goes between a model and its tape.

A model's own dynamics are called and left as they are; the same sums are then formed in 64 bits from the state before
and the input that the model was given, and what they would have been without a limit is held against it. ``wraps`` and
``clips`` are the neurons of the last step whose register wrapped, and whose state saturated. Before ``count`` is called
nothing of this is done.
"""

import numpy as np


class Heard:
    """An input port that keeps what was last received through it."""

    def __init__(self, port):
        self.port = port
        self.last = None

    def recv(self):
        """Wait for data, keep it and return it."""
        self.last = self.port.recv()
        return self.last


class Counted:
    """What all counts have in common."""

    #: Input ports whose data a count needs as it was received.
    HEARD = ()
    counting = False
    wraps = clips = 0

    def count(self):
        """Begin to count, before the first step."""
        self.counting = True
        for name in self.HEARD:
            setattr(self, name, Heard(getattr(self, name)))


class CountedLif(Counted):
    """Leaky integrate-and-fire: u wraps, v saturates; while frozen v stays as it was and does neither."""

    def subthr_dynamics(self, activation_in):
        """Let u and v go on as the model does, and count."""
        if not self.counting:
            return super().subthr_dynamics(activation_in)
        u, v, most = self.u.astype(np.int64), self.v.astype(np.int64), self.max_uv_val
        awake = getattr(self, "frozen", np.zeros(1)) == 0
        super().subthr_dynamics(activation_in)
        arrived = activation_in.astype(np.int64) << self.act_shift
        self.wraps = self.clips = 0
        if np.abs(u).max() + np.abs(arrived).max() >= most:
            raw = self._kept(u, self.du + self.ds_offset) + arrived
            self.wraps = np.count_nonzero((raw > most) | (raw <= -most))
        # What saturates ends at one end of the range, though not all that ends there has saturated.
        if (np.abs(self.v) == most - 1).any():
            raw = self._kept(v, self.dv + self.dm_offset) + self.u + self.effective_bias
            self.clips = np.count_nonzero((np.abs(raw) >= most) & awake)
        return None

    def _kept(self, state, decay):
        product = state * (self.decay_unity - decay)
        return np.sign(product) * (np.abs(product) >> self.decay_shift)


class CountedRegisters(Counted):
    """Sigma-delta stages: 32-bit registers that wrap, of which one or several may in a step."""

    HEARD = ("a_in",)
    over = None

    def run_spk(self):
        """Let the model do the step, then count the neurons of which a register wrapped."""
        self.over = False
        super().run_spk()
        self.wraps = np.count_nonzero(self.over)

    def _held(self, exact):
        """Return 64-bit values as 32-bit registers hold them, and remember where they did not fit."""
        held = exact.astype(np.int32).astype(np.int64)
        self.over = self.over | (held != exact)
        return held

    def sigma_dynamics(self, a_in_data):
        """Decode as the model does."""
        if self.counting:
            self._held(a_in_data + self.sigma.astype(np.int64))
        return super().sigma_dynamics(a_in_data)

    def activation_dynamics(self, sigma_data):
        """Activate as the model does."""
        if self.counting:
            self._held(sigma_data + self.bias.astype(np.int64))
        return super().activation_dynamics(sigma_data)

    def delta_dynamics(self, act_data):
        """Encode as the model does."""
        if not self.counting:
            return super().delta_dynamics(act_data)
        before, residue, error = (x.astype(np.int64) for x in (self.act, self.residue, self.error))
        if not hasattr(self, "bias"):  # an encoder by itself: what arrives is its activation, scaled
            self._held(self.a_in.last.astype(np.int64) << (self.spike_exp + self.state_exp))
        sent = super().delta_dynamics(act_data)
        delta = self._held(self._held(act_data - before) + residue)
        self._held(np.abs(self._held(error + delta) if self.cum_error else delta))
        self._held(delta - sent)
        self._held(np.abs(sent.astype(np.int64)))
        return sent


class CountedResonator(Counted):
    """Resonate-and-fire: either part saturates."""

    def resonator_dynamics(self, *given):
        """Turn as the model does, and count where either part goes too far."""
        parts = super().resonator_dynamics(*given)
        if not self.counting:
            return parts
        low, high = self.neg_voltage_limit, self.pos_voltage_limit
        real, imaginary = ((part < low) | (part > high) for part in parts)
        self.clips = np.count_nonzero(real | imaginary)
        return parts
