"""What stands below the X-ray figures: geometry and its sources, uncertainties, points by status."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from dash import html
from dash.development.base_component import Component

from analysis.records import XRAY_STATUS, WideAngle, XrayReduction
from analysis.units import energy_kev_from_wavelength
from analysis.xray.efficiency import HORIZONTAL_POLARIZATION
from app.figures.numbers import value_text
from app.figures.words import (
    STATUS_TEXT,
    VERDICT_TEXT,
    measured_text,
    size_text,
    suffix,
    unit_text,
    with_error,
    with_minus,
)
from app.figures.xray_maps import STATUS_COLOUR, keys_offered, name_of
from app.figures.xray_verdicts import VERDICT_COLOUR, verdict_counts
from app.pages.instrument import facts, listed

Place = tuple[int, int]

QUOTED = (
    "a_sc", "a1", "a2", "gamma", "psi", "a_al", "atomic_orientation", "atomic_angle", "mosaic",
    "nc_size_scherrer",
)  # fmt: skip
READABLE = ("photons", "goodness", "atomic_photons")


def panels(scan: XrayReduction, pins: Mapping[str, Place] | None = None) -> list[Component]:
    """The panels of facts about one scan and the points that are pinned."""
    pins = pins or {}
    return [
        *([facts("Pinned", ("", *pins), pinned_rows(scan, pins), testid="pinned")] if pins else []),
        facts("Geometry", ("", "value", "from"), geometry_rows(scan), testid="geometry"),
        facts("Corrections", ("in this order", "value", "from"), correction_rows(scan), testid="corrections"),
        facts(
            "Uncertainty",
            ("", "statistical, median", "systematic"),
            uncertainty_rows(scan),
            testid="uncertainty",
        ),
        facts("Fit", ("", "median", "5 to 95 % of points"), fit_rows(scan), testid="fit-quality"),
        *_atomic_panels(scan),
        facts("Points", ("status", "n", "meaning"), status_rows(scan), testid="points"),
        *(
            [facts("Pixels of the region", ("verdict", "n", "meaning"), verdict_rows(scan), testid="pixels")]
            if scan.pixel_verdict is not None
            else []
        ),
        facts(
            "Positions",
            ("", "x, y (µm)", "q (nm⁻¹)", "⟨a_SC⟩ (nm)"),
            position_rows(scan),
            testid="positions-table",
        ),
        listed("Notes", scan.notes, nothing="Nothing to note."),
    ]


def geometry_rows(scan: XrayReduction) -> list[tuple[str, ...]]:
    """Name, value and source of everything that turns pixels into q."""
    at, source = scan.geometry, scan.geometry.sources
    distance = with_error(at.distance_mm, at.distance_err_mm) if at.distance_err_mm else f"{at.distance_mm:g}"
    pixel = " × ".join(f"{size:g}" for size in at.pixel_size_um)
    pixel += f" µm ± {at.pixel_size_err_pct:g} %" if at.pixel_size_err_pct else " µm"
    rows: list[tuple[str, ...]] = [
        (
            "Wavelength",
            f"{at.wavelength_nm:.5g} nm ({energy_kev_from_wavelength(at.wavelength_nm):.4g} keV)",
            source.get("wavelength_nm", ""),
        ),
        ("Distance", f"{distance} mm", source.get("distance_mm", "")),
        ("Pixel", pixel, source.get("pixel_size_um", "")),
        (
            "Beam centre",
            f"column {at.beam_center_px[0]:.2f}, row {at.beam_center_px[1]:.2f}",
            source.get("beam_center_px", ""),
        ),
        *_refined_rows(scan),
        ("Detector", f"{at.shape[0]} × {at.shape[1]} px", ""),
        ("Region kept", f"from row {scan.region[0]}, column {scan.region[1]}", "saxs_q_max_per_nm"),
    ]
    if any(at.rotations_rad):
        turns = ", ".join(with_minus(f"{turn:.4g}") for turn in at.rotations_rad)
        rows.append(("Rotations", f"{turns} rad", ".poni"))
    rows.append(("Grid", _grid_text(scan), scan.frames_path))
    return rows


def _refined_rows(scan: XrayReduction) -> list[tuple[str, ...]]:
    """The beam's place as pairs of peaks tell it, and how far it is from the one that was used."""
    found = scan.beam_center
    if found is None:
        return []
    place = f"column {with_error(found.column_px, found.column_err_px)}, "
    place += f"row {with_error(found.row_px, found.row_err_px)}"
    moved = with_minus(f"{found.shift_px[0]:+.3f}, {found.shift_px[1]:+.3f} px")
    source = f"{found.frames} frames' pairs ±b; {moved} from the one used"
    return [("Beam centre, refined", place, source + (", which had been refined" if found.applied else ""))]


def _grid_text(scan: XrayReduction) -> str:
    along, across = scan.grid.cell_um
    return f"{scan.grid.shape[0]} × {scan.grid.shape[1]} points, {across:g} × {along:g} µm"


def uncertainty_rows(scan: XrayReduction) -> list[tuple[str, ...]]:
    """Median statistical error of the points that have one, beside the systematic that all share."""
    rows = []
    for name in QUOTED:
        shown = scan.maps.get(name)
        if shown is None or not np.isfinite(shown.values).any():
            continue
        unit = suffix(shown.unit)
        errors = shown.errors[np.isfinite(shown.errors)] if shown.errors is not None else np.array([])
        median = f"± {np.median(errors):.2g}{unit}" if errors.size else "–"
        common = scan.systematic.get(name)
        rows.append((name_of(name), median, "–" if common is None else f"± {common:.2g}{unit}"))
    shift = scan.maps.get("a_sc_shift")
    if shift is not None and np.isfinite(shift.values).any():
        values = shift.values[np.isfinite(shift.values)]
        shifts = with_minus(f"{values.min():+.2g} to {values.max():+.2g} nm")
        rows.append(("Form factor", "not applied", shifts))
    return rows


