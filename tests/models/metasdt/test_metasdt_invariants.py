"""What must hold of mixers, attention and neurons whatever their weights: one test for each invariant."""

import pytest
import torch
from torch import nn

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.metasdt.attention import LinearAttention, quadratic
from neurodeploy.models.metasdt.mixers import MapLinear, MixerPlan, as_convolution, build_mixer
from neurodeploy.models.metasdt.network import MetaSdt
from neurodeploy.models.metasdt.neurons import Neurons
from neurodeploy.models.metasdt.repconv import RepConvNorm, fold_repconvs, folded
from neurodeploy.models.metasdt.settings import MetaSdtSettings, MetaSdtV2Settings
from neurodeploy.models.operations import count_operations, parts_of
from neurodeploy.models.spiking.layer import MultiSpike
from neurodeploy.models.spiking.streaming import streaming
from tests.models.firing import let_fire

SMALL = {"channels": (8, 8, 8, 8), "blocks": (1, 1, 1, 1, 1), "heads": 2, "expansion": 2}
LINEAR = Neurons(nn.Identity, nn.Identity, nn.Identity)


def build(kind: type = MetaSdtSettings, seed: int = 0, **options: object) -> MetaSdt:
    """Return a small network in evaluation whose norms are such that its neurons fire."""
    torch.manual_seed(seed)
    model = MetaSdt(kind(**SMALL | options), ModelContext((2, 16, 16), 3, 4))
    return let_fire(model, 0.2, 1.0)


def clip(steps: int = 4) -> torch.Tensor:
    return torch.randint(0, 3, (steps, 2, 2, 16, 16), generator=torch.Generator().manual_seed(1)).float()


