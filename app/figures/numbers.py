"""Numbers as text where an uncertainty may be missing."""

from __future__ import annotations

import math

from app.figures.words import unit_text, with_error


def value_text(value: float, error: float | None, unit: str) -> str:
    """A value with its uncertainty, or to four digits where it has none; degrees without a space."""
    if error is not None and math.isfinite(error) and error > 0:
        return with_error(value, error) + suffix(unit)
    if not math.isfinite(value):
        return "–"
    return (f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}") + suffix(unit)


def suffix(unit: str) -> str:
    """What follows a number: nothing, the degree sign at once, or a space and the unit."""
    unit = unit_text(unit)
    return unit if unit in {"", "°"} else f" {unit}"
