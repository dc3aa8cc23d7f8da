"""Counts in a window of q and phi over the scan: two sliders, or a rectangle drawn on I(q, phi)."""

from __future__ import annotations

import json
from collections.abc import Mapping

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from analysis.records import Result, XrayReduction
from analysis.xray.pattern_window import FINE, Window
from app.figures.theme import Scheme
from app.figures.xray_window import first_window, window_figure
from app.library import library, q_most_per_nm
from app.pages import instrument, parts
from app.pages.instrument import choice, chosen, number

PHI_LIMITS = (-180.0, 270.0)
"""Beyond half a turn, so that a window may hold phi = 180 degrees."""

PHI_STEP = 360.0 / FINE[1]
OPPOSITE = (("on", "φ and φ + 180°"), ("off", "φ alone"))
NO_PATTERNS = "The patterns of this scan were not kept."


def register(app: Dash) -> None:
    """The browser asks for counts whenever the window changes; another scan brings another frame."""
    app.clientside_callback(
        ClientsideFunction(namespace="triptychXray", function_name="windowMap"),
        Output("window-map", "figure"),
        Output("window-q", "children"),
        Output("window-phi", "children"),
        Output("window-csv", "href"),
        Input(parts.view("wq"), "value"),
        Input(parts.view("wp"), "value"),
        Input(parts.view("wo"), "value"),
        Input("window-frame", "data"),
        State("sample", "data"),
    )

    @app.callback(
        Output("window-frame", "data"),
        Input(parts.view("xn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_frame(wanted: str, sample_id: str):
        scan = chosen(library().result(sample_id).xray, wanted)
        return window_figure(scan, scheme=parts.current_scheme()).to_dict()


def panel(result: Result, scan: XrayReduction, query: Mapping[str, object], scheme: Scheme) -> Component:
    """The map with its sliders; a sentence where the patterns were not kept."""
    if scan.patterns is None:
        return parts.panel("Counts in a window", parts.quiet(NO_PATTERNS), testid="panel-window")
    window, frame = window_of(query, scan), window_figure(scan, scheme=scheme)
    name = f"{result.sample_id}_window"
    return parts.panel(
        "Counts in a window",
        [
            dcc.Store(id="window-frame", data=frame.to_dict()),
            parts.graph("window-map", frame, label="Map of the counts in a window"),
            html.Div(
                _sliders(scan, window),
                className="window-sliders",
                **{"data-window-limits": _limits(scan)},
            ),
        ],
        actions=[
            instrument.file_link(
                f"/csv/{result.sample_id}/xray/{scan.index}/window.csv",
                f"{name}.csv",
                text="CSV",
                testid="csv-window",
                link_id="window-csv",
            ),
            *parts.picture_buttons("window-map", name),
        ],
        controls=[
            parts.switch("wo", choice(_text(query.get("wo")), OPPOSITE), OPPOSITE, label="Friedel partners")
        ],
        testid="panel-window",
    )


def window_of(query: Mapping[str, object], scan: XrayReduction) -> Window:
    """The window that an address asks for by ``wq`` and ``wp``, each given twice; the first one otherwise."""
    usual = first_window(scan, q_most_per_nm(scan))
    return Window(
        q_per_nm=_pair(query.get("wq"), (0.0, q_most_per_nm(scan))) or usual.q_per_nm,
        phi_deg=_pair(query.get("wp"), PHI_LIMITS) or usual.phi_deg,
        opposite=choice(_text(query.get("wo")), OPPOSITE) == "on",
    )


def _pair(wanted: object, limits: tuple[float, float]) -> tuple[float, float] | None:
    """Two rising numbers between limits from untrusted texts, or None."""
    if not isinstance(wanted, list) or len(wanted) != 2:
        return None
    low, high = (number(text) for text in wanted)
    if low is None or high is None or not limits[0] <= low < high <= limits[1]:
        return None
    return low, high


def _limits(scan: XrayReduction) -> str:
    """Limits and step of the sliders, for windows that are drawn."""
    most = q_most_per_nm(scan)
    limits = {"wq": (0.0, most, most / FINE[0]), "wp": (*PHI_LIMITS, PHI_STEP)}
    return json.dumps(
        {name: dict(zip(("min", "max", "step"), three, strict=True)) for name, three in limits.items()}
    )


def _text(wanted: object) -> str:
    return wanted if isinstance(wanted, str) else ""


def _sliders(scan: XrayReduction, window: Window) -> list[Component]:
    most = q_most_per_nm(scan)
    return [
        html.Span("q", className="control-name"),
        _slider("wq", window.q_per_nm, (0.0, most), most / FINE[0], "q", "nm⁻¹"),
        html.Span("", id="window-q", className="window-words", role="status"),
        html.Span("φ", className="control-name"),
        _slider("wp", window.phi_deg, PHI_LIMITS, PHI_STEP, "φ", "degrees"),
        html.Span("", id="window-phi", className="window-words", role="status"),
    ]


def _slider(
    name: str,
    value: tuple[float, float],
    limits: tuple[float, float],
    step: float,
    quantity: str,
    unit: str,
) -> dmc.RangeSlider:
    return dmc.RangeSlider(
        id=parts.view(name),
        value=list(value),
        min=limits[0],
        max=limits[1],
        step=step,
        minRange=step,
        precision=4,
        pushOnOverlap=False,
        updatemode="drag",
        size="xs",
        label=None,
        className="window-slider",
        thumbFromLabel=f"Least {quantity} in {unit}",
        thumbToLabel=f"Largest {quantity} in {unit}",
    )
