"""Wide angles on the X-ray page: rings over q and phi, and the angular cross-correlation of two rings."""

from __future__ import annotations

from urllib.parse import quote

import plotly.graph_objects as go
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from analysis.records import Result, WideAngle, XrayReduction
from app.figures import xray_wide
from app.figures.theme import Scheme, blank
from app.figures.words import with_error
from app.library import library
from app.pages import instrument, parts
from app.pages.instrument import choice, chosen
from app.pages.xray_point import pins_of
from app.wide_angle import (
    CENTRE,
    EDGE,
    EVERYWHERE,
    Place,
    averaged,
    correlation_of,
    pair_key,
    pairs_of,
    ring_total,
)

SHOWN = (("q", "I(q)"), ("phi", "I(φ)"))
WHERE = ((EVERYWHERE, "whole crystal"), (CENTRE, "centre"), (EDGE, "edge"))
NOTHING = "No wide-angle rings were measured in this scan."
NO_PAIR = "Fewer than two rings lie on the detector."
NO_POINTS = "No point with fitted spots there."


def register(app: Dash) -> None:
    """Callbacks of both panels."""

    @app.callback(
        Output("wide", "figure"),
        Output("wide-csv", "href"),
        Input(parts.view("wv"), "value"),
        Input(parts.view("wr"), "value"),
        Input(parts.view("a"), "value"),
        Input(parts.view("b"), "value"),
        Input(parts.view("xn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_rings(drawn: str, ring: str, a: str, b: str, wanted: str, sample_id: str):
        view = {"wv": drawn, "wr": ring, "a": a, "b": b}
        scan = chosen(library().result(sample_id).xray, wanted)
        return _rings(sample_id, scan, view, parts.current_scheme())

    @app.callback(
        Output("axcca", "figure"),
        Output("axcca-words", "children"),
        Output("axcca-csv", "href"),
        Input(parts.view("ac"), "value"),
        Input(parts.view("ap"), "value"),
        Input(parts.view("a"), "value"),
        Input(parts.view("b"), "value"),
        Input(parts.view("xn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_correlation(pair: str, where: str, a: str, b: str, wanted: str, sample_id: str):
        view = {"ac": pair, "ap": where, "a": a, "b": b}
        scan = chosen(library().result(sample_id).xray, wanted)
        return _correlation(sample_id, scan, view, parts.current_scheme())


def panels(result: Result, scan: XrayReduction, view: dict[str, str], scheme: Scheme) -> list[Component]:
    """The panel of the rings and that of their correlation."""
    return [_ring_panel(result, scan, view, scheme), _correlation_panel(result, scan, view, scheme)]


def _ring_panel(result: Result, scan: XrayReduction, view: dict[str, str], scheme: Scheme) -> Component:
    figure, address = _rings(result.sample_id, scan, view, scheme)
    rings = [(name, name) for name in _over_scans(result, lambda wide: list(wide.ring_names))]
    name = f"{result.sample_id}_wide_angle"
    return parts.panel(
        "Wide angles",
        parts.graph("wide", figure, label="Wide-angle scattering along q or along a ring"),
        controls=[
            parts.switch("wv", choice(view.get("wv"), SHOWN), SHOWN, label="Wide angles along"),
            _narrow("wr", view.get("wr", ""), rings, label="Ring"),
        ],
        actions=[
            instrument.file_link(
                address, f"{name}.csv", text="CSV", testid="csv-wide_angle", link_id="wide-csv"
            ),
            *parts.picture_buttons("wide", name),
        ],
        testid="panel-wide",
    )


def _correlation_panel(
    result: Result, scan: XrayReduction, view: dict[str, str], scheme: Scheme
) -> Component:
    figure, words, address = _correlation(result.sample_id, scan, view, scheme)
    pairs = _over_scans(result, lambda wide: [pair_key(pair) for pair in pairs_of(wide)])
    options = [(key, key.replace("-", " × ")) for key in pairs]
    name = f"{result.sample_id}_cross_correlation"
    return parts.panel(
        "Cross-correlation (AXCCA)",
        [
            parts.graph("axcca", figure, label="Angular cross-correlation of two rings over the angle"),
            html.P(words, id="axcca-words", className="caption", role="status"),
        ],
        controls=[
            _narrow("ac", view.get("ac", ""), options, label="Rings"),
            parts.select("ap", choice(view.get("ap"), WHERE), WHERE, label="Points averaged"),
        ],
        actions=[
            instrument.file_link(
                address, f"{name}.csv", text="CSV", testid="csv-cross_correlation", link_id="axcca-csv"
            ),
            *parts.picture_buttons("axcca", name),
        ],
        testid="panel-axcca",
    )


def _over_scans(result: Result, names_of) -> list[str]:
    """Names that any scan of a sample has, in order."""
    return list(
        dict.fromkeys(
            name for scan in result.xray if scan.wide_angle is not None for name in names_of(scan.wide_angle)
        )
    )


def _narrow(name: str, value: str, options: list[tuple[str, str]], *, label: str) -> Component:
    """A short drop-down; hidden where there is nothing to choose."""
    if not options:
        return instrument.hidden(name, "")
    control = parts.select(name, value, options, label=label)
    control.w = 104
    return control


def _rings(
    sample_id: str, scan: XrayReduction, view: dict[str, str], scheme: Scheme
) -> tuple[go.Figure, str]:
    """Figure of the rings and the address of its CSV."""
    wide, pins = scan.wide_angle, pins_of(scan, view)
    address = f"/csv/{sample_id}/xray/{scan.index}/wide.csv"
    if wide is None:
        return blank(NOTHING, scheme), address
    if choice(view.get("wv"), SHOWN) == "q":
        return xray_wide.wide_radial_figure(wide, radial_curves(wide, pins), scheme=scheme), address
    ring = choice(view.get("wr"), [(name, name) for name in wide.ring_names])
    figure = xray_wide.azimuth_figure(
        ring_curves(sample_id, scan, ring, pins),
        ring=ring,
        marks=[(name, xray_wide.spot_places_deg(wide, *place, ring)) for name, place in pins.items()],
        scheme=scheme,
    )
    return figure, f"/csv/{sample_id}/xray/{scan.index}/ring.csv?ring={quote(ring)}{_asked(pins)}"


def radial_curves(wide: WideAngle, pins: dict[str, Place]) -> list[xray_wide.Curve]:
    """I(q) of the crystal's mean; point by point its error is not kept."""
    at_pins = [
        (_named(name, place), wide.radial[place].astype(float), 0.0 * wide.q_per_nm)
        for name, place in pins.items()
    ]
    return [*at_pins, (xray_wide.MEAN, wide.average_radial, wide.average_radial_err)]


def ring_curves(
    sample_id: str, scan: XrayReduction, ring: str, pins: dict[str, Place]
) -> list[xray_wide.Curve]:
    """I(phi) along a ring: pinned points and the crystal's mean."""
    wide = scan.wide_angle
    if wide is None:
        return []
    number = wide.ring_names.index(ring)
    total, points = ring_total(sample_id, scan.index, EVERYWHERE)
    curves = [
        (
            _named(name, place),
            *xray_wide.ring_curve(wide, number, wide.azimuthal[place][number].astype(float), 1),
        )
        for name, place in pins.items()
    ]
    return (
        [*curves, (xray_wide.MEAN, *xray_wide.ring_curve(wide, number, total[number], points))]
        if points
        else curves
    )


def _correlation(
    sample_id: str, scan: XrayReduction, view: dict[str, str], scheme: Scheme
) -> tuple[go.Figure, str, str]:
    """Figure of a pair of rings, what is to be said of it, and the address of its CSV."""
    wide = scan.wide_angle
    address = f"/csv/{sample_id}/xray/{scan.index}/correlation.csv"
    if wide is None:
        return blank(NOTHING, scheme), "", address
    pairs = {pair_key(pair): pair for pair in pairs_of(wide)}
    if not pairs:
        return blank(NO_PAIR, scheme), "", address
    key = choice(view.get("ac"), [(name, name) for name in pairs])
    where, pins = choice(view.get("ap"), WHERE), pins_of(scan, view)
    mean = averaged(sample_id, scan.index, pairs[key], where)
    pinned = [(_named(name, place), *correlation_of(wide, pairs[key], place)) for name, place in pins.items()]
    figure = xray_wide.correlation_figure(
        None if mean is None else mean.correlation, pinned, pair=key, scheme=scheme
    )
    words = NO_POINTS
    if mean is not None:
        turn = with_error(mean.turn_deg, mean.turn_err_deg, "deg")
        words = f"mean of {mean.points} points ± its standard error; four-fold part at Δ = {turn}"
    return figure, words, f"{address}?pair={quote(key)}&points={where}{_asked(pins)}"


def _named(name: str, place: Place) -> str:
    return f"{name}: row {place[0]}, col {place[1]}"


def _asked(pins: dict[str, Place]) -> str:
    """The pins for an address."""
    return "".join(f"&{name.lower()}={row}.{col}" for name, (row, col) in pins.items())
