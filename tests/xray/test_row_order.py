"""The order of rows: told where neighbouring rows show it, never guessed where they cannot."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.xray.row_order import row_order


def crystal(rows: int, cols: int, *, shift: float, noise: float, seed: int) -> np.ndarray:
    """A turned rectangle, ``shift`` columns off the middle, brighter inside."""
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[:rows, :cols].astype(float)
    x, y, angle = col - cols / 2 + 0.5 - shift, row - rows / 2 + 0.5, rng.uniform(0, np.pi / 2)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = np.maximum(np.abs(u) / (0.33 * cols), np.abs(v) / (0.33 * rows)) < 1.0
    return inside + noise * rng.standard_normal((rows, cols))


def turned(values: np.ndarray) -> np.ndarray:
    back = values.copy()
    back[1::2] = back[1::2, ::-1]
    return back


@pytest.mark.parametrize("shape", [(15, 15), (12, 30), (61, 61)])
@pytest.mark.parametrize("shift", [3.0, -4.5])
def test_a_crystal_off_the_middle_shows_the_order(shape: tuple[int, int], shift: float) -> None:
    values = crystal(*shape, shift=shift, noise=0.1, seed=4)
    order = row_order(values)
    assert order.right is True
    assert order.as_placed > order.turned
    back = row_order(turned(values))
    assert back.right is False
    assert (back.as_placed, back.turned) == pytest.approx((order.turned, order.as_placed))


def test_it_is_never_told_wrong() -> None:
    verdicts = [
        row_order(crystal(15, 15, shift=shift, noise=noise, seed=seed)).right
        for shift in (0.0, 0.5, 2.0)
        for noise in (0.05, 0.5, 2.0)
        for seed in range(20)
    ]
    assert False not in verdicts
    assert {True, None} <= set(verdicts)


def test_missing_points_are_left_out() -> None:
    values = crystal(20, 20, shift=4.0, noise=0.05, seed=1)
    values[3, 2:9] = values[11] = np.nan
    assert row_order(values).right is True
    assert row_order(turned(values)).right is False


@pytest.mark.parametrize(
    "values", [np.zeros((9, 9)), np.full((9, 9), np.nan), np.arange(9.0).reshape(3, 3), np.eye(12, 3)]
)
def test_what_shows_nothing_gives_no_verdict(values: np.ndarray) -> None:
    assert row_order(values).right is None
