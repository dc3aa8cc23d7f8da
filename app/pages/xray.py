"""X-ray nanodiffraction of one sample: maps, the pattern at any point, profiles, averages, geometry."""

from __future__ import annotations

import dash
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from analysis.records import Result, XrayReduction
from app import routes_instruments, routes_xray
from app.figures import xray_maps, xray_pattern
from app.figures.theme import Scheme
from app.library import library
from app.pages import instrument, parts, xray_facts, xray_point, xray_wide, xray_window
from app.pages.instrument import asked, choice, chosen, hidden, number, numbers

LIMITS = (*parts.COLOUR_LIMITS, ("hand", "by hand"))
PERIOD = ("period", "whole period")
AXES = (("px", "px"), ("q", "nm⁻¹"))
STACKING = (("stacked", "stacked"), ("over", "overlaid"))
LEFT_OUT = (("off", "counts"), ("on", "and why pixels are left out"))
FIRST_MAP = "a_sc"


def register(app: Dash) -> None:
    """Put the page, its addresses of bytes and its callbacks on ``app``."""
    dash.register_page(
        __name__,
        path_template="/s/<sample_id>/xray",
        order=10,
        title="X-ray - Triptych",
        layout=layout,
        name="X-ray",
    )
    routes_instruments.add_routes(app.server)
    routes_xray.add_routes(app.server)
    _register_map(app)
    xray_point.register(app)
    xray_window.register(app)
    xray_wide.register(app)

    @app.callback(
        Output("positions", "figure"),
        Input(parts.view("ro"), "value"),
        Input(parts.view("xn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_positions(stacking: str, wanted: str, sample_id: str) -> go.Figure:
        scan = chosen(library().result(sample_id).xray, wanted)
        return xray_pattern.positions_figure(scan, scheme=parts.current_scheme(), stacked=stacking != "over")

    @app.callback(
        Output("average", "figure"),
        Output("polar", "figure"),
        Input(parts.view("ga"), "value"),
        Input(parts.view("gv"), "value"),
        Input(parts.view("xn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_averages(axes: str, verdicts: str, wanted: str, sample_id: str):
        scan, scheme = chosen(library().result(sample_id).xray, wanted), parts.current_scheme()
        average = _average(scan, {"ga": axes, "gv": verdicts}, scheme)
        return average, xray_pattern.iq_phi_figure(scan, scheme=scheme)

    @app.callback(
        Output("xray-facts", "children"),
        Input(parts.view("a"), "value"),
        Input(parts.view("b"), "value"),
        Input(parts.view("xn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_facts(a: str, b: str, wanted: str, sample_id: str):
        scan = chosen(library().result(sample_id).xray, wanted)
        return xray_facts.panels(scan, xray_point.pins_of(scan, {"a": a, "b": b}))


def _register_map(app: Dash) -> None:
    @app.callback(
        Output("xray-map", "figure"),
        Output("hand-limits", "className"),
        Input(parts.view("xq"), "value"),
        Input(parts.view("lim"), "value"),
        Input(parts.view("lo"), "value"),
        Input(parts.view("hi"), "value"),
        Input(parts.view("xn"), "value"),
        Input(parts.view("a"), "value"),
        Input(parts.view("b"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_map(
        key: str, limits: str, low: object, high: object, wanted: str, a: str, b: str, sample_id: str
    ):
        view = {"xq": key, "lim": limits, "lo": low, "hi": high, "a": a, "b": b}
        scan = chosen(library().result(sample_id).xray, wanted)
        return _map(scan, view, parts.current_scheme()), _hand_class(limits)

    @app.callback(
        Output(parts.view("lo"), "value"),
        Output(parts.view("hi"), "value"),
        Output(parts.view("lim"), "data"),
        Input(parts.view("xq"), "value"),
        Input(parts.view("lim"), "value"),
        Input(parts.view("xn"), "value"),
        State(parts.view("lo"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def offer_limits(key: str, limits: str, wanted: str, low: object, sample_id: str):
        scan = chosen(library().result(sample_id).xray, wanted)
        options = _limit_data(key)
        if limits != "hand" or key == xray_maps.STATUS:
            return "", "", options
        asked_now = ctx.triggered_id == parts.view("lim") and number(low) is not None
        return (no_update, no_update, options) if asked_now else (*_rounded_limits(scan, key), options)


def layout(sample_id: str = "", **query: object) -> Component:
    """The page of one sample; ``query`` is the view that the address asks for."""
    result = instrument.result_or_page(sample_id, "xray")
    if not isinstance(result, Result):
        return result
    view, scheme = asked(query), parts.current_scheme()
    scan = chosen(result.xray, view.get("xn"))
    return html.Div(
        [
            dcc.Store(id="sample", data=sample_id),
            html.H1(f"{result.title or sample_id}: X-ray", className="visually-hidden"),
            html.Div(
                [_map_panel(result, scan, view, scheme), xray_point.panel(result, scan, view, scheme)],
                className="xray-top",
            ),
            html.Div(
                [
                    _profile_panel(result, scan, view, scheme),
                    _polar_panel(result, scan, scheme),
                    xray_window.panel(result, scan, query, scheme),
                ],
                className="xray-middle",
            ),
            html.Div(
                [_average_panel(result, scan, view, scheme), *xray_wide.panels(result, scan, view, scheme)],
                className="xray-lower",
            ),
            html.Div(
                xray_facts.panels(scan, xray_point.pins_of(scan, view)),
                id="xray-facts",
                className="facts-row",
            ),
        ],
        className="instrument",
        **{"data-linked": sample_id, "data-version": library().version(sample_id)},
    )


def _map_panel(result: Result, scan: XrayReduction, view: dict[str, str], scheme: Scheme) -> Component:
    key = _key(scan, view.get("xq"))
    limits = view.get("lim", "")
    hand = html.Div(
        [
            instrument.number_input("lo", number(view.get("lo")), label="Lower colour limit"),
            html.Span("to", className="control-name"),
            instrument.number_input("hi", number(view.get("hi")), label="Upper colour limit"),
        ],
        id="hand-limits",
        className=_hand_class(limits),
    )
    known = [one["value"] for one in _limit_data(key)]
    colour = parts.select(
        "lim", limits if limits in known else "p1", [*LIMITS, PERIOD], label="Colour limits"
    )
    colour.data, colour.w = _limit_data(key), 104
    return parts.panel(
        "X-ray",
        parts.linked_graph(
            "xray-map",
            _map(scan, view, scheme),
            modality="xray",
            label="X-ray map; the arrow keys move the cursor, Enter pins the pattern",
        ),
        modality="xray",
        controls=[
            instrument.grouped_select("xq", key, xray_maps.offered(scan), label="Map"),
            html.Span("colours", className="control-name"),
            colour,
            hand,
            numbers("xn", result.xray, view.get("xn"), label="Scan"),
        ],
        actions=parts.actions(result.sample_id, "xray-map", "xray_maps", f"xray_{key}"),
        testid="panel-xray",
    )


def _profile_panel(result: Result, scan: XrayReduction, view: dict[str, str], scheme: Scheme) -> Component:
    stacking = choice(view.get("ro"), STACKING)
    return parts.panel(
        "Radial profiles, centre to edge",
        parts.graph(
            "positions",
            xray_pattern.positions_figure(scan, scheme=scheme, stacked=stacking == "stacked"),
            label="Radial profiles of Pos1 at the centre to Pos5 at the edge",
        )
        if scan.positions
        else parts.quiet("No line from centre to edge was found: there is no outline."),
        controls=[parts.switch("ro", stacking, STACKING, label="Curves")],
        actions=parts.actions(result.sample_id, "positions", "xray_radial", "xray_radial"),
        testid="panel-radial",
    )


def _average_panel(result: Result, scan: XrayReduction, view: dict[str, str], scheme: Scheme) -> Component:
    axes = choice(view.get("ga"), AXES)
    verdicts = (
        hidden("gv", "")
        if scan.pixel_verdict is None
        else parts.switch("gv", choice(view.get("gv"), LEFT_OUT), LEFT_OUT, label="Pixels left out")
    )
    return parts.panel(
        "Averaged pattern",
        [
            html.Div(verdicts, className="pattern-bar") if scan.pixel_verdict is not None else verdicts,
            parts.graph("average", _average(scan, view, scheme), label="Averaged pattern on the detector"),
        ],
        controls=[
            parts.switch("ga", axes, AXES, label="Axes of the averaged pattern"),
        ],
        actions=_file_actions(result, scan, "average", "average_pattern"),
        testid="panel-average",
    )


def _polar_panel(result: Result, scan: XrayReduction, scheme: Scheme) -> Component:
    return parts.panel(
        "I(q, φ)",
        parts.graph(
            "polar",
            xray_pattern.iq_phi_figure(scan, scheme=scheme),
            label="Averaged intensity over q and phi; a rectangle drawn on it is the window of the map",
        ),
        controls=[html.Span("drag: choose the window", className="control-name")],
        actions=_file_actions(result, scan, "polar", "polar_average"),
        testid="panel-polar",
    )


def _file_actions(result: Result, scan: XrayReduction, graph: str, name: str) -> list[Component]:
    """CSV, PNG and SVG of an average."""
    address = f"/csv/{result.sample_id}/xray/{scan.index}/{graph}.csv"
    link = instrument.file_link(address, f"{result.sample_id}_{name}.csv", text="CSV", testid=f"csv-{name}")
    return [link, *parts.picture_buttons(graph, f"{result.sample_id}_{name}")]


def _map(scan: XrayReduction, view: dict[str, object], scheme: Scheme) -> go.Figure:
    return xray_maps.map_figure(
        scan,
        _key(scan, view.get("xq")),
        scheme=scheme,
        limits=str(view.get("lim") or "p1"),
        by_hand=(number(view.get("lo")), number(view.get("hi"))),
        pins=xray_point.pins_of(scan, view),
    )


def _average(scan: XrayReduction, view: dict[str, str], scheme: Scheme) -> go.Figure:
    return xray_pattern.average_figure(
        scan, scheme=scheme, in_q=view.get("ga") == "q", verdicts=view.get("gv") == "on"
    )


def _key(scan: XrayReduction, wanted: object) -> str:
    known = xray_maps.keys_offered(scan)
    first = FIRST_MAP if FIRST_MAP in known else known[0]
    return wanted if isinstance(wanted, str) and wanted in known else first


def _limit_data(key: str) -> list[dict[str, str]]:
    """Choices of colour limits: a whole period is offered for cyclic quantities alone."""
    options = [*LIMITS[:3], PERIOD, *LIMITS[3:]] if key in xray_maps.PERIOD_DEG else LIMITS
    return [{"value": value, "label": text} for value, text in options]


def _hand_class(limits: str) -> str:
    return "hand-limits" if limits == "hand" else "hand-limits hand-limits-off"


def _rounded_limits(scan: XrayReduction, key: str) -> tuple[float, float]:
    what = xray_maps.shown(scan, _key(scan, key))
    low, high = xray_maps.limits_of(what, "p1", by_hand=(None, None))
    return float(f"{low:.4g}"), float(f"{high:.4g}")
