"""What a chip file may say: its sections and keys, the kind and unit of each, and how a number is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 1

#: How a number is known, from the firmest to the weakest.
CLASSES = ("measured", "published", "simulated", "derived", "extrapolated", "assumed")


@dataclass(frozen=True)
class Key:
    """What a chip file may say under one key: its kind, and for a number its unit and whether it is a whole one."""

    kind: Literal["number", "text", "texts", "flag"]
    unit: str = ""
    required: bool = True
    choices: tuple[str, ...] = ()
    whole: bool = False


def _count(unit: str, *, required: bool = True) -> Key:
    return Key("number", unit, required, whole=True)


def _quantity(unit: str, *, required: bool = True) -> Key:
    return Key("number", unit, required)


POOL_USES = ("axon_in", "neuron", "synapse", "axon_map", "bias")

_EVENTS = (
    "synaptic_operation_dense",
    "synaptic_operation_convolution",
    "neuron_active",
    "neuron_idle",
    "spike",
    "message_out",
    "message_in",
    "hop_x",
    "hop_y",
)

_POOL = {"words": _count("word"), "uses": Key("texts", choices=POOL_USES)}

_ENCODING = {
    "rows": Key("text", choices=("source", "tap-set", "kernel-tap", "kernel-block")),
    "packing": Key("text", choices=("entry", "row")),
    "pads_source": Key("flag"),
    "delay_in_synapse": Key("flag"),
    "header": _count("bit"),
    "index_least": _count("bit"),
    "index_most": _count("bit"),
    "entry_synapses": _count("synapse", required=False),
    "axon_in_per_source": _quantity("word"),
    "axon_in_per_core": _quantity("word"),
    "axon_map_per_neuron": _quantity("word"),
    "axon_map_per_position": _quantity("word", required=False),
    "out_slots_per_axon": _count("slot"),
    "runs": Key("flag", required=False),
}

#: Section -> key -> what it may hold. A ``*`` stands for any name.
SCHEMA: dict[str, dict[str, Key]] = {
    "": {
        "schema": Key("number", whole=True),
        "name": Key("text"),
        "title": Key("text"),
        "uncertainty": Key("text", required=False),
    },
    "chip": {
        "tiles_x": _count("tile"),
        "tiles_y": _count("tile"),
        "cores_per_tile": _count("core"),
        "usable_cores": _count("core"),
        "chips_max": _count("chip"),
        "process": _quantity("nm"),
    },
    "limits": {
        "neurons": _count("neuron"),
        "in_axons": _count("axon", required=False),
        "out_slots": _count("slot", required=False),
        "neuron_groups": _count("group", required=False),
        "targets": _count("population", required=False),
        "words_per_axon": _count("word", required=False),
        "populations": _count("population", required=False),
        "margin": _quantity("1"),
    },
    "pools.*": _POOL,
    "core_kinds.*": {"count": _count("core")},
    "core_kinds.*.*": {"words": _count("word")},
    "encoding": {
        "word": _count("bit"),
        "neuron": _count("word"),
        "tiling": Key("text", choices=("columns", "cheapest", "whole")),
        "maps": Key("text", required=False, choices=("cells", "power-of-two")),
        "weight_bits": Key("texts"),
    },
    "encoding.dense": _ENCODING,
    "encoding.convolution": _ENCODING,
    "formats": {
        "weight_bits": _count("bit"),
        "signed_minimum": _count("1"),
        "signed_maximum": _count("1"),
        "signed_step": _count("1"),
        "unsigned_maximum": _count("1"),
        "weight_exponent_minimum": _count("1"),
        "weight_exponent_maximum": _count("1"),
        "threshold_maximum": _count("1"),
        "decay_one": _count("1"),
        "bias_maximum": _count("1"),
        "bias_exponent_minimum": _count("1"),
        "bias_exponent_maximum": _count("1"),
        "delay_maximum": _count("step"),
        "resets": Key("texts", choices=("zero", "subtract", "burst", "value", "none")),
        "graded_spikes": Key("flag"),
        "leak": Key("flag", required=False),
        "unsigned_step": _count("1", required=False),
        "state_bits": _count("bit", required=False),
    },
    "energy": {name: _quantity("J") for name in _EVENTS} | {"chip_crossing": _quantity("J", required=False)},
    "time": {name: _quantity("s") for name in (*_EVENTS, "step_minimum")},
    "barrier.*": {"time": _quantity("s")},
    "power": {"static": _quantity("W"), "management": _quantity("W")},
    "board": {"power_maximum": _quantity("W")},
}

#: What an estimate stands on. A file has all of these sections or none: without them its chip can be mapped to only.
COSTS = ("energy", "time", "barrier.*", "power")

#: Sections that a file may leave out.
OPTIONAL = (*COSTS, "core_kinds.*", "core_kinds.*.*", "board")

NUMBER_KEYS = ("value", "unit", "source", "class", "low", "high")


def pattern_of(name: str) -> str:
    """Return the key of :data:`SCHEMA` under which a section of this dotted name falls, or the name itself."""
    parts = name.split(".")
    for pattern in SCHEMA:
        wanted = pattern.split(".")
        if len(wanted) == len(parts) and all(w in ("*", p) for w, p in zip(wanted, parts, strict=True)):
            return pattern
    return name
