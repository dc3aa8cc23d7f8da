"""Numbers and names as people read them: a value in the same breath as its uncertainty."""

from __future__ import annotations

import math

from analysis.records import Measured

QUANTITY_NAME = {
    "intensity": "intensity",
    "a_sc": "⟨a<sub>SC</sub>⟩",
    "a1": "a<sub>1</sub>",
    "a2": "a<sub>2</sub>",
    "gamma": "γ",
    "psi": "ψ",
    "a_al": "a<sub>AL</sub>",
    "spacing": "1/δk",
    "modulus": "E",
    "height": "h",
}
"""Names with markup that plotly understands."""

QUANTITY_TEXT = {
    "intensity": "intensity",
    "a_sc": "⟨a_SC⟩",
    "a_sc_err": "σ(⟨a_SC⟩)",
    "a1": "a₁",
    "a2": "a₂",
    "gamma": "γ",
    "psi": "ψ",
    "a_al": "a_AL",
    "spacing": "1/δk",
    "modulus": "E",
    "height": "h",
    "status": "status",
}
"""The same names without markup."""

UNIT_TEXT = {
    "um": "µm",
    "nm/um": "nm/µm",
    "GPa/um": "GPa/µm",
    "deg": "°",
    "degrees": "°",
    "nm^-1": "nm⁻¹",
    "1/nm": "nm⁻¹",
}

SMALLEST = 0.001
"""Spreads and systematics below this, in the unit of their number, are written as "under"."""

STATUS_TEXT = {
    "ok": "fitted",
    "no_signal": "no signal: outside the crystal or too few photons",
    "masked_peak": "a peak lies under the mask",
    "no_convergence": "the fit did not converge",
    "ambiguous_lattice": "the four peaks fit more than one lattice",
    "partial_beam": "the beam is only partly on the crystal",
    "saturated": "the detector was saturated",
    "frame_missing": "the frame is missing",
    "no_peak": "no lattice peak",
    "few_periods": "fewer than 10 periods in the region",
    "undersampled": "fewer than 4 px a period",
    "ring": "a ring, not spots: polycrystalline",
    "bar": "in the information bar",
    "outside": "outside the crystal",
    "edge": "steep facet at the edge",
    "clipped": "clipped by the instrument",
    "masked": "masked, or its height was filled in",
    "not_finite": "not a number",
}


VERDICT_TEXT = {
    "counted": "counted",
    "file_mask": "masked by the detector file: gap or dead pixel",
    "user_mask": "masked by the user",
    "never_read": "never read out",
    "hot": "hot: high in every frame",
    "flickering": "flickering: jumps as no neighbour does",
    "beamstop": "in the shadow of the beamstop",
    "arm": "in the shadow of the beamstop's arm",
    "gap_edge": "beside a gap, counting otherwise",
    "outside_q": "outside the q range that is used",
}
"""Why a detector pixel is left out."""


def unit_text(unit: str) -> str:
    """A unit as shown: um becomes µm, deg becomes the degree sign."""
    return UNIT_TEXT.get(unit, unit)


def with_error(value: float, err: float | None, unit: str = "") -> str:
    """``14.863 ± 0.021 nm``: two digits of the uncertainty, as many of the value; a dash for NaN."""
    if not math.isfinite(value):
        return "–"
    if err is None or not math.isfinite(err) or err <= 0:
        return with_minus(f"{value:.3g}") + suffix(unit)
    digits = decimals(err)
    # Zero added to what is rounded to it takes away its sign.
    return with_minus(f"{round(value, digits) + 0.0:.{digits}f}") + f" ± {err:.{digits}f}{suffix(unit)}"


def with_minus(number: str) -> str:
    """A number as text with the minus sign of print; for people, never for a file."""
    return number.replace("-", "−")


def printed(sentence: str) -> str:
    """A sentence of a report, which is plain ASCII, with the signs of print."""
    return sentence.replace("+-", "±").replace("nm^-1", "nm⁻¹")


def suffix(unit: str) -> str:
    """What follows a number: nothing, the degree sign at once, or a space and the unit."""
    unit = unit_text(unit)
    return unit if unit in {"", "°"} else f" {unit}"


def size_text(value: float, unit: str) -> str:
    """A spread or systematic uncertainty to two digits, without an exponent; a tiny one as a limit."""
    if not math.isfinite(value):
        return "–"
    if value < SMALLEST:
        return f"under {SMALLEST:g}{suffix(unit)}"
    return f"{value:.{decimals(value)}f}{suffix(unit)}"


def decimals(err: float) -> int:
    """Decimal places that show two digits of an uncertainty above 0, so that it is never written as 0."""
    return max(0, 1 - int(f"{err:.1e}".split("e")[1]))


def apart(value: float, err: float) -> tuple[str, str]:
    """A value and its uncertainty as two texts for two columns; empty for what is not known."""
    if not math.isfinite(value):
        return "", ""
    if not math.isfinite(err) or err <= 0:
        return with_minus(f"{value:.4g}"), ""
    digits = decimals(err)
    return with_minus(f"{value:.{digits}f}"), f"{err:.{digits}f}"


def measured_text(measured: Measured | None) -> str:
    """A measured number with its uncertainty and unit; a dash when there is none."""
    if measured is None:
        return "–"
    return with_error(measured.value, measured.err, measured.unit)
