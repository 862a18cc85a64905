"""Non-maximum suppression and RoIAlign without compiled code, and torchvision's import with them."""

import sys

import pytest
import torch

from neurodeploy.models.metasdt import operators
from neurodeploy.models.metasdt.operators import aligned_regions, suppressed, torchvision


def iou(a, b):
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    common = max(wide, 0.0) * max(tall, 0.0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def boxes(number: int, seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    corner = 30 * torch.rand(number, 2, generator=draw)
    return torch.cat([corner, corner + 1 + 20 * torch.rand(number, 2, generator=draw)], dim=1)


@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_what_overlaps_a_better_box_goes(threshold):
    found, scores = boxes(40, 1), torch.rand(40, generator=torch.Generator().manual_seed(2))
    kept: list[int] = []
    for index in sorted(range(40), key=lambda i: -float(scores[i])):
        if all(iou(found[index].tolist(), found[other].tolist()) <= threshold for other in kept):
            kept.append(index)
    assert suppressed(found, scores, threshold).tolist() == kept
    assert 1 < len(kept) < 40
    assert suppressed(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
    assert suppressed(found[[3, 3]], torch.ones(2), 0.5).tolist() == [0]


def test_a_region_of_a_plane_is_the_plane():
    """Bilinear reading of a linear map is exact, so a cell holds its middle, as long as it lies on the map."""
    rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(16.0), indexing="ij")
    plane = (3 * rows + 5 * columns).expand(2, 1, 12, 16)
    region = torch.tensor([[1, 4.0, 2.0, 28.0, 18.0]])
    for samples in (1, 2, -1):
        found = aligned_regions(plane, region, 0.5, 2, 3, samples, True)[0, 0]
        middles_y, middles_x = torch.tensor([2.5, 6.5]), torch.tensor([3.5, 7.5, 11.5])
        assert torch.allclose(found, 3 * middles_y[:, None] + 5 * middles_x, atol=1e-4)
    outside = torch.tensor([[0, -40.0, -40.0, -20.0, -20.0]])
    assert not aligned_regions(plane + 1, outside, 1.0, 2, 2, 2, True).any()


@pytest.mark.parametrize(("samples", "scale", "aligned"), [(2, 0.25, False), (2, 0.25, True), (-1, 2.0, False)])
def test_regions_and_gradients_are_those_of_torchvision_s_formula(samples, scale, aligned):
    """Its Python version, which it compiles where it uses it, has another gradient: autograd's."""
    align = torchvision("torchvision.ops").roi_align
    formula = sys.modules["torchvision.ops.roi_align"]._roi_align.__wrapped__
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 9, 11, requires_grad=True)
    corner = torch.rand(7, 2) * 2
    regions = torch.cat([torch.randint(0, 2, (7, 1)), corner, corner + 1.5 * torch.rand(7, 2)], dim=1)
    found = align(maps, regions, (4, 5), scale, samples, aligned)
    expected = formula(maps, regions, scale, 4, 5, samples, aligned)
    assert torch.allclose(found, expected, atol=1e-5)
    upstream = torch.randn_like(found)
    gradients = [torch.autograd.grad(output, maps, upstream)[0] for output in (found, expected)]
    assert torch.allclose(*gradients, atol=1e-4)
    assert gradients[0].abs().sum() > 1


def test_only_torchvision_s_own_library_is_stood_in_for():
    with operators._operators(), pytest.raises(OSError, match="libnothing"):
        torch.ops.load_library("/nowhere/libnothing.so")
    assert "load_library" not in vars(torch.ops)
    assert torchvision().extension._has_ops()
