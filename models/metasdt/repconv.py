"""RepConv, the convolution of V2's attention, and the single 3 x 3 convolution that it folds to."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NormAndPad(nn.Module):
    """A batch norm, then a border of one pixel that holds what the norm makes of 0.

    With that border the layers behind it act as if zeros stood around the input of the layers before it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, H + 2, W + 2]."""
        y: Tensor = self.norm(x)
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        border = norm.bias - norm.running_mean * norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        around = border.to(y.dtype)[None, :, None, None].expand(len(y), -1, y.shape[2] + 2, y.shape[3] + 2)
        framed = around.clone(memory_format=torch.channels_last)
        framed[:, :, 1:-1, 1:-1] = y
        return framed


class RepConv(nn.Module):
    """1 x 1, norm and border, depthwise 3 x 3, 1 x 1, norm: linear in evaluation, so :func:`folded` makes it one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(inputs, inputs, 1, bias=False)
        self.pad = NormAndPad(inputs)
        self.depthwise = nn.Conv2d(inputs, inputs, 3, groups=inputs, bias=False)
        self.project = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, outputs, H, W] of ``x`` [N, inputs, H, W]."""
        y: Tensor = self.norm(self.project(self.depthwise(self.pad(self.expand(x)))))
        return y


@torch.no_grad()
def folded(layer: nn.Module, inputs: int, outputs: int) -> nn.Conv2d:
    """Return the 3 x 3 convolution with bias and zeros around its input that equals ``layer`` in evaluation.

    ``layer`` is a :class:`RepConv`, or any chain with norms that is affine and reaches no further than one pixel. Its
    bias is the answer to zeros, its kernel the answers to single ones; float64 throughout.
    """
    before = layer.training
    parameter = next(layer.parameters())
    kind, device = parameter.dtype, parameter.device
    layer.eval().double()
    try:
        silence = layer(torch.zeros(1, inputs, 5, 5, dtype=torch.float64, device=device))
        impulses = torch.zeros(inputs, inputs, 5, 5, dtype=torch.float64, device=device)
        impulses[torch.arange(inputs), torch.arange(inputs), 2, 2] = 1.0
        response = layer(impulses) - silence
    finally:
        layer.to(kind).train(before)
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, dtype=torch.float64, device=device)
    # A one at (2, 2) meets the tap (1 - i, 1 - j) of the kernel at (2 + i, 2 + j): the response is the kernel turned.
    conv.weight.copy_(response[:, :, 1:4, 1:4].flip(2, 3).transpose(0, 1))
    assert conv.bias is not None
    conv.bias.copy_(silence[0, :, 2, 2])
    return conv.to(kind)


class RepConvNorm(nn.Sequential):
    """A :class:`RepConv` and one more norm, as each of V2's four in attention."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(RepConv(inputs, outputs), nn.BatchNorm2d(outputs))
        self.inputs, self.outputs = inputs, outputs


def fold_repconvs(model: nn.Module) -> int:
    """Replace every :class:`RepConvNorm` and :class:`RepConv` of ``model``, in place; return how many there were.

    The model then runs as it did in evaluation and is no longer for training.
    """
    count = 0
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, RepConvNorm):
                setattr(parent, name, folded(child, child.inputs, child.outputs))
                count += 1
            elif isinstance(child, RepConv) and not isinstance(parent, RepConvNorm):
                setattr(parent, name, folded(child, child.expand.in_channels, child.project.out_channels))
                count += 1
    return count
