"""A number with its uncertainties."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One number with what is known of it; None where it does not apply.

    ``err`` is 1 sigma (statistical) of ``value``, ``sys`` the systematic part common to all points,
    ``std`` the spread (ddof = 0) of the ``n`` values behind it.
    """

    value: float
    unit: str
    err: float | None = None
    sys: float | None = None
    std: float | None = None
    n: int | None = None
