from dataclasses import replace

import pytest

from neurodeploy.graph import Delay, frozen_array
from neurodeploy.passes import normalise_dt
from neurodeploy.semantics import Semantics
from tests.passes.small_graphs import chain, lif, linear


@pytest.mark.parametrize("dt", [1.0, 1e-4])
def test_spikes_do_not_depend_on_the_unit_of_time(rng, same_spikes, dt):
    current = replace(lif(5), tau_syn=frozen_array(4e-3), w_in=frozen_array(2.0))
    integrating = replace(
        lif(4), tau_mem=None, v_leak=None, r=frozen_array(200.0), semantics=Semantics(reset="zero", if_gain="r*dt")
    )
    delay = Delay(frozen_array(2e-3))
    graph = chain((6,), linear(rng, 6, 5), current, delay, linear(rng, 5, 4), integrating)
    after = normalise_dt(graph, dt)
    assert after.dt == dt
    same_spikes(graph, after)


def test_equal_steps_change_nothing(rng):
    graph = chain((6,), linear(rng, 6, 5), lif(5))
    assert normalise_dt(graph, graph.dt) is graph
