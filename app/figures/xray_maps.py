"""Maps of one scan: values, uncertainties and status, with what failed told apart from what is low."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.records import XRAY_STATUS, Array, XrayReduction
from app.figures.maps import (
    FAILED,
    LIMITS,
    add_scale_bar,
    colour_limits,
    extent_um,
    heatmap_trace,
    iso_lines_trace,
    outline_traces,
    physical_axes,
)
from app.figures.numbers import value_text
from app.figures.reasons import NOTHING_THERE, reason_trace
from app.figures.theme import CURSOR, Scheme, template
from app.figures.words import STATUS_TEXT, unit_text

QUANTITIES = {
    "intensity": "intensity",
    "a_sc": "⟨a_SC⟩",
    "a1": "a₁",
    "a2": "a₂",
    "gamma": "γ",
    "psi": "ψ",
    "a_sc_shift": "form-factor shift of ⟨a_SC⟩",
    "q1": "q₁",
    "q2": "q₂",
    "sigma_q": "peak width σ_q",
    "photons": "photons in the peaks",
    "goodness": "goodness of fit",
    "a_al": "a_AL",
    "atomic_orientation": "atomic [100], φ",
    "atomic_angle": "atomic [100] − a₁",
    "mosaic": "mosaic spread",
    "nc_size_scherrer": "NC size, Scherrer",
    "atomic_photons": "photons in the WAXS spots",
    "partial_beam": "beam partly on the crystal",
}
"""Maps in the order in which they are offered, with their names; others follow under their own."""

ERROR = "_err"
STATUS = "status"
LOGARITHMIC = frozenset({"intensity", "photons", "atomic_photons"})
PERIOD_DEG = {"psi": 180.0, "atomic_orientation": 90.0, "atomic_angle": 90.0}
"""psi names an axis: it comes back after half a turn; directions of a cube after a quarter."""

STATUS_COLOUR = {
    "ok": "#56B4E9",
    "no_signal": "#c8cdd3",
    "masked_peak": "#CC79A7",
    "no_convergence": "#D55E00",
    "ambiguous_lattice": "#F0E442",
    "partial_beam": "#0072B2",
    "saturated": "#E69F00",
    "frame_missing": "#30363d",
}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a map shows: values and, where known, errors (rows, cols), name and unit as people read them."""

    key: str
    name: str
    unit: str
    values: Array
    errors: Array | None

    @property
    def is_log(self) -> bool:
        """Whether colours follow the logarithm."""
        return self.key in LOGARITHMIC


