"""Write a chip, a placement and a recording as SANA-FE's two files: architecture and mapped network.

Each of our neurons becomes two of SANA-FE's on the same core: one that receives and never fires, and one that replays
the recorded spikes, since its input neurons cannot receive. Both cost nothing: what is compared is synapses, messages
and their ways. Samples follow each other as one long run. Ports have no core, and stay out with their synapses.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neurodeploy.errors import Unsupported, UsageError
from neurodeploy.network import Convolution, Network, Projection, Sparse
from neurodeploy.placement import Placement
from neurodeploy.recording import Recording
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Counts, spatial_axes

#: Synapses beyond which SANA-FE takes minutes to read its file, which names each.
SYNAPSES_MAX = 300_000

_NOTHING = "energy_access_neuron: 0.0, latency_access_neuron: 0.0, energy_update_neuron: 0.0"
_NOTHING += ", latency_update_neuron: 0.0, energy_spike_out: 0.0, latency_spike_out: 0.0"


@dataclass(frozen=True)
class Files:
    """The text of both files, and the steps they run for."""

    architecture: str
    network: str
    steps: int


def write_files(network: Network, placement: Placement, recording: Recording) -> Files:
    """Return a recording on a placement as SANA-FE's files.

    Raises
    ------
    Unsupported : several chips, more synapses than its files can hold, or both encodings of synapses at one population.
    UsageError : the chip has no energies.
    """
    chip = placement.chip
    if not chip.has_costs:
        raise UsageError(chip.name, "has no energies and times, for none are known", "choose a chip that has")
    if placement.chips_used > 1:
        problem = f"models one chip, the network takes {placement.chips_used}"
        raise Unsupported("SANA-FE", problem, "compare a smaller network")
    inner = [projection for projection in network.projections if projection.source in placement.tilings]
    pairs = {projection.name: synapse_pairs(network, projection) for projection in inner}
    count = sum(len(ends) for ends in pairs.values())
    if count > SYNAPSES_MAX:
        problem = f"would have to read {count:,} synapses one by one, at most {SYNAPSES_MAX:,} are sensible"
        raise Unsupported("SANA-FE", problem, "compare a smaller network")
    names = {population.name: f"p{index}" for index, population in enumerate(network.populations)}
    lines = ["network:", "  name: neurodeploy", "  groups:", *_groups(network, names, recording), "  edges:"]
    for projection in inner:
        source, target = names[projection.source], names[projection.target]
        lines += [f"    - {source}r.{i} -> {target}.{j}: [weight: 1]" for i, j in pairs[projection.name].tolist()]
    lines += ["mappings:", *_mappings(network, placement, names)]
    steps = recording.samples * recording.steps
    return Files(architecture(chip, placement), "\n".join(lines) + "\n", steps)


def architecture(chip: Chip, placement: Placement) -> str:
    """Return the chip's mesh with the nominal energies and times of its file."""
    energy, time = chip.energy, chip.time
    hops = {"north": "hop_y", "south": "hop_y", "east": "hop_x", "west": "hop_x"}
    held = Counter[tuple[int, int]]()
    for core in placement.cores:
        held[core.chip, core.core] += math.prod(stop - start for start, stop in core.box)
    replays = max(held.values(), default=1)
    barrier = ", ".join(f"{tiles}: {number.value!r}" for tiles, number in chip.barrier.items())
    lines = [
        "architecture:",
        f"  name: {chip.name}",
        "  attributes:",
        "    topology: mesh",
        f"    width: {chip.mesh[0]}",
        f"    height: {chip.mesh[1]}",
        "    link_buffer_size: 16",
        "    sync_model: table",
        f"    latency_sync: {{{barrier}}}",
        "  tile:",
        f"    - name: tile[0..{chip.mesh[0] * chip.mesh[1] - 1}]",
        "      attributes:",
    ]
    for side, event in hops.items():
        lines.append(f"        energy_{side}_hop: {energy[event].value!r}")
        lines.append(f"        latency_{side}_hop: {time[event].value!r}")
    lines += [
        "      core:",
        f"        - name: core[0..{chip.cores_per_tile - 1}]",
        f"          attributes: {{buffer_position: soma, max_neurons_supported: {2 * replays}}}",
        "          axon_in:",
        f"            - {{name: in, attributes: {{{_cost(chip, 'message_in', 'message_in')}}}}}",
        "          synapse:",
        *(
            f"            - {{name: {kind}, attributes: {{model: current_based, "
            f"{_cost(chip, f'synaptic_operation_{kind}', 'process_spike')}}}}}"
            for kind in ("dense", "convolution")
        ),
        "          dendrite:",
        "            - {name: sum, attributes: {model: accumulator, energy_update: 0.0, latency_update: 0.0}}",
        "          soma:",
        f"            - {{name: 'replay[0..{replays - 1}]', attributes: {{model: input, {_NOTHING}}}}}",
        f"            - {{name: sink, attributes: {{model: leaky_integrate_fire, {_NOTHING}}}}}",
        "          axon_out:",
        f"            - {{name: out, attributes: {{{_cost(chip, 'message_out', 'message_out')}}}}}",
    ]
    return "\n".join(lines) + "\n"


