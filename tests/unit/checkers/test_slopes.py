"""Slopes with their uncertainty."""

from __future__ import annotations

import random

import pytest

from capsize.checkers.slopes import POINTS_MAX, theil_sen


def test_a_straight_line_has_its_slope_and_no_doubt() -> None:
    """Every pair says the same."""
    slope = theil_sen([0.0, 1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 5.0, 7.0, 9.0])
    assert slope is not None
    assert (slope.middle, slope.low, slope.high, slope.n) == (2.0, 2.0, 2.0, 5)


def test_outliers_do_not_turn_it() -> None:
    """Two of ten points are far off."""
    ys = [float(n) for n in range(10)]
    ys[3], ys[8] = 500.0, -300.0
    slope = theil_sen([float(n) for n in range(10)], ys)
    assert slope is not None
    assert slope.middle == pytest.approx(1.0, abs=0.3)


def test_one_point_has_no_slope() -> None:
    """Nor have several at one moment."""
    assert theil_sen([1.0], [2.0]) is None
    assert theil_sen([1.0, 1.0], [2.0, 3.0]) is None


def test_the_interval_holds_the_true_slope_about_as_often_as_it_says() -> None:
    """95% by construction: at least 90% of 300 noisy lines, whose noise dwarfs the slope."""
    draw = random.Random(7)
    inside = 0
    for _ in range(300):
        ys = [0.1 * n + draw.gauss(0.0, 1.0) for n in range(15)]
        slope = theil_sen([float(n) for n in range(15)], ys)
        assert slope is not None
        inside += slope.low <= 0.1 <= slope.high
    assert inside >= 270


def test_noise_without_a_trend_seldom_looks_like_growth() -> None:
    """A lower bound above zero comes by chance in about one of forty cases."""
    draw = random.Random(11)
    grown = 0
    for _ in range(300):
        slope = theil_sen([float(n) for n in range(6)], [draw.gauss(1.0, 0.3) for _ in range(6)])
        assert slope is not None
        grown += slope.low > 0
    assert grown <= 15


def test_very_many_points_are_thinned_out() -> None:
    """The pairs of ten thousand points would take minutes."""
    slope = theil_sen([float(n) for n in range(10_000)], [2.0 * n for n in range(10_000)])
    assert slope is not None
    assert slope.n <= POINTS_MAX
    assert slope.middle == 2.0