def support(kind: str, channels: int, side: int, layout: str, order: str = "mlp-conv") -> torch.Tensor:
    """Return which pixels the centre of all channels hears through a mixer of positive weights without neurons."""
    mixer = build_mixer(kind, MixerPlan(channels, 4 * channels, layout, order, dropout=0.0), LINEAR).eval()
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.abs_()
    x = torch.zeros(1, 1, channels, side, side, requires_grad=True)
    mixer(x)[0, 0, :, side // 2, side // 2].sum().backward()
    return x.grad[0, 0].abs().sum(0) > 0


@pytest.mark.parametrize(
    ("channels", "side", "pixels", "rows"),
    [(16, 56, (16, 128), (6, 49)), (32, 28, (48, 256), (2, 25)), (64, 28, (112, 512), (1, 26))],
)
def test_b2_supports_of_the_reference_layout(channels, side, pixels, rows):
    assert int(support("conv", channels, side, "reference").sum()) == 25
    pixer = support("mlpixer", channels, side, "reference")
    assert int(pixer.sum()) == pixels[0]
    places = pixer.nonzero()
    expected = {16: [[28, 28], [16, 31]], 32: [[13, 15], [0, 27]], 64: [[12, 16], [0, 27]]}[channels]
    assert [[int(column.min()), int(column.max())] for column in places.T] == expected
    srb = support("srb", channels, side, "reference")
    assert int(srb.sum()) == pixels[1]
    assert (int(srb.nonzero()[:, 0].min()), int(srb.nonzero()[:, 0].max())) == rows


def test_b2_supports_of_the_pointwise_layout():
    assert int(support("mlpixer", 8, 12, "pointwise").sum()) == 1
    assert int(support("srb", 8, 12, "pointwise").sum()) == 9
    assert int(support("srb", 8, 12, "pointwise", "conv-mlp").sum()) == 9


def test_b2_channels_of_the_reference_layout_are_alone():
    torch.manual_seed(0)
    mixer = build_mixer("mlpixer", MixerPlan(8, 16, dropout=0.0), LINEAR).eval()
    x = torch.randn(1, 1, 8, 8, 8)
    changed = x.clone()
    changed[:, :, 3] += 1.0
    differs = (mixer(changed) != mixer(x)).flatten(3).any(-1)[0, 0]
    assert differs.nonzero().flatten().tolist() == [3]


def test_b3_a_row_of_the_reference_layout_may_straddle_two_channels():
    layer = MapLinear(4, 4, "reference")
    with torch.no_grad():
        layer.linear.weight.fill_(1.0)
    x = torch.zeros(1, 4, 3, 2)
    x[0, 0, 2, 1] = 1.0  # the sixth number: in the second row of four, with two of the next channel
    y = layer(x)
    assert y.flatten().nonzero().flatten().tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize("levels", [1, 4, 8])
def test_b8_an_integer_is_as_many_spikes(levels):
    torch.manual_seed(0)
    integers = torch.randint(0, levels + 1, (2, 6, 5, 5))
    weight = torch.randint(-9, 10, (3, 6, 3, 3))
    steps = torch.stack([(integers > step) for step in range(levels)])
    whole = nn.functional.conv2d(integers.double(), weight.double())
    parts = sum(nn.functional.conv2d(spikes.double(), weight.double()) for spikes in steps)
    assert torch.equal(parts, whole)
    neuron = MultiSpike(levels)
    assert torch.equal(neuron(integers.double()) * levels, integers.double())


def test_b9_integer_neurons_do_the_same_in_training_and_evaluation():
    x = torch.linspace(-2, 7, 200)
    neuron = MultiSpike(4)
    assert torch.equal(neuron.train()(x), neuron.eval()(x))
    assert neuron(x).max() == 1.0
    assert torch.equal(MultiSpike(4, 1.0)(torch.tensor([0.5, 1.5, 2.5, 9.0])), torch.tensor([0.0, 2.0, 2.0, 4.0]))


def test_b10_the_gradient_passes_at_both_ends_and_nowhere_outside():
    x = torch.tensor([-1e-6, 0.0, 2.0, 4.0, 4.001], requires_grad=True)
    MultiSpike(4, 1.0)(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_b11_a_pointwise_linear_layer_is_a_convolution():
    layer, x = MapLinear(6, 10, "pointwise"), torch.randn(3, 6, 5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(as_convolution(layer)(x), layer(x), atol=1e-6)
    with pytest.raises(ValueError, match="layout 'reference' is no convolution"):
        as_convolution(MapLinear(6, 10, "reference"))


def test_b12_attention_is_associative():
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randint(0, 5, (2, 8, 4, 3), generator=generator) / 4 for _ in range(2))
    v = torch.randint(0, 5, (2, 32, 4, 3), generator=generator) / 4
    attention = LinearAttention(4, 0.7)
    assert torch.allclose(attention(q, k, v), quadratic(attention, q, k, v), atol=1e-5)
    head = attention(q, k, v)[:, :8]  # the first head: values 0 to 7 of queries and keys 0 and 1
    gram = torch.einsum("bcp,bcr->bpr", q[:, :2].flatten(2), k[:, :2].flatten(2))
    assert torch.allclose(head.flatten(2), 0.7 * torch.einsum("bpr,bcr->bcp", gram, v[:, :8].flatten(2)), atol=1e-5)
    assert attention.products(q, k, v) == 2 * 12 * 4 * (2 * 8 + 2 * 8)


def test_operations_are_told_by_stage_and_branch_with_the_products_of_attention():
    found = count_operations(model := build(), iter([clip()]), parts_of(model))
    parts = found.by_part()
    assert {"1a, mixer", "1a, sep_conv", "3, attn", "4, mlp", "head"} <= set(parts)
    (product,) = [layer for layer in found.layers if layer.name == "backbone.sections.3.1.attn.product"]
    assert product.macs == 4 * 1 * (8 + 8) * 32 // 2  # steps, the one pixel left of 16, channels
    assert parts["3, attn"].macs == product.macs  # all other layers there are fed by spikes
    assert parts["1a, mixer"].macs == 0
    assert 0 < parts["1a, mixer"].rate <= 4
    assert parts["1a, mixer"].sops > 0


def trained(layer: nn.Module) -> nn.Module:
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return layer.double().eval()


def test_a_repconv_folds_to_one_convolution_exactly():
    torch.manual_seed(0)
    layer = trained(RepConvNorm(5, 7))
    x = torch.randn(2, 5, 6, 4, dtype=torch.float64)
    assert torch.allclose(folded(layer, 5, 7)(x), layer(x), atol=1e-12, rtol=0)


def test_a_network_answers_the_same_with_its_repconvs_folded():
    model, x = build(MetaSdtV2Settings), clip()
    before = model(x)
    assert before.abs().max() > 0
    assert fold_repconvs(model) == 8
    assert torch.allclose(model(x), before, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (MetaSdtSettings, {"mixer": "srb"}),
        (MetaSdtSettings, {"mixer": "mlpixer", "layout": "pointwise", "mixer_norm": True, "neuron": "lif-sj"}),
        (MetaSdtV2Settings, {}),
    ],
)
def test_frames_one_by_one_give_what_the_clip_gives(kind, options):
    model, x = build(kind, **options), clip()
    with torch.no_grad():
        whole = model(x)
        with streaming(model):
            pieces = torch.cat([model(frame[None]) for frame in x])
    assert torch.allclose(pieces, whole, atol=1e-5)
    assert whole.std() > 0


def test_integer_neurons_hear_no_other_frame_and_leaky_ones_do():
    order = torch.tensor([2, 0, 3, 1])
    x = clip()
    integer, leaky = build(), build(MetaSdtV2Settings)
    assert torch.allclose(integer(x[order]), integer(x)[order], atol=1e-6)
    assert not torch.allclose(leaky(x[order]), leaky(x)[order], atol=1e-3)


@pytest.mark.parametrize("mixer", ["conv", "mlpixer", "srb"])
def test_every_parameter_learns_and_keys_do_not_depend_on_the_layout(mixer):
    torch.manual_seed(0)
    context = ModelContext((2, 16, 16), 3, 2)
    model = MetaSdt(MetaSdtSettings(**SMALL, mixer=mixer, dropout=0.0), context).train()
    (model(2 * torch.randn(2, 8, 2, 16, 16)) * torch.randn(2, 8, 3)).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert model.backbone.sections["1a"][1].mixer.first[0].parameters().__next__().grad.abs().sum() > 0
    other = MetaSdt(MetaSdtSettings(**SMALL, mixer=mixer, layout="pointwise", dropout=0.0), context)
    other.load_state_dict(model.state_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": (8, 8, 8)}, "channels .8, 8, 8. are not four"),
        ({"channels": (7, 8, 8, 8)}, "the first of them even"),
        ({"blocks": (1, 1)}, "blocks .1, 1. are not 5 numbers, for 1a, 1b, 2, 3, 4"),
        ({"heads": 3}, "3 heads do not divide 8"),
    ],
)
def test_sizes_that_do_not_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
