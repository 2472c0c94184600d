"""How numbers are written."""

import math

import pytest

from metric_robustness.pipeline.scoring.tables.format import digits, plain, with_margin


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.0, "1.23457e+06"),
        (0.1 + 0.2, "0.3"),
        (-1e-17, "0"),
        (-math.inf, "-inf"),
        (math.nan, ""),
        (4e-7, "4e-07"),
    ],
)
def test_digits(value, text):
    assert digits(value) == text


@pytest.mark.parametrize(("value", "held"), [(0.25, 0.25), (-math.inf, "-inf"), (math.inf, "inf"), (math.nan, None)])
def test_plain(value, held):
    assert plain(value) == held


@pytest.mark.parametrize(
    ("value", "interval", "text"),
    [
        (0.5, (0.4, 0.7), "0.500 ±0.150"),
        (-0.0001, (-0.01, 0.01), "0.000 ±0.010"),
        (-math.inf, (math.nan, math.nan), "-inf"),
        (math.nan, (0, 1), "n/a"),
    ],
)
def test_with_margin(value, interval, text):
    assert with_margin(value, interval) == text
