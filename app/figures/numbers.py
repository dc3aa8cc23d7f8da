"""Numbers as text where an uncertainty may be missing."""

from __future__ import annotations

import math

from app.figures.words import suffix, with_error, with_minus


def value_text(value: float, error: float | None, unit: str) -> str:
    """A value with its uncertainty, or to four digits where it has none; degrees without a space."""
    if error is not None and math.isfinite(error) and error > 0:
        return with_error(value, error) + suffix(unit)
    if not math.isfinite(value):
        return "–"
    return with_minus(f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}") + suffix(unit)
