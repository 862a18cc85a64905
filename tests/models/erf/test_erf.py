"""Receptive fields against what is known of them: boxes, decays, translations, sums."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from neurodeploy.cli import main
from neurodeploy.errors import UsageError
from neurodeploy.models.erf.drawing import draw_fields
from neurodeploy.models.erf.measure import default_layers, gradients, noise, st_erf
from neurodeploy.models.erf.scalars import ReceptiveField
from neurodeploy.models.metasdt.mixers import MixerPlan, build_mixer
from neurodeploy.models.metasdt.neurons import Neurons
from neurodeploy.models.spiking.dynamics import spikingjelly_lif
from neurodeploy.models.spiking.layer import MultiSpike, SpikingNeuron
from neurodeploy.models.spiking.merged import merged


def boxes(layers: int, between: type[nn.Module] = nn.Identity) -> nn.Sequential:
    convs = [nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(layers)]
    for conv in convs:
        nn.init.constant_(conv.weight, 1 / 9)
    return nn.Sequential(*(part for conv in convs for part in (conv, between())))


class Timed(nn.Module):
    """Convolution and neurons for [T, B, C, H, W], as often as there are neurons."""

    def __init__(self, *neurons: nn.Module) -> None:
        super().__init__()
        self.convs = nn.ModuleList(boxes(1)[0] for _ in neurons)
        self.neurons = nn.ModuleList(neurons)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv, neuron in zip(self.convs, self.neurons, strict=True):
            x = neuron(merged(conv, x))
        return x


@pytest.mark.parametrize(("layers", "pixels", "centre"), [(1, 9, 1 / 9), (2, 25, 1 / 9), (3, 49, 0.0672154)])
def test_b1_boxes(layers, pixels, centre):
    (field,) = st_erf(boxes(layers), noise((1, 1, 15, 15), 2))
    map_, found = field.spatial, field.summary()
    assert field.energy.shape == (1, 15, 15)
    assert int((map_ > 0).sum()) == found.support == pixels
    assert map_[7, 7] == pytest.approx(centre, rel=1e-5)
    assert map_.sum() == pytest.approx(1.0, rel=1e-5)
    assert (found.sigma_rows, found.sigma_columns) == pytest.approx((np.sqrt(2 * layers / 3),) * 2, rel=1e-5)
    assert field.centre == (7, 7)


def test_scalars_of_fields_that_can_be_reckoned():
    energy = np.zeros((3, 8, 8))
    energy[2, 2:4, 2:4] = 4.0
    energy[1, 2:4, 2:4] = 1.0
    found = ReceptiveField("x", energy, 2, (2, 2), (8, 8)).summary(1.0)
    assert (found.area, found.support, found.entropy) == (4, 4, 2.0)
    assert found.sigma_rows == 0.5
    assert found.energy_in_radius == 0.75
    assert found.mean_lag == pytest.approx(0.2)
    assert found.decay == pytest.approx(0.25)
    silent = ReceptiveField("x", np.zeros((3, 8, 8)), 2).summary()
    assert (silent.area, silent.entropy, silent.energy_in_radius, silent.radius) == (0, 0.0, 0.0, 2.0)


@pytest.mark.parametrize("layout", ["conv", "pointwise", "reference"])
def test_b4_fields_move_with_their_site_but_not_in_the_reference_layout(layout):
    torch.manual_seed(0)
    kind = "conv" if layout == "conv" else "srb"
    plan = MixerPlan(4, 8, "reference" if layout == "conv" else layout, dropout=0.0)
    mixer = build_mixer(kind, plan, Neurons(nn.Identity, nn.Identity, nn.Identity))
    model = nn.Sequential(boxes_stem(), mixer)
    x = list(noise((1, 1, 1, 24, 24), 1))
    here, there = (st_erf(model, x, site=(5, column))[0].spatial for column in (5, 6))
    same = np.allclose(np.roll(here, 2, axis=1), there, rtol=1e-4, atol=1e-9)  # the stem has a stride of 2
    assert same == (layout != "reference")


def boxes_stem() -> nn.Module:
    class Stem(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3, 2, 1, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return merged(self.conv, x)

    return Stem()


def test_b5_integer_neurons_hear_one_step_and_leaky_ones_decay():
    x = list(noise((5, 1, 1, 7, 7), 3))
    (field,) = st_erf(Timed(MultiSpike(4), MultiSpike(4)), [frame.abs() for frame in x])
    assert field.temporal[4] > 0
    assert not field.temporal[:4].any()
    (field,) = st_erf(Timed(SpikingNeuron(spikingjelly_lif(2.0))), [torch.full((6, 1, 1, 7, 7), 0.2)])
    assert np.allclose(field.temporal[:-1] / field.temporal[1:], 0.5, rtol=1e-5)
    assert field.summary().decay == pytest.approx(0.5, rel=1e-5)
    (field,) = st_erf(Timed(SpikingNeuron(spikingjelly_lif(4.0))), [torch.full((6, 1, 1, 7, 7), 0.1)], site="all")
    assert field.summary().decay == pytest.approx(0.75, rel=1e-5)
    assert field.site is None


def test_b5_an_earlier_step_hears_nothing_of_later_ones():
    (field,) = st_erf(Timed(SpikingNeuron(spikingjelly_lif(2.0))), [torch.full((6, 1, 1, 7, 7), 0.2)], step=2)
    assert (field.temporal > 0).tolist() == [True, True, True, False, False, False]


@pytest.mark.parametrize(("between", "differs"), [(nn.Identity, False), (nn.ReLU, True), (lambda: MultiSpike(4), True)])
def test_b6_only_of_a_linear_network_the_input_does_not_matter(between, differs):
    first, second = (st_erf(boxes(2, between), noise((1, 1, 9, 9), 1, seed))[0].energy for seed in (0, 1))
    assert np.array_equal(first, second) != differs


def test_b7_signed_fields_of_a_sum_are_the_sum_of_fields():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 2, 3, padding=1))
    x = torch.randn(2, 1, 9, 9)
    single = [gradients(model, x, site=site)[""][0] for site in ((4, 4), (4, 5))]

    class Both(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = model(x)
            return y[..., 4, 4] + y[..., 4, 5]

    both, _ = gradients(Both(), x)[""]
    assert torch.allclose(both, sum(single), atol=1e-6)
    assert not torch.allclose(both.abs(), sum(one.abs() for one in single), atol=1e-3)


def test_layers_are_found_by_stage_or_name_and_refused_by_name():
    model = boxes(2, nn.ReLU)
    assert default_layers(model) == [""]
    assert default_layers(Timed(MultiSpike(2))) == ["neurons.0"]
    x = list(noise((1, 1, 9, 9), 1))
    first, whole = st_erf(model, [one.abs() for one in x], ("0", ""))
    assert (first.summary().support, whole.summary().support) == (9, 25)
    for options, message in (
        ({"layers": ("5",)}, "layer '5': is none of this Sequential"),
        ({"site": (9, 0)}, "site 9,0: is outside the 9 x 9"),
        ({"step": 1}, "step 1: is none of the 1"),
    ):
        with pytest.raises(UsageError, match=message):
            st_erf(model, x, **options)
    with pytest.raises(UsageError, match="hold no sample"):
        st_erf(model, [])


def test_the_network_is_left_as_it_was():
    model = Timed(MultiSpike(4)).train()
    st_erf(model, noise((2, 1, 1, 7, 7), 1), ("neurons.0",))
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.neurons[0]._forward_hooks


def test_a_drawing_is_one_document_with_a_map_a_layer():
    from xml.etree import ElementTree

    fields = st_erf(boxes(2), noise((1, 1, 9, 9), 1), ("0", ""))
    tree = ElementTree.fromstring(draw_fields(fields, "a < b"))
    kinds = [element.tag.split("}")[-1] for element in tree.iter()]
    assert kinds.count("image") == 2
    assert "output at 4, 4" in [element.text for element in tree.iter()]
    svg = draw_fields([ReceptiveField("silent", np.zeros((2, 4, 4)), 1)], "nothing")
    assert "nan" not in svg


def test_the_verb_writes_maps_and_scalars(tmp_path, capsys):
    factory = tmp_path / "nets.py"
    factory.write_text("from torch import nn\ndef box():\n    return nn.Conv2d(1, 1, 3, padding=1)\n")
    arguments = ["erf", f"{factory}:box", "--input-shape", "1,9,9", "--steps", "0", "--runs", "2", "--json"]
    with pytest.raises(SystemExit) as done:
        main([*arguments, "-o", str(tmp_path / "out")])
    assert done.value.code == 0
    (found,) = json.loads(capsys.readouterr().out)["fields"]
    assert (found["support"], found["site"], np.shape(found["spatial"])) == (9, [4, 4], (9, 9))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"erf.svg", "erf.json", "maps.npz"}
    assert np.load(tmp_path / "out" / "maps.npz")["output"].shape == (1, 9, 9)
    for more, message in (
        (["-o", str(tmp_path / "out")], "already exists"),
        (["--at", "1,2", "--everywhere"], "stands beside --everywhere"),
        (["--at", "1"], "not 2 whole numbers"),
    ):
        with pytest.raises(SystemExit) as done:
            main([*arguments, *more])
        assert done.value.code == 2
        assert message in capsys.readouterr().err


def test_the_verb_takes_recipes(capsys):
    with pytest.raises(SystemExit) as done:
        main(["erf", "moving-digits", "--steps", "3", "--runs", "1", "--json"])
    assert done.value.code == 0
    fields = json.loads(capsys.readouterr().out)["fields"]
    assert [field["layer"] for field in fields] == ["layers.2", "layers.5", "layers.8", "layers.11"]
    assert [len(field["temporal"]) for field in fields] == [3] * 4