def offered(scan: XrayReduction) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of (key, name) of the maps that a scan has: values, 1-sigma errors, status."""
    known = [*(key for key in QUANTITIES if key in scan.maps), *(k for k in scan.maps if k not in QUANTITIES)]
    values = [(key, name_of(key)) for key in known if _has(scan.maps[key].values)]
    errors = [(key + ERROR, f"σ({name})") for key, name in values if _has(scan.maps[key].errors)]
    return [("Values", values), ("Statistical error, 1 σ", errors), ("Points", [(STATUS, "status")])]


def name_of(key: str) -> str:
    """What people call a map."""
    return QUANTITIES.get(key, key.replace("_", " "))


def keys_offered(scan: XrayReduction) -> list[str]:
    """The keys of :func:`offered` in one list."""
    return [key for _, group in offered(scan) for key, _ in group]


def shown(scan: XrayReduction, key: str) -> Shown:
    """Values, errors, name and unit behind a key (not ``status``)."""
    base = key.removesuffix(ERROR) if key not in scan.maps else key
    quantity = scan.maps[base]
    unit = unit_text(quantity.unit)
    if base == key:
        return Shown(key=key, name=name_of(base), unit=unit, values=quantity.values, errors=quantity.errors)
    errors = np.full(quantity.values.shape, np.nan) if quantity.errors is None else quantity.errors
    return Shown(key=key, name=f"σ({name_of(base)})", unit=unit, values=errors, errors=None)


def limits_of(what: Shown, choice: str, *, by_hand: tuple[float | None, float | None]) -> tuple[float, float]:
    """Colour limits: two percentiles, ``period`` (a whole one about the median) or two numbers by hand.

    A number that is missing or on the wrong side gives way to the percentile.
    """
    found = colour_limits(what.values, percentiles=LIMITS.get(choice, LIMITS["p1"]), log=what.is_log)
    period = PERIOD_DEG.get(what.key)
    if choice == "period" and period is not None:
        middle = float(np.nanmedian(what.values)) if np.isfinite(what.values).any() else 0.0
        return middle - period / 2, middle + period / 2
    if choice != "hand":
        return found if period is None else _without_repeat(found, period)
    low, high = (given if given is not None else limit for given, limit in zip(by_hand, found, strict=True))
    return (low, high) if low < high and (low > 0 or not what.is_log) else found


def _without_repeat(limits: tuple[float, float], period: float) -> tuple[float, float]:
    """Limits twice as wide, at most a period: values fill the middle of a cyclic scale, none twice."""
    middle, half = (limits[0] + limits[1]) / 2, min(limits[1] - limits[0], period / 2)
    return middle - half, middle + half


def map_figure(
    scan: XrayReduction,
    key: str,
    *,
    scheme: Scheme,
    limits: str = "p1",
    by_hand: tuple[float | None, float | None] = (None, None),
    pins: Mapping[str, tuple[int, int]] | None = None,
) -> go.Figure:
    """One map as displayed, x to the right, y down, in um, 1:1; see :data:`LIMITS` for ``limits``.

    ``pins`` are names and (row, col) of points whose patterns are kept.
    """
    figure = go.Figure(layout={"template": template(scheme)})
    if key == STATUS:
        figure.add_trace(status_trace(scan))
    else:
        _add_values(figure, scan, shown(scan, key), limits, by_hand)
    if scan.coordinate is not None and key != STATUS:
        figure.add_trace(iso_lines_trace(scan.grid, scan.coordinate.s["rectangle"]))
    if scan.outline is not None:
        figure.add_traces(outline_traces(scan.outline))
    _add_positions(figure, scan)
    _add_pins(figure, scan, pins or {})
    x_range, y_range = extent_um(scan.grid)
    physical_axes(figure, x_range=x_range, y_range=y_range)
    add_scale_bar(figure, x_range=x_range, y_range=y_range)
    return figure.update_layout(
        meta={**figure.layout.meta, "link": {"modality": "xray", "index": scan.index}},
        margin={"l": 8, "r": 8, "t": 12, "b": 4},
        uirevision=f"xray{scan.index}",
    )


def _add_values(
    figure: go.Figure,
    scan: XrayReduction,
    what: Shown,
    limits: str,
    by_hand: tuple[float | None, float | None],
) -> None:
    missing = ~np.isfinite(what.values)
    nothing_there = scan.status == XRAY_STATUS.index("no_signal")
    reason = np.array([STATUS_TEXT[XRAY_STATUS[code]] for code in scan.status.flat]).reshape(
        what.values.shape
    )
    figure.add_trace(
        reason_trace(scan.grid, missing & nothing_there, reason, colour=NOTHING_THERE, name="no signal")
    )
    figure.add_trace(
        reason_trace(scan.grid, missing & ~nothing_there, reason, colour=FAILED, name="no value")
    )
    figure.add_trace(
        heatmap_trace(
            scan.grid,
            what.values,
            quantity=what.key,
            unit=what.unit,
            limits=limits_of(what, limits, by_hand=by_hand),
            log=what.is_log,
            detail=_detail(scan, what),
        )
    )
    x, y = scan.grid.positions_um()
    failed = missing & ~nothing_there
    figure.add_trace(
        go.Scatter(
            x=x[failed],
            y=y[failed],
            mode="markers",
            hoverinfo="skip",
            showlegend=False,
            name="failed",
            marker={"symbol": "x-thin", "size": 7, "line": {"color": "#ffffff", "width": 1.5}},
        )
    )


def _detail(scan: XrayReduction, what: Shown) -> npt.NDArray[np.str_]:
    """What the hover label says of each point: value, uncertainty, status."""
    errors = np.full(what.values.shape, np.nan) if what.errors is None else what.errors
    words = [
        f"{value_text(value, error, what.unit)}, {STATUS_TEXT[XRAY_STATUS[code]]}"
        for value, error, code in zip(what.values.flat, errors.flat, scan.status.flat, strict=True)
    ]
    return np.array(words).reshape(what.values.shape)


def status_trace(scan: XrayReduction) -> go.Heatmap:
    """Status as categories: one colour a code, named beside the colour bar."""
    codes = [code for code in range(len(XRAY_STATUS)) if (scan.status == code).any()]
    place = np.full(len(XRAY_STATUS), np.nan)
    place[codes] = np.arange(len(codes))
    x_um, y_um, _ = scan.grid.displayed_axes()
    names = np.array([STATUS_TEXT[name] for name in XRAY_STATUS])
    steps = np.linspace(0.0, 1.0, len(codes) + 1)
    return go.Heatmap(
        x=x_um.astype(np.float32),
        y=y_um.astype(np.float32),
        z=scan.grid.displayed(place[scan.status]).astype(np.float32),
        text=scan.grid.displayed(names[scan.status]),
        zmin=-0.5,
        zmax=len(codes) - 0.5,
        colorscale=[
            [float(steps[number + side]), STATUS_COLOUR[XRAY_STATUS[code]]]
            for number, code in enumerate(codes)
            for side in (0, 1)
        ],
        colorbar={
            "tickvals": list(range(len(codes))),
            "ticktext": [XRAY_STATUS[code].replace("_", " ") for code in codes],
            "ticks": "",
        },
        hovertemplate="<b>%{text}</b><br>x %{x:.2f}, y %{y:.2f} µm<extra></extra>",
        name="status",
    )


def _add_positions(figure: go.Figure, scan: XrayReduction) -> None:
    if not scan.positions:
        return
    figure.add_trace(
        go.Scatter(
            x=[place.x_um for place in scan.positions],
            y=[place.y_um for place in scan.positions],
            mode="markers+text",
            text=[place.name.removeprefix("Pos") for place in scan.positions],
            textposition="middle right",
            textfont={"color": "#ffffff", "size": 11, "shadow": "auto"},
            marker={"symbol": "circle-open", "size": 8, "color": "#ffffff", "line": {"width": 1.5}},
            hoverinfo="skip",
            showlegend=False,
            name="positions",
        )
    )


def _add_pins(figure: go.Figure, scan: XrayReduction, pins: Mapping[str, tuple[int, int]]) -> None:
    x, y = scan.grid.positions_um()
    for name, place in pins.items():
        figure.add_annotation(
            x=float(x[place]),
            y=float(y[place]),
            text=name,
            name=f"pin {name}",
            ax=14,
            ay=-16,
            arrowhead=6,
            arrowwidth=1.5,
            arrowcolor=CURSOR,
            bgcolor=CURSOR,
            borderpad=2,
            font={"color": "#ffffff", "size": 11},
        )


def _has(values: Array | None) -> bool:
    return values is not None and bool(np.isfinite(values).any())
