"""What others have published or measured, beside what neurodeploy says: ``python -m tests.published`` prints it.

With ``--slow`` it prints what takes minutes as well.

Each row states its rule, and ``tests/test_published.py`` holds every row to it. Sources are in the rows' groups.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from neurodeploy.activity import Activity, CoreActivity, PopulationActivity, ProjectionActivity
from neurodeploy.energy import Estimate, estimate
from neurodeploy.mapping import map_network
from neurodeploy.network import Network
from neurodeploy.occupancy import Occupancy, allowed_by_kind
from neurodeploy.partition import cut_populations
from neurodeploy.targets.chip import Chip, load_chip
from neurodeploy.targets.chipfile import Number
from tests.chains import chain, conv, dense
from tests.published_networks import (
    mnist,
    mobilenet,
    pilotnet,
    pseudo_mobilenet,
    sana_fe_gesture,
    slayer_gesture,
    yolo_kp,
)

LOIHI1, LOIHI2, NXTF = load_chip("loihi1"), load_chip("loihi2"), load_chip("loihi1-nxtf")

#: Cores of MobileNet on Loihi: of the 2048 of 16 chips the 80 % that NxTF's authors call used.
MOBILENET = 1640


@dataclass(frozen=True)
class Row:
    """One comparison: what is compared, ours, theirs, by which rule, and whether it holds."""

    name: str
    ours: float
    published: float
    rule: str
    holds: bool


def equal(name: str, ours: float, published: float) -> Row:
    """Compare what has to be the same."""
    return Row(name, ours, published, "equal", ours == published)


def within(name: str, ours: float, published: float, tolerance: float, rule: str) -> Row:
    """Compare what may differ by an absolute tolerance."""
    return Row(name, ours, published, rule, abs(ours - published) <= tolerance)


def near(name: str, network: Network, chip: Chip, published: int) -> Row:
    """Compare cores: no fewer than the neurons need, at most 1.35 times the published, and no limit exceeded.

    Only the cut decides how many there are; where they stand, which takes longest to find, does not.
    """
    occupancy = Occupancy(network, chip)
    hopeless = cut_populations(occupancy, allowed_by_kind(chip, chip.margin))
    ours = sum(tiling.count for tiling in occupancy.tilings.values())
    floor = -(-sum(p.size for p in network.populations) // chip.limits["neurons"])
    fits = not hopeless and ours <= chip.cores_max
    holds = floor <= published and floor <= ours <= 1.35 * published
    return Row(name, ours, published, f"{floor} <= both, ours <= 1.35 x", holds and fits)


#: Of NxCompiler's logs in lava-dl's YOLO-KP notebook, per layer: channels of the source and of the tile, kernel, weight
#: bits, rows and columns of the tile, words of AxonMap and AxonMem, and Total in percent. The compiler's AxonMap is one
#: word per place, of an output one per neuron; of AxonMem no rule is known, its words are the log's.
_YOLO_ROWS = (
    ("conv 512->48, 1x1", 512, 48, 1, 7, (14, 4), 2688, 0, 42.26),
    ("conv 256->512", 256, 64, 3, 5, (7, 8), 56, 28, 87.47),
    ("conv 512->256, 1x1", 512, 256, 1, 5, (7, 2), 14, 56, 72.04),
    ("conv 256->512, second", 256, 64, 3, 5, (7, 8), 56, 56, 87.61),
    ("conv 256->256", 256, 64, 3, 4, (7, 8), 56, 448, 78.05),
    ("conv 128->256", 128, 128, 3, 5, (7, 4), 28, 28, 81.57),
    ("conv 64->128", 64, 128, 3, 5, (7, 4), 28, 56, 50.03),
    ("conv 32->64", 32, 64, 3, 5, (14, 4), 56, 28, 26.99),
    ("conv 16->32", 16, 32, 3, 6, (14, 8), 112, 56, 21.65),
    ("conv 3->16", 3, 16, 3, 5, (28, 8), 224, 112, 19.88),
)

#: Of the MNIST notebook: sources, neurons, words of AxonMap, Total in percent.
_MNIST_ROWS = ((64, 10, 12, 1.71), (128, 64, 64, 14.72), (784, 50, 50, 67.14))


def utilisation() -> Iterator[Row]:
    """Yield the share of a Loihi 2 core's words that the compiler's logs print, to a hundredth of a point."""
    for name, inputs, channels, kernel, bits, place, axon_map, axon_mem, percent in _YOLO_ROWS:
        # The layer and its source, both as large as a tile: what a core holds does not depend on the rest of the map.
        follower = conv(8, channels, 1)
        shape = (inputs, place[0] + kernel - 1, place[1] + kernel - 1)
        is_output = axon_map == channels * math.prod(place)
        layers = (conv(channels, inputs, kernel),) if is_output else (conv(channels, inputs, kernel), follower)
        network = chain(shape, *layers, bits=bits)
        spans = (((0, channels),), ((0, place[0]),), ((0, place[1]),))
        use = Occupancy(network, LOIHI2).use(network.populations[0], spans, channels * math.prod(place))
        yield equal(f"{name}: AxonMap words", use["axon_map_words"], axon_map)
        total = 100 * (use["total_words"] + axon_mem) / 20_000
        yield within(f"{name}: Total %", round(total, 2), percent, 0.0101, "to 0.01 points")
    for inputs, neurons, axon_map, percent in _MNIST_ROWS:
        network = chain((inputs,), dense(neurons, inputs))
        use = Occupancy(network, LOIHI2).use(network.populations[0], (((0, neurons),),), neurons)
        total = 100 * (use["total_words"] - use["axon_map_words"] + axon_map) / 20_000
        yield within(f"dense {inputs}->{neurons}: Total %", round(total, 2), percent, 0.0051, "to 0.01 points")


def cores() -> Iterator[Row]:
    """Yield core counts that compilers printed; equal on Loihi 2, elsewhere at most 1.35 times the published."""
    exact = (
        ("PilotNet LIF", pilotnet(), (13, 25, 13, 3, 3, 2, 12, 1, 1, 1)),
        ("PilotNet SDNN", pilotnet(port=True), (25, 13, 3, 3, 2, 12, 1, 1, 1)),
        ("MNIST", mnist(), (3, 1, 1)),
        ("YOLO-KP", yolo_kp(), (224, 112, 56, 28, 56, 16, 32, 14, 32, 4)),
    )
    for name, network, published in exact:
        placement = map_network(network, LOIHI2)
        found = tuple(population.cores for population in placement.populations)
        yield equal(f"{name} on Loihi 2", placement.cores_used, sum(published))
        for index, (ours, theirs) in enumerate(zip(found, published, strict=True), 1):
            yield equal(f"{name}, layer {index}", ours, theirs)
    close = (
        ("Oxford on Loihi 2", LOIHI2, chain((200,), dense(256, 200), dense(200, 256)), 5),
        ("PilotNet LIF, limits of 2023", load_chip("loihi2-2023-01"), pilotnet(), 74),
        ("SLAYER DVS Gesture on Loihi", LOIHI1, slayer_gesture(), 169),
        ("SLAYER N-TIDIGITS on Loihi", LOIHI1, chain((64,), dense(256, 64), dense(256, 256), dense(242, 256)), 6),
        ("SANA-FE DVS Gesture on Loihi", LOIHI1, sana_fe_gesture(), 49),
        ("NxTF CIFAR-10 on Loihi", LOIHI1, pseudo_mobilenet(), 157),
        ("NxTF CIFAR-10 on Loihi, limits of NxTF", NXTF, pseudo_mobilenet(), 157),
        ("MobileNet on Loihi, 16 chips to 80 %", LOIHI1, mobilenet(), MOBILENET),
    )
    for name, chip, network, published in close:
        yield near(name, network, chip, published)
    yield equal("usable cores of Hala Point", load_chip("hala-point").cores_max, 140_544)


def large() -> Iterator[Row]:
    """Yield what takes a minute to map: MobileNet, core by core onto its chips, published as 16 of them."""
    for chip in (LOIHI1, NXTF):
        yield near(f"MobileNet on {chip.name}", mobilenet(), chip, MOBILENET)
        placement = map_network(mobilenet(), chip)
        chips, cores = placement.chips_used, placement.cores_used
        yield Row(f"MobileNet on {chip.name}, chips", chips, 16, "ours <= 16", placement.fits and chips <= 16)
        share = sum(p.size for p in placement.network.populations) / (cores * chip.limits["neurons"])
        yield within(f"MobileNet on {chip.name}, share of neurons", round(share, 3), 0.8, 0.1, "to 10 points")


@dataclass(frozen=True)
class Unchecked:
    """A published figure that nothing here is held against, and what is missing for that."""

    name: str
    published: str
    missing: str


UNCHECKED = (
    Unchecked("DVS Gesture on Loihi, Massa 2020", "37 cores", "the abstract does not say which layers the network has"),
    Unchecked("keyword spotting on Loihi, Blouw 2019 (A1)", "0.27 mJ", "steps and spikes; most is input and output"),
    Unchecked("gestures on Loihi, Ceolini 2020 (A14-16)", "173 to 1105 uJ", "the figures are recalled, not read again"),
    Unchecked("N-CARS on Loihi, Viale 2021 (A17)", "310 mW, 0.72 ms", "the figures are recalled, not read again"),
    Unchecked("keyword spotting on Xylo A2 (A18)", "6.6 uJ", "energies of that chip's events"),
    Unchecked("S4D on Loihi 2 (A19)", "1000 x less energy", "a ratio to another device only"),
)


#: Counts of SANA-FE 2.2.9's DVS Gesture example over 128 steps.
DVS = {"operations": 5_437_656, "spikes": 38_081, "active": 1_346_821, "updates": 18_678 * 128, "messages": 386_640}
#: Joules of its hops, which the counts do not tell apart by direction.
DVS_HOPS = 3.478e-6


def counted(chip: Chip, counts: dict[str, int], *, samples: int = 1, steps: int = 128) -> Estimate:
    """Return the estimate of these totals, all on one core of a small network."""
    placement = map_network(chain((1,), dense(1, 1), port=False), chip)

    def both(value: int) -> np.ndarray:
        return np.array([0, value], dtype=np.int64)

    events = CoreActivity(
        spikes=both(counts["spikes"]),
        neuron_updates=both(counts["updates"]),
        active_updates=both(counts["active"]),
        dense_operations=both(counts["operations"]),
        convolution_operations=both(0),
        messages_in=both(counts["messages"]),
        messages_out=both(counts["messages"]),
        memory_reads=both(0),
    )
    last = PopulationActivity(counts["spikes"], counts["operations"], counts["updates"], counts["active"], 0)
    projection = ProjectionActivity(counts["operations"], counts["messages"])
    populations = {"in": PopulationActivity(), "l1": last}
    activity = Activity(samples, steps, 1, {}, populations, {"in->l1": projection}, events, 0, 0)
    return estimate(activity, placement, chip)


def with_energy(**picojoules: float) -> Chip:
    """Return Loihi with these energies and no others."""
    energy = {
        key: Number(picojoules.get(key, 0.0) * 1e-12, "J", "a test", "assumed", 0.0, 1.0) for key in LOIHI1.energy
    }
    return replace(LOIHI1, energy=energy)


def conventions() -> Iterator[Row]:
    """Yield what other tools' constants give on SANA-FE's counts, beside what those tools print."""
    soma = with_energy(neuron_active=51.2 + 21.6, neuron_idle=51.2, spike=69.3)
    keras = with_energy(synaptic_operation_dense=23.6 + 3.5, neuron_active=81, neuron_idle=81)
    davies = counted(LOIHI1, DVS).dynamic.nominal + DVS_HOPS
    for name, ours, published, relative in (
        ("SANA-FE soma, J", counted(soma, DVS).dynamic.nominal, 1.541384877e-4, 1e-9),
        ("SANA-FE messages, J", counted(with_energy(message_out=111), DVS).dynamic.nominal, 4.291704e-5, 1e-9),
        ("Davies 2018, J", davies, 2.95843e-4, 5e-6),
        ("keras-spiking, J", counted(keras, DVS).dynamic.nominal, 3.41014e-4, 5e-6),
        ("45 nm operations, J", counted(LOIHI1, DVS).energy_45nm_operations_joule, 4.9e-6, 2e-3),
    ):
        yield within(name, ours, published, relative * published, f"to {relative:g} of it")


def silent(neurons: int, steps: int) -> dict[str, int]:
    """Return the counts of neurons that are updated and do nothing else."""
    return {"operations": 0, "spikes": 0, "active": 0, "updates": neurons * steps, "messages": 0}


#: Steps of the runs of Blouw et al. 2019, which their logs do not tell: an assumption.
_BLOUW_STEPS = 10
#: Dynamic millijoules per inference of their network with n copies of ten layers of 256 neurons, from raw power logs.
_BLOUW = {1: 0.681, 2: 0.704, 4: 0.734, 6: 0.768, 8: 0.802, 10: 0.836}


def anchors() -> Iterator[Row]:
    """Yield measured energies beside the floor of neuron updates alone: 1 to 18 times, for boards do more than that."""
    measured = (
        ("N-TIDIGITS, Loihi (A9), J", 64 + 256 + 256 + 242, 3000, 576.0e-6),
        ("PilotNet LIF, Loihi 2 at Loihi's energies (A11), J", 158_509, 16, 1.0935e-3),
    )
    for name, neurons, steps, joule in measured:
        floor = counted(LOIHI1, silent(neurons, steps), steps=steps).dynamic.nominal
        yield Row(name, floor, joule, "floor <= measured <= 18 x", floor <= joule <= 18 * floor)
    # Read off the axes of SANA-FE's own plots of a board: 1 to 4 uJ and 10 to 30 us a step.
    gesture = counted(LOIHI1, DVS).dynamic.nominal / 128
    yield Row(
        "SANA-FE DVS Gesture on Loihi (A13), J a step", gesture, 4e-6, "floor <= measured <= 18 x", gesture <= 4e-6
    )
    slope = (_BLOUW[10] - _BLOUW[1]) * 1e-3 / (9 * 2560)
    per_neuron = counted(LOIHI1, silent(2560, _BLOUW_STEPS), steps=_BLOUW_STEPS).dynamic.nominal / 2560
    rule = f"floor <= measured <= 18 x, if {_BLOUW_STEPS} steps"
    yield Row("Blouw 2019, J per added neuron", per_neuron, slope, rule, per_neuron <= slope <= 18 * per_neuron)
    for (copies, joule), (more, higher) in itertools.pairwise(_BLOUW.items()):
        part = (higher - joule) * 1e-3 / ((more - copies) * 2560)
        holds = per_neuron <= part <= 18 * per_neuron
        yield Row(f"Blouw 2019, {copies} to {more} copies, J a neuron", per_neuron, part, rule, holds)
    points = list(_BLOUW.items())
    slopes = [(b - a) / (m - n) for (n, a), (m, b) in itertools.pairwise(points)]
    spread = max(slopes) / min(slopes)
    yield Row(
        "Blouw 2019, largest slope to smallest", spread, 2, "at most, and all rising", min(slopes) > 0 and spread <= 2
    )


def latencies() -> Iterator[Row]:
    """Yield measured times beside the chip's alone: slower, and where the host limits, flagged as such."""
    lif = counted(LOIHI2, silent(158_509 // 74, 16), steps=16)
    yield Row(
        "PilotNet LIF (A11), s",
        lif.latency.high,
        2.45e-3,
        "not host-bound",
        lif.latency.nominal <= 2.45e-3 and not lif.is_host_bound(2.45e-3),
    )
    sdnn = counted(LOIHI2, silent(158_509 // 61, 1), steps=1)
    yield Row("PilotNet SDNN (A12), s", sdnn.latency.high, 59.3e-3, "host-bound", sdnn.is_host_bound(59.3e-3))
    gesture = counted(LOIHI1, silent(1024, 1), steps=1)
    yield Row("SLAYER Gesture, s per step", gesture.step_time.high, 198e-6, "at most", gesture.step_time.high <= 198e-6)


GROUPS = {
    "Loihi 2 words of a core (NxCompiler's logs in lava-dl)": utilisation,
    "Cores (compiler logs, notebooks)": cores,
    "Other tools' energies on the same counts": conventions,
    "Measured energies": anchors,
    "Measured times": latencies,
}


@cache
def rows_of(group: Callable[[], Iterator[Row]]) -> tuple[Row, ...]:
    """Return the rows of a group, each worked out once."""
    return tuple(group())


def main(*, slow: bool = False) -> None:
    """Write every group as a table; with ``slow`` those too that take minutes."""
    for title, group in (GROUPS | ({"Cores of large networks": large} if slow else {})).items():
        sys.stdout.write(f"\n{title}\n{'':44}{'ours':>14}{'published':>14}  rule\n")
        for row in rows_of(group):
            mark = "" if row.holds else "   DOES NOT HOLD"
            sys.stdout.write(f"{row.name:44}{row.ours:14.6g}{row.published:14.6g}  {row.rule}{mark}\n")
    sys.stdout.write(f"\nNot checkable\n{'':44}{'published':>20}  missing\n")
    for each in UNCHECKED:
        sys.stdout.write(f"{each.name:44}{each.published:>20}  {each.missing}\n")


if __name__ == "__main__":
    main(slow="--slow" in sys.argv)