def correction_rows(scan: XrayReduction) -> list[tuple[str, ...]]:
    """What multiplies the model, in the order in which a photon meets it; counts are never corrected."""
    at = scan.geometry
    share = HORIZONTAL_POLARIZATION if at.polarization is None else at.polarization
    holder = at.holder_transmission
    return [
        (
            "Polarization",
            f"{share:.4g} horizontal",
            at.sources.get("polarization", "sample.toml" if at.polarization is not None else "usual value"),
        ),
        (
            "Holder's absorption",
            "none" if holder is None else f"transmission {holder:.4g}, longer ways of oblique rays",
            "" if holder is None else at.sources.get("holder_transmission", "sample.toml"),
        ),
        ("Solid angle", "relative to normal incidence", ""),
    ]


def pinned_rows(scan: XrayReduction, pins: Mapping[str, Place]) -> list[tuple[object, ...]]:
    """Everything that was measured at the pinned points, one column a point."""
    rows: list[tuple[object, ...]] = [
        ("Row, column", *(f"{row}, {col}" for row, col in pins.values())),
        ("Status", *(STATUS_TEXT[XRAY_STATUS[scan.status[place]]] for place in pins.values())),
    ]
    if scan.coordinate is not None:
        s, error = scan.coordinate.s["rectangle"], scan.coordinate.s_err["rectangle"]
        rows.append(("s", *(with_error(float(s[place]), float(error[place])) for place in pins.values())))
    for key in keys_offered(scan):
        if key not in scan.maps:
            continue
        shown = scan.maps[key]
        values = [float(shown.values[place]) for place in pins.values()]
        errors = [None if shown.errors is None else float(shown.errors[place]) for place in pins.values()]
        if np.isfinite(values).any():
            unit = unit_text(shown.unit)
            texts = (value_text(v, e, "") for v, e in zip(values, errors, strict=True))
            cells = [html.Span(text, className="nowrap") for text in texts]
            rows.append((f"{name_of(key)} ({unit})" if unit else name_of(key), *cells))
    return rows


def _atomic_panels(scan: XrayReduction) -> list[Component]:
    wide = scan.wide_angle
    if wide is None:
        return []
    title = "Atomic lattice: " + (", ".join(wide.reflections) or "no reflections")
    headings = ("", "mean", "systematic", "spread", "n")
    notes = [*wide.notes]
    if wide.half_integer:
        notes.append(f"half-integer reflections seen in the average: {', '.join(wide.half_integer)}")
    return [
        facts(title, headings, atomic_rows(wide), testid="atomic"),
        *([listed("Wide angles", notes, nothing="")] if notes else []),
    ]


def atomic_rows(wide: WideAngle) -> list[tuple[str, ...]]:
    """Averages over the crystal with error, systematic part, spread and number; then systematics by cause."""
    rows = []
    for name, found in wide.quantities.items():
        if found is not None:
            common = "–" if found.sys is None else f"± {size_text(found.sys, found.unit)}"
            spread = "–" if found.std is None else size_text(found.std, found.unit)
            rows.append((name_of(name), measured_text(found), common, spread, f"{found.n or ''}"))
    for cause, size in wide.systematic.items():
        rows.append((f"of it: {cause.partition('.')[2] or cause}", "", f"± {size:.2g} nm", "", ""))
    return rows


def fit_rows(scan: XrayReduction) -> list[tuple[str, ...]]:
    """How many photons the fits rest on, and how well the model describes the counts (1 is as it should)."""
    rows = []
    for name in READABLE:
        values = scan.maps[name].values if name in scan.maps else np.array([])
        known = values[np.isfinite(values)]
        if known.size:
            low, median, high = np.percentile(known, (5.0, 50.0, 95.0))
            digits = (lambda n: f"{n:,.0f}") if median >= 100 else (lambda n: f"{n:.3g}")
            rows.append((name_of(name), digits(median), f"{digits(low)} to {digits(high)}"))
    return rows


def verdict_rows(scan: XrayReduction) -> list[tuple[object, ...]]:
    """Every verdict that occurs with its colour, number and meaning."""
    return [
        (
            [
                html.Span(className="swatch", style={"background": VERDICT_COLOUR.get(name, "transparent")}),
                f" {name.replace('_', ' ')}",
            ],
            f"{number:,}",
            VERDICT_TEXT[name],
        )
        for name, number in verdict_counts(scan).items()
    ]


def status_rows(scan: XrayReduction) -> list[tuple[object, ...]]:
    """Every status that occurs with its colour, number and meaning."""
    return [
        (
            [
                html.Span(className="swatch", style={"background": STATUS_COLOUR[name]}),
                f" {name.replace('_', ' ')}",
            ],
            f"{count}",
            STATUS_TEXT[name],
        )
        for code, name in enumerate(XRAY_STATUS)
        if (count := int((scan.status == code).sum()))
    ]


def position_rows(scan: XrayReduction) -> list[tuple[object, ...]]:
    """Place, first-order q and lattice constant of Pos1 (centre) to Pos5 (edge)."""
    rows = []
    for place in scan.positions:
        error = scan.maps["a_sc"].errors
        sigma = None if error is None else float(error[place.row, place.col])
        q = f"{place.q_per_nm:.3f}" if np.isfinite(place.q_per_nm) else "–"
        where = f"{place.x_um:.2f}, {place.y_um:.2f}"
        rows.append((place.name, where, q, html.Span(with_error(place.a_sc_nm, sigma), className="nowrap")))
    return rows
