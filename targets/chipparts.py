"""The parts of a chip: its number formats, memory pools, kinds of cores, and encodings of synapses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Formats:
    """The integers a chip computes with.

    Attributes
    ----------
    weight_bits : bits of the widest weight, sign included.
    signed_minimum, signed_maximum, signed_step : weights of both signs on one axon lie on this grid.
    unsigned_maximum, unsigned_step : the largest magnitude where all weights have one sign, and the step between them;
        0 where the chip has no format for weights of one sign.
    weight_exponent_minimum, weight_exponent_maximum : a power of two common to a projection.
    threshold_maximum : the largest threshold mantissa; one unit of it is 64 units of ``v``.
    decay_one : the decay that forgets everything in one step.
    bias_maximum, bias_exponent_minimum, bias_exponent_maximum : a bias is ``mantissa * 2^exponent``, either sign.
    delay_maximum : steps a projection may wait beyond its own one.
    resets : what may happen to ``v`` after a spike, in the words of :mod:`neurodeploy.semantics`; ``burst`` is a
        subtraction as often as the threshold fits, each time with a spike.
    graded_spikes : whether a spike may carry an integer payload.
    leak : whether ``u`` and ``v`` may decay; without, a neuron adds up its inputs and forgets nothing.
    state_bits : width of ``u`` and ``v``, sign included.
    """

    weight_bits: int
    signed_minimum: int
    signed_maximum: int
    signed_step: int
    unsigned_maximum: int
    weight_exponent_minimum: int
    weight_exponent_maximum: int
    threshold_maximum: int
    decay_one: int
    bias_maximum: int
    bias_exponent_minimum: int
    bias_exponent_maximum: int
    delay_maximum: int
    resets: tuple[str, ...]
    graded_spikes: bool
    leak: bool = True
    unsigned_step: int = 1
    state_bits: int = 24


@dataclass(frozen=True)
class Pool:
    """Words of a core's memory that the listed uses share."""

    name: str
    words: int
    uses: tuple[str, ...]


@dataclass(frozen=True)
class CoreKind:
    """``count`` cores alike, which follow those of the kinds before; ``words`` of each pool they have."""

    name: str
    count: int
    words: Mapping[str, int]


@dataclass(frozen=True)
class Encoding:
    """How the synapses of one kind of connection are stored; :mod:`neurodeploy.memory` has the formulas.

    Attributes
    ----------
    rows : what has a row of weights of its own: each ``source`` neuron; each distinct ``tap-set``, the kernel taps by
        which a source position reaches a core, shared by all positions alike; each ``kernel-tap``; or each source
        channel, a ``kernel-block`` of taps times channels rounded up to powers of two.
    packing : a row is cut into entries that each fill whole words (``entry``), or fills whole words once (``row``).
    pads_source : a row is kept for every cell of the source's tiles, of those beyond the border too.
    delay_in_synapse : whether each synapse spends bits on a projection's delay.
    header : bits per entry or row beside the synapses.
    index_least, index_most : bits of the target index of a synapse; both 0 where the place in the row says it.
    entry_synapses : synapses per entry, 0 without entries.
    axon_in_per_source, axon_in_per_core : words of input axons.
    axon_map_per_neuron, axon_map_per_position : words of output routes of the source's core, per neuron and per place
        of its map.
    out_slots_per_axon : output slots a neuron spends on each core it reaches.
    runs : whether an entry may name the first of neighbouring targets once, where that is shorter.
    """

    rows: str
    packing: str
    pads_source: bool
    delay_in_synapse: bool
    header: int
    index_least: int
    index_most: int
    axon_in_per_source: float
    axon_in_per_core: float
    axon_map_per_neuron: float
    out_slots_per_axon: int
    entry_synapses: int = 0
    axon_map_per_position: float = 0.0
    runs: bool = False
