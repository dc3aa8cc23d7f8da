"""Soft squares of the micrograph: their area, their place, and the sense in which they turn."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.simulate.sem import draw_squares


def drawn(angle: float, *, row: float = 12.3, col: float = 11.6, edge: float = 8.0) -> np.ndarray:
    """One square of brightness 3 on black, (25, 25)."""
    signal = np.zeros((25, 25))
    one = np.ones(1)
    draw_squares(signal, row * one, col * one, edge * one, angle * one, 3.0 * one, 0.5)
    return signal


def test_a_square_has_its_area_and_its_centre() -> None:
    signal = drawn(0.2)
    row, col = np.indices(signal.shape)
    assert signal.sum() == pytest.approx(3.0 * 64.0, rel=0.02)
    assert np.sum(row * signal) / signal.sum() == pytest.approx(12.3, abs=0.02)
    assert np.sum(col * signal) / signal.sum() == pytest.approx(11.6, abs=0.02)


def test_a_square_turns_counter_clockwise_as_displayed() -> None:
    """Turned by 20 degrees, the corner at 45 degrees goes to 65: far up, a little to the right."""
    signal = drawn(np.radians(20.0), row=12.0, col=12.0, edge=10.0)
    assert signal[12 - 6, 12 + 3] > 5.0 * signal[12 - 6, 12 - 3]


def test_a_square_beyond_the_border_is_cut() -> None:
    assert drawn(0.0, row=0.0, col=12.0).sum() == pytest.approx(3.0 * 8.0 * 4.5, rel=0.05)
    assert drawn(0.0, row=-20.0).sum() == 0.0
