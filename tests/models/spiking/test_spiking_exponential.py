import numba
import numpy as np
import pytest

from neurodeploy.models.spiking.exponential import LOWEST, exponential


@numba.njit
def each(z):
    result = np.empty_like(z)
    for i in range(len(z)):
        result[i] = exponential(z[i])
    return result


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-7), (np.float64, 1e-15)])
def test_compiled_exponentials_are_those_of_the_library_to_rounding(dtype, tolerance):
    z = np.concatenate([np.linspace(-87, 0, 300_001), -np.geomspace(1e-30, 1, 1000), [0.0, -0.0]]).astype(dtype)
    exact = np.exp(z.astype(np.longdouble))
    found = each(z)
    assert found.dtype == dtype
    assert np.abs(found / exact - 1).max() < tolerance
    assert found[-1] == found[-2] == 1.0
    assert np.array_equal(exponential(z), np.exp(z))


def test_what_has_no_normal_number_is_as_small_as_the_lowest_that_has():
    floor = each(np.array([LOWEST], np.float32))[0]
    assert np.isnan(each(np.array([np.nan], np.float32))[0])
    assert 0 < floor < 2e-38
    assert (each(np.array([-88, -1e9, -np.inf], np.float32)) == floor).all()