def _cost(chip: Chip, event: str, name: str) -> str:
    return f"energy_{name}: {chip.energy[event].value!r}, latency_{name}: {chip.time[event].value!r}"


def _groups(network: Network, names: dict[str, str], recording: Recording) -> Iterator[str]:
    """Yield for each population a group that receives, and one that replays what was recorded."""
    for population in network.populations:
        kinds = {_kind(p) for p in network.into(population.name) if p.source in names} or {"dense"}
        if len(kinds) > 1:
            problem = "gives a population one kind of synapse, this one has dense ones and convolutions"
            raise Unsupported(f"population {population.name!r} in SANA-FE", problem, "compare another network")
        yield f"    - name: {names[population.name]}"
        yield f"      attributes: [synapse_hw_name: {kinds.pop()}]"
        yield "      neurons:"
        yield f"        - 0..{population.size - 1}: [soma: {{threshold: 1.0e+30}}]"
        yield f"    - name: {names[population.name]}r"
        yield "      attributes: []"
        yield "      neurons:"
        fired = recording.spikes[population.name].reshape(-1, population.size).T != 0
        for index, spikes in enumerate(fired):
            yield f"        - {index}: [spikes: [{', '.join('1' if spike else '0' for spike in spikes)}]]"


def _mappings(network: Network, placement: Placement, names: dict[str, str]) -> Iterator[str]:
    """Yield each neuron's core; SANA-FE numbers tiles column by column."""
    height, taken = placement.chip.mesh[1], Counter[str]()
    for population in network.populations:
        where = placement.cores_of(population.name)
        for core, (_, x, y) in zip(placement.cores[where], placement.positions[where].tolist(), strict=True):
            place = f"{x * height + y}.{core.core % placement.chip.cores_per_tile}"
            inside = placement.tilings[population.name].cells(core.box).tolist()
            for slot, cell in enumerate(inside, taken[place]):
                yield f"  - {names[population.name]}.{cell}: [core: {place}, soma: sink]"
                yield f"  - {names[population.name]}r.{cell}: [core: {place}, soma: 'replay[{slot}]']"
            taken[place] += len(inside)


def _kind(projection: Projection) -> str:
    return "convolution" if isinstance(projection.connection, Convolution) else "dense"


def synapse_pairs(network: Network, projection: Projection) -> Counts:
    """Return every synapse of a projection as (source neuron, target neuron), int64 [synapses, 2]."""
    source, target = (network.by_name[name].shape for name in (projection.source, projection.target))
    connection = projection.connection
    if isinstance(connection, Sparse):
        return np.stack([connection.indices, connection.rows], axis=1).astype(np.int64)
    if not isinstance(connection, Convolution):
        ends = np.indices((math.prod(source), math.prod(target)), dtype=np.int64)
        return ends.reshape(2, -1).T
    rows, columns = (axis.cells() for axis in spatial_axes(connection, source, target))
    outputs, inputs, tall, wide = connection.weight.shape
    out, into, y, x, i, j = np.indices((outputs, inputs, *target[1:], tall, wide), dtype=np.int64).reshape(6, -1)
    row, column = rows[y, i], columns[x, j]
    channel = out // (outputs // connection.groups) * inputs + into
    kept = (row >= 0) & (column >= 0)
    start = (channel * source[1] + row) * source[2] + column
    end = (out * target[1] + y) * target[2] + x
    return np.stack([start[kept], end[kept]], axis=1)
