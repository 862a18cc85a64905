"""Every neuron model and sparse synapses on Lava equal the golden model in u, v and s, in either engine."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.network import Network, Sparse
from neurodeploy.neurons import Lif
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.lava import run_many
from neurodeploy.targets.lava.environment import Environment

from . import models, nets

pytestmark = pytest.mark.usefixtures("lava")

Job = tuple[Network, dict[str, np.ndarray]]


def assert_equal(job: Job, found: Recording) -> Recording:
    expected = golden.run(*job, ("s", "u", "v"))
    for quantity in ("spikes", "u", "v"):
        for name, values in getattr(expected, quantity).items():
            differing = np.argwhere(getattr(found, quantity)[name] != values)
            assert len(differing) == 0, f"{name} {quantity} first differs at {differing[0]}"
    assert (found.wraps, found.clips) == (expected.wraps, expected.clips)
    return expected


def payloads(network: Network) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {name: s * rng.integers(-4, 5, s.shape) for name, s in nets.spikes(network, 2, 14).items()}


SETTINGS = (
    {},
    {"reset_interval": 5, "reset_offset": 3},
    {"connection": models.sparse()},
    {"connection": models.sparse(), "delay": 2},
)


@pytest.fixture(scope="module")
def runs(lava: Environment) -> dict[str, list[tuple[Job, Recording]]]:
    """Return model -> its networks and what Lava recorded of them, all in one start."""
    made = {name: [models.network(model, **s) for s in SETTINGS] for name, model in models.MODELS.items()}
    jobs = [(name, (n, drive(n))) for name, networks in made.items() for n in networks for drive in (short, payloads)]
    found = run_many([job for _, job in jobs])
    return {
        wanted: [(job, run) for (name, job), run in zip(jobs, found, strict=True) if name == wanted] for wanted in made
    }


def short(network: Network) -> dict[str, np.ndarray]:
    return nets.spikes(network, 2, 12)


@pytest.mark.parametrize("name", models.MODELS)
def test_models_with_plain_and_graded_input_resets_and_sparse_synapses(runs, name: str) -> None:
    model = models.MODELS[name]
    assert len(runs[name]) == 2 * len(SETTINGS)
    expected = [assert_equal(job, found) for job, found in runs[name]]
    fired = sum(int((run.spikes["model"] != 0).sum()) for run in expected)
    silent = isinstance(model, Lif) and not model.spiking
    assert silent != (fired > 20), f"{fired} spikes"


def test_a_few_networks_are_the_same_on_lavas_own_runtime() -> None:
    names = ("ternary", "all of these", "sigma-delta, scaled", "izhikevich")
    networks = [models.network(models.MODELS[name], models.sparse(), reset_interval=4) for name in names]
    networks += [models.network(models.MODELS["delta"], models.sparse(), delay=1)]
    jobs = [(network, nets.spikes(network, 1, 9)) for network in networks]
    for job, threads, runtime in zip(jobs, run_many(jobs), run_many(jobs, engine="runtime"), strict=True):
        assert_equal(job, threads)
        assert_equal(job, runtime)
        assert runtime.versions == threads.versions


def test_plain_networks_in_threads() -> None:
    networks = [make() for make in (nets.dense_chain, nets.convolutions, nets.loops_and_delays, nets.islands)]
    jobs = [(network, nets.spikes(network)) for network in networks]
    for job, found in zip(jobs, run_many(jobs), strict=True):
        assert_equal(job, found)


def test_the_longest_delay_through_sparse_synapses() -> None:
    network = models.network(models.MODELS["ternary"], models.sparse(), delay=62)
    job = network, nets.spikes(network, 1, 9)
    assert assert_equal(job, run_many([job])[0]).spikes["plain"].any()


def test_an_answer_by_state_is_recorded_unasked() -> None:
    network = models.network(models.MODELS["integrator"])
    read = Network(network.ports, network.populations[:1], network.projections[:1], ("model",))
    job = read, nets.spikes(read, 1, 5)
    found = run_many([job], record=("s",))[0]
    assert (set(found.u), set(found.v), found.readouts) == (set(), {"model"}, ("model",))
    assert (found.v["model"] == golden.run(*job).v["model"]).all()


def test_cells_of_an_image_keep_their_place_through_sparse_synapses() -> None:
    rng = np.random.default_rng(9)
    weight = nets.weights(rng, 6, 12) * rng.integers(0, 2, (6, 12))
    base = nets.one_layer()
    layer = nets.replace_shape(base, (1, 4, 3), (2, 1, 3), Sparse.from_dense(weight))
    job = layer, nets.spikes(layer)
    assert_equal(job, run_many([job])[0])
