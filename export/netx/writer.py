"""Writes a Network as a netx file that lava-dl 0.6.0 loads and runs exactly as our emulator does, or refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from neurodeploy.export.netx.encode import Notes
from neurodeploy.export.netx.layers import Fields, layers
from neurodeploy.export.netx.stages import Stage, stages
from neurodeploy.files import refuse_existing, replacing
from neurodeploy.network import Network
from neurodeploy.verify_network import verify_network


def write_net(network: Network, path: str | Path, *, force: bool = False, round_bias: bool = False) -> tuple[str, ...]:
    """Write ``network`` to ``path`` and return notes on what the file says differently.

    The file is in chip time: all populations run from the chip's first step, whatever their latency.

    Parameters
    ----------
    round_bias : round biases to whole weight units (64 units of state), which is all that a .net holds.

    Raises
    ------
    UsageError : the file exists and not ``force``.
    Unsupported : the network is no chain of layers, or holds what netx has not or would spoil; names the population.
    """
    refuse_existing(path, force=force)
    verify_network(network)
    found = stages(network)
    notes = Notes(round_bias)
    transform = network.provenance.get("netx", {}).get("transform", {}) if found[0].driven else {}
    written = layers(found, network.ports[0].shape, transform, notes)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for index, fields in enumerate(written):
            _write_layer(file.create_group(f"layer/{index}"), fields)
    return (*notes.lines, *_timing(network, found))


def _write_layer(group: h5py.Group, fields: Fields) -> None:
    group.create_dataset("type", (1,), "S10", [fields["type"].encode()])
    for name, value in fields.items():
        if name == "neuron":
            for key, parameter in value.items():
                group[f"neuron/{key}"] = _stored(parameter)
        elif name != "type":
            group[name] = _stored(value)


def _stored(value: Any) -> Any:
    return np.bytes_(value) if isinstance(value, str) else value


def _timing(network: Network, found: list[Stage]) -> tuple[str, ...]:
    """Return what a user of the file must pass to the loader for the same results."""
    lines = []
    late = any(population.latency for population in network.populations) and not found[0].driven
    if late and any(population.neuron.bias.any() for population in network.populations):
        lines.append(
            "biases act from the chip's first step on, before the input arrives; with reset_interval = steps of a "
            "sample and reset_offset = 1 every layer starts with its sample"
        )
    if network.reset_interval:
        lines.append(
            f"a .net holds no reset schedule; pass reset_interval={network.reset_interval} and "
            f"reset_offset={network.reset_offset}"
        )
    return tuple(lines)
