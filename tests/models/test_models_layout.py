"""Networks keep the channels of a pixel side by side from the first convolution to the last."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.models.systems import SMALL, small


@pytest.mark.parametrize("name", SMALL)
def test_no_convolution_is_given_another_layout(name):
    model, wrong, seen = small(name), [], []

    def look(place):
        def hook(_module, inputs, output):
            seen.append(place)
            if not all(x.is_contiguous(memory_format=torch.channels_last) for x in (*inputs, output)):
                wrong.append(place)

        return hook

    for place, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(look(place))
    torch.manual_seed(0)
    model(torch.randn(2, 2, 3, 32, 32))
    assert len(seen) >= 3
    assert not wrong
