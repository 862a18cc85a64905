import pytest
import torch

from neurodeploy.errors import UsageError
from neurodeploy.models.convnet import BUILDERS, ConvNet, as_input, build_model, evaluating
from neurodeploy.models.layers import LAYER_KINDS, AvgPoolLayer, ConvLayer, FlattenLayer, LifLayer, LinearLayer
from neurodeploy.models.neuron import Lif
from neurodeploy.models.recipe import load_recipe


def digits_net(*overrides: str) -> ConvNet:
    torch.manual_seed(0)
    return build_model(load_recipe("digits", overrides))


def spikes(steps: int = 6, batch: int = 3) -> torch.Tensor:
    return torch.randint(0, 2, (steps, batch, 1, 8, 8), generator=torch.Generator().manual_seed(0)).float()


def test_every_layer_kind_can_be_built() -> None:
    assert set(BUILDERS) == set(LAYER_KINDS.values())


def test_the_digits_network_answers_with_ten_spike_trains() -> None:
    model = digits_net()
    assert model.output_shape == (10,)
    assert model(spikes()).shape == (6, 3, 10)
    assert sum(p.numel() for p in model.parameters()) == 6138


def test_record_gives_every_spiking_layer_in_evaluation_mode() -> None:
    model, x = digits_net(), spikes()
    model(x)  # moves the running statistics away from their start
    recorded = model.record(x)
    assert model.training
    assert {name: tuple(s.shape) for name, s in recorded.items()} == {
        "2": (6, 3, 16, 8, 8),
        "6": (6, 3, 32, 4, 4),
        "10": (6, 3, 10),
    }
    with evaluating(model), torch.no_grad():
        assert torch.equal(model(x), recorded["10"])
    assert all(set(s.unique().tolist()) <= {0.0, 1.0} for s in recorded.values())


def test_merged_time_equals_one_step_at_a_time() -> None:
    model = digits_net("layers.0.bias=true").eval()
    for parameter in model.parameters():  # coarse weights: every sum is exact, in whatever order it is taken
        parameter.data = torch.round(parameter.data * 16) / 8
    x = spikes(steps=8)
    potentials: dict[str, torch.Tensor] = {}
    outputs = []
    with torch.no_grad():
        for frame in x:
            for name, layer in model.layers.named_children():
                if isinstance(layer, Lif):
                    frame, potentials[name] = layer.step(frame, potentials.get(name, torch.zeros_like(frame)))
                elif not isinstance(layer, torch.nn.BatchNorm2d):
                    frame = layer(frame)
            outputs.append(frame)
        for index in (1, 5):
            model.layers[index] = torch.nn.Identity()
        whole = model(x)
    assert whole.sum() > 0
    assert torch.equal(torch.stack(outputs), whole)


def test_as_input_puts_time_first() -> None:
    x = spikes(4, 2).to(torch.uint8).numpy()  # here: 4 samples, 2 steps
    assert as_input(x).shape == (2, 4, 1, 8, 8)
    assert as_input(x).dtype == torch.float32
    assert as_input(x)[1, 3].tolist() == x[3, 1].tolist()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([LinearLayer(10)], r"layers\.0 \(LinearLayer\).*put a flatten layer before it"),
        ([FlattenLayer(), ConvLayer(4)], r"layers\.1 \(ConvLayer\).*needs a map"),
        ([ConvLayer(4, kernel=9)], r"9 x 9 kernel is larger than the padded 8 x 8 map"),
        ([AvgPoolLayer(9)], r"9 x 9 window is larger than the 8 x 8 map"),
    ],
)
def test_layers_that_do_not_follow_each_other_are_named(layers: list, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ConvNet(layers, (1, 8, 8))


def test_shapes_are_those_that_torch_computes() -> None:
    model = ConvNet([ConvLayer(3, kernel=3, stride=2, padding=1), AvgPoolLayer(3), LifLayer()], (1, 8, 8))
    assert model.output_shape == tuple(model(spikes()).shape[2:]) == (3, 1, 1)


def test_the_answer_must_fit_the_dataset() -> None:
    with pytest.raises(UsageError, match=r"layers\.10: has output shape \(9,\).*10 classes"):
        digits_net("layers.9.features=9")


def test_the_last_layer_must_spike() -> None:
    with pytest.raises(UsageError, match=r"layers\.10: is not a spiking layer"):
        digits_net('layers.10={kind="flatten"}')


def test_a_fused_norm_is_the_same_network_to_rounding() -> None:
    nets = [digits_net(), digits_net("fused_norm=true")]
    assert nets[0].state_dict().keys() == nets[1].state_dict().keys()
    x, gradients = spikes(batch=16), []
    for net in nets:
        out = net(x)
        loss = (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape)).sum()
        gradients.append((out.detach(), *torch.autograd.grad(loss, tuple(net.parameters()))))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    for one, other in zip(nets[0].buffers(), nets[1].buffers(), strict=True):
        torch.testing.assert_close(one, other)
    nets[0].load_state_dict(nets[1].state_dict())
    with evaluating(nets[0]), evaluating(nets[1]):
        assert torch.equal(nets[0](x), nets[1](x))


def test_a_fused_norm_is_never_written_and_one_beside_trained_decays_is() -> None:
    def kept(*overrides: str) -> int:
        net, sizes = digits_net(*overrides), dict[int, int]()

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.numel()
            held.append(tensor)
            return tensor

        held: list[torch.Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            net(spikes(batch=16))
        return sum(sizes.values())

    norms = 6 * 16 * (16 * 64 + 32 * 16)  # values that two norms put out
    assert kept() - kept("fused_norm=true") == pytest.approx(norms, rel=0.02)
    trained = "layers.2.learn_beta=true", "layers.6.learn_beta=true"
    assert kept(*trained) == pytest.approx(kept(*trained, "fused_norm=true"), rel=0.02)
