"""How the cost of mapping grows with the network: ``python -m tests.benchmarks.mapping [--chips loihi1,loihi2]``.

Every network is a chain of six convolutions of 3 x 3 taps, the last of the sizes having a million neurons and a hundred
million synapses. Each is measured in this process, from the integer network to the placement, cores placed by traffic.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from neurodeploy.fans import ConvolutionFan, fan_of
from neurodeploy.mapping import map_network
from neurodeploy.network import Convolution, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.targets.chip import load_chip
from neurodeploy.tiling import Tiling

#: Channels and side of the maps.
SIZES = ((8, 32), (8, 64), (10, 96), (13, 116))


def convolutions(channels: int, side: int, layers: int = 6) -> Network:
    """Return a chain of convolutions that keep the size of their map."""
    lif, populations, projections, source = Lif(10, 0, 0), [], [], "in"
    for index in range(layers):
        weight = np.ones((channels, 2 if index == 0 else channels, 3, 3), dtype=np.int32)
        name = f"conv{index}"
        populations.append(Population(name, (channels, side, side), lif, latency=index + 1))
        projections.append(Projection(name, source, name, Convolution(weight, padding=(1, 1))))
        source = name
    return Network((Port("in", (2, side, side)),), tuple(populations), tuple(projections), (source,))


def synapses(network: Network) -> int:
    """Return the synapses of a chain, those of shared weights each counted."""
    total = 0
    for projection in network.projections:
        shape = network.by_name[projection.target].shape
        tiling = Tiling(shape, shape)
        fan = fan_of(projection, network.by_name[projection.source].shape, tiling)
        assert isinstance(fan, ConvolutionFan)
        total += int(fan.fan_out().sum())
    return total


def measure(network: Network, target: str) -> tuple[float, int, int, bool]:
    """Return the seconds a mapping took, its cores and chips, and whether it fits."""
    chip = load_chip(target)
    start = time.perf_counter()
    placement = map_network(network, chip)
    return time.perf_counter() - start, placement.cores_used, placement.chips_used, placement.fits


def main() -> None:
    """Measure every size on every chip and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chips", default="loihi1,hala-point")
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many of the sizes, smallest first")
    options = parser.parse_args()
    write = sys.stdout.write
    write(f"{'chip':14}{'neurons':>12}{'synapses':>14}{'cores':>8}{'chips':>7}{'fits':>6}{'seconds':>9}\n")
    for channels, side in SIZES[: options.sizes]:
        network = convolutions(channels, side)
        neurons = sum(population.size for population in network.populations)
        count = synapses(network)
        for target in options.chips.split(","):
            seconds, cores, chips, fits = measure(network, target)
            write(f"{target:14}{neurons:12,}{count:14,}{cores:8,}{chips:7}{fits!s:>6}{seconds:9.2f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
