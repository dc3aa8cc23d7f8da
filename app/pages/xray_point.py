"""The pattern at a scan point: under the cursor at once, A and B pinned, their difference, with the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from analysis.records import Array, Result, XrayReduction
from app.figures import xray_pattern
from app.figures.pattern import PATTERN_VIEWS
from app.figures.theme import Scheme, blank
from app.figures.xray_fit import Peak, peaks_at
from app.figures.xray_photons import photons_figure
from app.library import library
from app.pages import instrument, parts
from app.pages.instrument import choice, chosen, hidden

SHOWN = (("average", "mean"), ("a", "A"), ("b", "B"), ("a-b", "A − B"))
VIEWS = tuple((name, name) for name in PATTERN_VIEWS)
WIDE = ("wide", "WAXS")
PIN_WIDE = "Pin one point (A or B) and show it: its photons on the whole detector."
AXES = (("q", "nm⁻¹"), ("px", "px"))
EXTENT = (("near", "first orders"), ("all", "all q"))
FIT = (("on", "fit"), ("off", "counts only"))
ASK = "Point at the map: the pattern shows at once.<br>A click pins A, Shift + click pins B."

Place = tuple[int, int]


def register(app: Dash) -> None:
    """Callbacks of the pattern panel."""

    @app.callback(
        Output("xray-pattern", "figure"),
        Output("xray-pattern-name", "children"),
        Output("pattern-csv", "href"),
        Output("xray-pattern-box", "data-q-most"),
        Input(parts.view("pv"), "value"),
        Input(parts.view("pa"), "value"),
        Input(parts.view("fit"), "value"),
        Input(parts.view("pz"), "value"),
        Input(parts.view("ps"), "value"),
        Input(parts.view("a"), "value"),
        Input(parts.view("b"), "value"),
        Input(parts.view("xn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_pattern(
        drawn: str, axes: str, fit: str, extent: str, shown: str, a: str, b: str, wanted: str, sample_id: str
    ):
        view = {"pv": drawn, "pa": axes, "fit": fit, "pz": extent, "ps": shown, "a": a, "b": b}
        scan = chosen(library().result(sample_id).xray, wanted)
        return *_pattern(sample_id, scan, view, parts.current_scheme()), _live_extent(scan, view)


def panel(result: Result, scan: XrayReduction, view: dict[str, str], scheme: Scheme) -> Component:
    """The panel; a canvas over the graph shows the pattern under the cursor."""
    figure, name, address = _pattern(result.sample_id, scan, view, scheme)
    views = (*VIEWS, WIDE) if any(has_photons(one) for one in result.xray) else VIEWS
    return parts.panel(
        "Pattern",
        [
            html.Div(
                [
                    parts.switch("ps", choice(view.get("ps"), SHOWN), SHOWN, label="Pinned pattern"),
                    parts.switch("pz", choice(view.get("pz"), EXTENT), EXTENT, label="Part of the pattern"),
                    html.Span(name, id="xray-pattern-name", className="pattern-name"),
                ],
                className="pattern-bar",
            ),
            html.Div(
                [
                    parts.graph("xray-pattern", figure, label="Diffraction pattern with its fit"),
                    html.Canvas(id="pattern-live", className="pattern-live", **{"aria-hidden": "true"}),
                ],
                id="xray-pattern-box",
                className="pattern-box",
                **{"data-q-most": _live_extent(scan, view)},
            ),
            hidden("a", view.get("a", "")),
            hidden("b", view.get("b", "")),
        ],
        controls=[
            parts.switch("pv", choice(view.get("pv"), views), views, label="View of the pattern"),
            parts.switch("pa", choice(view.get("pa"), AXES), AXES, label="Axes of the detector"),
            parts.switch("fit", choice(view.get("fit"), FIT), FIT, label="Fit on the pattern"),
        ],
        actions=[
            instrument.file_link(
                address,
                f"{result.sample_id}_pattern.csv",
                text="CSV",
                testid="csv-pattern",
                link_id="pattern-csv",
            ),
            *parts.picture_buttons("xray-pattern", f"{result.sample_id}_pattern"),
        ],
        testid="pattern",
    )


def pin(text: str, shape: Place) -> Place | None:
    """Row and column that an address names as ``row.col``; None for anything that is not on the grid."""
    words = text.split(".")
    if len(words) != 2 or not all(word.isascii() and word.isdigit() and len(word) < 7 for word in words):
        return None
    row, col = int(words[0]), int(words[1])
    return (row, col) if row < shape[0] and col < shape[1] else None


def pins_of(scan: XrayReduction, view: Mapping[str, object]) -> dict[str, Place]:
    """Rows and columns of the points A and B that are pinned."""
    found = {name.upper(): pin(str(view.get(name) or ""), scan.grid.shape) for name in ("a", "b")}
    return {name: place for name, place in found.items() if place is not None}


def _pattern(sample_id: str, scan: XrayReduction, view: dict[str, str], scheme: Scheme):
    """Figure, name and address of the CSV of what is pinned; the average while nothing is."""
    pins = {name: pin(view.get(name) or "", scan.grid.shape) for name in ("a", "b")}
    shown = choice(view.get("ps"), SHOWN)
    places = [pins[name] for name in shown.split("-") if name in pins]
    if view.get("pv") == WIDE[0] and has_photons(scan):
        return _whole_detector(sample_id, scan, places, view, scheme)
    address = f"/csv/{sample_id}/xray/{scan.index}"
    if shown != "average" and (scan.patterns is None or not places or None in places):
        return blank(ASK, scheme), "nothing pinned", f"{address}/average.csv"
    if not places:
        return (
            _draw(scan.average_pattern, scan, [], view, scheme),
            "mean of the crystal",
            f"{address}/average.csv",
        )
    frames = [
        library().pattern(sample_id, index=scan.index, row=r, col=c).astype(np.float64) for r, c in places
    ]
    counts = frames[0] - frames[1] if len(frames) > 1 else frames[0]
    query = "&".join(f"row{n}={r}&col{n}={c}" for n, (r, c) in zip(("", "2"), places, strict=False))
    name = " − ".join(_place_name(scan, place) for place in places)
    return _draw(counts, scan, places, view, scheme), name, f"{address}/pattern.csv?{query}"


def has_photons(scan: XrayReduction) -> bool:
    """Whether photons beyond the small angles were kept."""
    return scan.wide_angle is not None and scan.wide_angle.events is not None


def _whole_detector(
    sample_id: str, scan: XrayReduction, places: Sequence[Place | None], view: dict[str, str], scheme: Scheme
) -> tuple[go.Figure, str, str]:
    """Figure, name and address of the CSV of one pinned point on the whole detector."""
    address = f"/csv/{sample_id}/xray/{scan.index}"
    if len(places) != 1 or places[0] is None or scan.patterns is None:
        return blank(PIN_WIDE, scheme), "nothing pinned", f"{address}/average.csv"
    row, col = places[0]
    figure = photons_figure(
        library().photons(sample_id, index=scan.index, row=row, col=col),
        library().pattern(sample_id, index=scan.index, row=row, col=col).astype(np.float64),
        scan,
        (row, col),
        scheme=scheme,
        fit=choice(view.get("fit"), FIT) == "on",
    )
    return figure, _place_name(scan, (row, col)), f"{address}/photons.csv?row={row}&col={col}"


def _extent(scan: XrayReduction, view: dict[str, str]) -> float | None:
    """Largest q in nm^-1 that is drawn, or None for all."""
    return xray_pattern.near_q_per_nm(scan) if choice(view.get("pz"), EXTENT) == "near" else None


def _live_extent(scan: XrayReduction, view: dict[str, str]) -> str:
    """The same for the picture under the cursor."""
    most = _extent(scan, view)
    return "" if most is None else f"{most:.4f}"


def _place_name(scan: XrayReduction, place: Place) -> str:
    row, col = place
    value, s = scan.maps["a_sc"].values[row, col], scan.coordinate
    words = f"row {row}, col {col}"
    if s is not None and np.isfinite(s.s["rectangle"][row, col]):
        words += f", s {s.s['rectangle'][row, col]:.2f}"
    return words + (f", {value:.2f} nm" if np.isfinite(value) else "")


def _draw(
    counts: Array, scan: XrayReduction, places: list[Place], view: dict[str, str], scheme: Scheme
) -> go.Figure:
    drawn, difference = choice(view.get("pv"), VIEWS), len(places) > 1
    peaks: tuple[Peak, ...] = ()
    if places and not difference and choice(view.get("fit"), FIT) == "on":
        peaks = peaks_at(scan, *places[0])
    if drawn == "q":
        curves = [(f"row {r}, col {c}", scan.radial[r, c], scan.radial_err[r, c]) for r, c in places]
        curves = curves or [("mean", scan.average_radial, scan.average_radial_err)]
        return xray_pattern.radial_figure(curves, scan, scheme=scheme, peaks=peaks)
    if drawn == "polar":
        return xray_pattern.polar_figure(
            counts, scan, scheme=scheme, peaks=peaks, difference=difference, q_most_per_nm=_extent(scan, view)
        )
    in_q = choice(view.get("pa"), AXES) == "q"
    return xray_pattern.detector_figure(
        counts,
        scan,
        scheme=scheme,
        in_q=in_q,
        peaks=peaks,
        difference=difference,
        q_most_per_nm=_extent(scan, view),
    )
