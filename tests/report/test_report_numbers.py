"""How figures are written."""

from __future__ import annotations

import pytest

from neurodeploy.report.numbers import bounds, count, percent, rounded, si, significant, span


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 3, "0 J"),
        (7.7e-6, 1, "8 µJ"),
        (9.6e-7, 1, "1 µJ"),
        (9.996e-7, 3, "1 µJ"),
        (0.000481, 1, "500 µJ"),
        (1.18e-11, 3, "11.8 pJ"),
        (123.4, 3, "123 J"),
        (1234.0, 2, "1.2 kJ"),
        (2.5e-3, 2, "2.5 mJ"),
        (3e-18, 2, "0.003 fJ"),
        (-2e-3, 1, "-2 mJ"),
        (5e12, 1, "5000 GJ"),
    ],
)
def test_quantities(value, digits, text):
    assert si(value, "J", digits) == text


def test_bounds_name_the_unit_once_where_it_is_one():
    assert bounds({"low": 3e-6, "high": 1e-5}, "J", 1) == "3 to 10 µJ"
    assert bounds({"low": 9e-5, "high": 1e-3}, "J", 1) == "90 µJ to 1 mJ"
    assert bounds({"low": 2e-6, "high": 2.1e-6}, "J", 1) == "2 µJ"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (5, "5"), (1234567, "1,234,567"), (14.74, "14.7"), (0.0123, "0.0123"), (2345.6, "2,346")],
)
def test_counts(value, text):
    assert count(value) == text


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [(0.98611, 2, "98.61 %"), (0.0, 1, "0.0 %"), (0.00001, 1, "0.001 %"), (1.0, 1, "100.0 %"), (None, 1, "–")],
)
def test_a_small_share_is_never_written_as_none(share, decimals, text):
    assert percent(share, decimals) == text


def test_ranges_and_single_values():
    assert span([-1.5, 2]) == "-1.5 … 2"
    assert span(4096) == "4,096"
    assert span(None) == "–"
    assert significant(0.000123456) == "0.0001235"
    assert rounded(0.0, 2) == 0.0
    assert rounded(1994.0, 2) == 2000.0
