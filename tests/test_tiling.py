import numpy as np
import pytest

from neurodeploy.fans import ConvolutionFan, DenseFan, SparseFan, fan_of
from neurodeploy.tiling import Axis, Tiling
from tests.chains import chain, conv, dense, sparse, synapses


def test_tiles_cover_each_cell_once_in_order():
    tiling = Tiling((3, 5, 4), (2, 5, 3))
    assert (tiling.grid, tiling.count, tiling.padded) == ((2, 1, 2), 4, 120)
    assert list(tiling.boxes())[:2] == [((0, 2), (0, 5), (0, 3)), ((0, 2), (0, 5), (3, 4))]
    assert tiling.sizes().tolist() == [30, 10, 15, 5]
    values = np.arange(60)
    expected = [values.reshape(3, 5, 4)[tuple(slice(*span) for span in box)].sum() for box in tiling.boxes()]
    assert tiling.sums(values).tolist() == expected


def test_tile_beyond_the_border_counts_only_in_the_padding():
    tiling = Tiling((64, 2, 20), (64, 2, 16))
    assert (tiling.count, tiling.padded, int(tiling.sizes().sum())) == (2, 4096, 2560)


def test_cells_an_axis_reads():
    cells = Axis(source=5, target=3, kernel=3, stride=2, padding=1, dilation=1).cells()
    assert cells.tolist() == [[-1, 0, 1], [1, 2, 3], [3, 4, -1]]


@pytest.mark.parametrize(
    ("connection", "kind"),
    [
        (conv(6, 2, 3, groups=2, padding=(1, 0), stride=(1, 2)), ConvolutionFan),
        (dense(9, 140), DenseFan),
        (sparse(9, 140), SparseFan),
    ],
)
def test_fan_equals_its_synapses(connection, kind):
    network = chain((4, 5, 7), connection)
    target = network.populations[0].shape
    tile = (2, 2, 2) if len(target) == 3 else (4,)
    projection, source = network.projections[0], Tiling((4, 5, 7), (3, 2, 4))
    fan = fan_of(projection, (4, 5, 7), Tiling(target, tile))
    assert isinstance(fan, kind)
    spikes = np.arange(1, 141)
    pairs = list(synapses(network, projection))
    assert fan.fan_out().tolist() == np.bincount([a for a, _ in pairs], minlength=140).tolist()
    tiles = np.empty(target, dtype=int)
    for index, box in enumerate(fan.target.boxes()):
        tiles[tuple(slice(*span) for span in box)] = index
    start = np.empty((4, 5, 7), dtype=int)
    for index, box in enumerate(source.boxes()):
        start[tuple(slice(*span) for span in box)] = index
    into = np.zeros(fan.target.count, dtype=int)
    traffic = np.zeros((source.count, fan.target.count), dtype=int)
    for a, b in pairs:
        into[tiles.flat[b]] += spikes[a]
    for a, tile_index in {(a, tiles.flat[b]) for a, b in pairs}:
        traffic[start.flat[a], tile_index] += spikes[a]
    assert fan.synapses_into(spikes).tolist() == into.tolist()
    assert fan.traffic(spikes, source).tolist() == traffic.tolist()
    assert fan.messages_into(spikes).tolist() == traffic.sum(axis=0).tolist()
    product = fan.destinations_by_axis((4, 5, 7))
    outer = np.multiply.outer(np.multiply.outer(product[0], product[1]), product[2]).reshape(-1)
    assert (outer >= fan.destinations()).all()
    reached = {(a, tiles.flat[b]) for a, b in pairs}
    assert fan.destinations().tolist() == np.bincount([a for a, _ in reached], minlength=140).tolist()
    if kind is not SparseFan:
        assert outer.tolist() == fan.destinations().tolist()
