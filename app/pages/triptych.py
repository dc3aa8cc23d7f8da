"""Three panels, one supercrystal: X-ray, SEM and AFM side by side on one edge-to-centre coordinate."""

from __future__ import annotations

import dash
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from analysis.errors import TriptychError
from analysis.pipeline.registration import with_coprofile
from analysis.records import Result
from app.figures import panels, pattern, profiles
from app.figures.theme import MODALITY_NAME, Scheme, blank
from app.figures.words import QUANTITY_TEXT
from app.library import library
from app.pages import parts

COORDINATES = (("rectangle", "s"), ("depth", "depth"))
BINS = (("5", "5"), ("10", "10"), ("20", "20"))
USUAL_BINS = "10"
BANDS = (("ci", "95 %"), ("std", "spread"), ("none", "none"))
PATTERN_SHOWN = (("average", "mean"), ("a", "A"), ("b", "B"), ("a-b", "A − B"))
MODALITIES = ("xray", "sem", "afm")
QUANTITIES = {
    "xray": tuple((name, QUANTITY_TEXT[name]) for name in panels.XRAY_QUANTITIES),
    "sem": tuple((panels.SEM_QUANTITIES | panels.SEM_MAPS).items()),
    "afm": (("modulus", "E"), ("height", "h")),
}
LIMITS = {"xray": "xl", "afm": "al"}
"""Names in the address of the colour limits of the two maps."""

VIEW = {"xray": ("xq", "xn"), "sem": ("sq", "sn"), "afm": ("aq", "an")}
"""Names in the address of each panel's quantity and number."""


def register(app: Dash) -> None:
    """Put the page and its callbacks on ``app``."""
    dash.register_page(
        __name__, path_template="/s/<sample_id>", order=20, title="Triptych", layout=layout, name="Triptych"
    )
    for modality in MODALITIES:
        _register_panel(app, modality)

    @app.callback(
        Output("coprofile", "figure"),
        Output("coprofile-csv", "href"),
        Input(parts.view("c"), "value"),
        Input(parts.view("band"), "value"),
        Input(parts.view("bins"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_coprofile(coordinate: str, band: str, bins: str, sample_id: str):
        figure = _coprofile(sample_id, coordinate, band, bins, parts.current_scheme())
        return figure, _profiles_address(sample_id, bins)

    @app.callback(
        Output("pattern", "figure"),
        Output("pattern-name", "children"),
        Input(parts.view("pv"), "value"),
        Input(parts.view("ps"), "value"),
        Input(parts.view("a"), "value"),
        Input(parts.view("b"), "value"),
        State(parts.view("xn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_pattern(view: str, shown: str, a: str, b: str, number: str, sample_id: str):
        return _pattern(sample_id, _index(number), view, shown, a, b, parts.current_scheme())


def _register_panel(app: Dash, modality: str) -> None:
    quantity, number = VIEW[modality]

    @app.callback(
        Output(f"map-{modality}", "figure"),
        Input(parts.view(quantity), "value"),
        Input(parts.view(number), "value"),
        State("sample", "data"),
        *([Input(parts.view(LIMITS[modality]), "value")] if modality in LIMITS else []),
        prevent_initial_call=True,
    )
    def show_panel(quantity: str, number: str, sample_id: str, limits: str = "") -> go.Figure:
        result = library().result(sample_id)
        return _panel_figure(result, modality, quantity, _index(number), parts.current_scheme(), limits)


def layout(sample_id: str = "", **query: str) -> Component:
    """The page of one sample; ``query`` is the view that the address asks for."""
    try:
        result = library().result(sample_id)
    except TriptychError as error:
        return parts.message_page("Nothing to show", str(error))
    asked = {name: value for name, value in query.items() if isinstance(value, str)}
    scheme = parts.current_scheme()
    return html.Div(
        [
            dcc.Store(id="sample", data=sample_id),
            html.H1(f"{result.title or sample_id}: Triptych", className="visually-hidden"),
            html.Div(
                [_panel(result, modality, asked, scheme) for modality in MODALITIES], className="triptych-row"
            ),
            _readout(result),
            html.Div(
                [
                    _coprofile_panel(result, asked, scheme),
                    _crossplot_panel(result, scheme),
                    _pattern_panel(result, asked, scheme),
                ],
                className="profile-row",
            ),
        ],
        className="triptych",
        **{"data-linked": sample_id, "data-version": library().version(sample_id)},
    )


def _panel(result: Result, modality: str, asked: dict[str, str], scheme: Scheme) -> Component:
    reductions = getattr(result, modality)
    quantity_name, number_name = VIEW[modality]
    quantity = _choice(asked.get(quantity_name), QUANTITIES[modality])
    number = min(_index(asked.get(number_name)), max(len(reductions) - 1, 0))
    if not reductions:
        body: Component = parts.quiet(f"No {MODALITY_NAME[modality]} data of this sample.")
        controls: list[Component] = [_hidden(quantity_name, quantity), _hidden(number_name, "0")]
        controls += [_hidden(LIMITS[modality], "p1")] if modality in LIMITS else []
        taken: list[Component] = []
    else:
        numbers = tuple((str(n), f"{n + 1} of {len(reductions)}") for n in range(len(reductions)))
        controls = [
            parts.select(quantity_name, quantity, QUANTITIES[modality], label=f"{modality} quantity"),
            parts.select(number_name, str(number), numbers, label=f"{modality} number")
            if len(reductions) > 1
            else _hidden(number_name, "0"),
        ]
        limits = _choice(asked.get(LIMITS.get(modality, "")), parts.COLOUR_LIMITS)
        if modality in LIMITS:
            controls.append(_limits(modality, limits))
        body = parts.linked_graph(
            f"map-{modality}",
            _panel_figure(result, modality, quantity, number, scheme, limits),
            modality=modality,
            label=f"{MODALITY_NAME[modality]} map; the arrow keys move the cursor",
        )
        table = {"xray": "xray_maps", "sem": "sem_rois", "afm": "afm_summary"}[modality]
        taken = parts.actions(result.sample_id, f"map-{modality}", table, modality)
    return parts.panel(
        MODALITY_NAME[modality],
        body,
        modality=modality,
        controls=controls,
        actions=taken,
        testid=f"panel-{modality}",
    )


def _limits(modality: str, limits: str) -> Component:
    control = parts.select(
        LIMITS[modality], limits, parts.COLOUR_LIMITS, label=f"{modality} colour limits, percentiles"
    )
    control.w = "5.75rem"
    return control


def _panel_figure(
    result: Result, modality: str, quantity: str, number: int, scheme: Scheme, limits: str
) -> go.Figure:
    limits = _choice(limits, parts.COLOUR_LIMITS)
    quantity = _choice(quantity, QUANTITIES[modality])
    reductions = getattr(result, modality)
    chosen = reductions[min(number, len(reductions) - 1)]
    if modality == "xray":
        return panels.xray_panel(chosen, quantity, scheme=scheme, limits=limits)
    if modality == "afm":
        return panels.afm_panel(chosen, quantity, scheme=scheme, limits=limits)
    version = library().version(result.sample_id)
    source = f"/image/{result.sample_id}/sem/{chosen.index}.png?v={version}"
    return panels.sem_panel(chosen, quantity, source=source, scheme=scheme)


def _readout(result: Result) -> Component:
    """One row of values at the cursor; written by the browser, of constant width so that nothing jumps."""
    cells = [("s", "s", None), ("depth", "depth", None)]
    names = {"xray": "⟨a_SC⟩", "sem": "1/δk", "afm": "E"}
    cells += [(modality, names[modality], modality) for modality in MODALITIES if getattr(result, modality)]
    return html.Div(
        [
            html.Div(
                [
                    html.Span([parts.swatch(modality) if modality else None, name], className="readout-name"),
                    html.Output("–", className="readout-value", **{"data-testid": f"value-{key}"}),
                ],
                className="readout-cell",
            )
            for key, name, modality in cells
        ]
        + [html.Div("Point at any panel.", className="readout-hint", id="readout-hint")],
        className="readout",
    )


def _coprofile_panel(result: Result, asked: dict[str, str], scheme: Scheme) -> Component:
    coordinate, band = _choice(asked.get("c"), COORDINATES), _choice(asked.get("band"), BANDS)
    bins = _bins(asked.get("bins"))
    csv, *pictures = parts.actions(result.sample_id, "coprofile", "profiles", "coprofile")
    csv.id, csv.href = "coprofile-csv", _profiles_address(result.sample_id, bins)
    return parts.panel(
        "Co-profile",
        parts.linked_graph(
            "coprofile",
            _coprofile(result.sample_id, coordinate, band, bins, scheme),
            modality="coprofile",
            label="Co-profile from edge to centre; the arrow keys move the cursor",
        ),
        controls=[
            parts.switch("c", coordinate, COORDINATES, label="Coordinate"),
            html.Span("bins", className="control-name"),
            parts.switch("bins", bins, BINS, label="Bins"),
            html.Span("band", className="control-name"),
            parts.switch("band", band, BANDS, label="Bands"),
        ],
        actions=[csv, *pictures],
        testid="coprofile",
    )


def _coprofile(sample_id: str, coordinate: str, band: str, bins: str, scheme: Scheme) -> go.Figure:
    along, count = _choice(coordinate, COORDINATES), int(_choice(bins, BINS))
    result = library().derived(
        sample_id,
        ("coprofile", along, count),
        lambda whole: with_coprofile(whole, coordinate=along, bins=count),
    )
    return profiles.coprofile([result], coordinate=along, band=_choice(band, BANDS), scheme=scheme)


def _profiles_address(sample_id: str, bins: str) -> str:
    """Address of the table of all profiles in as many bins as are drawn."""
    return f"/csv/{sample_id}/profiles.csv?bins={_bins(bins)}"


def _crossplot_panel(result: Result, scheme: Scheme) -> Component:
    correlation = profiles.cotrend(result)
    words = profiles.cotrend_words(correlation)
    body: list[Component] = (
        [parts.quiet(words)]
        if correlation is None
        else [
            parts.linked_graph(
                "crossplot",
                profiles.crossplot(correlation, scheme=scheme),
                modality="crossplot",
                label="Modulus against lattice constant",
            ),
            html.P(words, className="caption"),
        ]
    )
    return parts.panel(
        "E against ⟨a_SC⟩",
        body,
        actions=[]
        if correlation is None
        else parts.actions(result.sample_id, "crossplot", "correlation", "crossplot"),
        testid="crossplot",
    )


def _pattern_panel(result: Result, asked: dict[str, str], scheme: Scheme) -> Component:
    view = _choice(asked.get("pv"), tuple((name, name) for name in pattern.PATTERN_VIEWS))
    shown = _choice(asked.get("ps"), PATTERN_SHOWN)
    a, b = asked.get("a", ""), asked.get("b", "")
    number = _index(asked.get("xn"))
    if not result.xray:
        hidden = [_hidden(name, value) for name, value in (("pv", view), ("ps", shown), ("a", ""), ("b", ""))]
        return parts.panel(
            "Pattern", [parts.quiet("No diffraction patterns of this sample."), *hidden], testid="pattern"
        )
    figure, name = _pattern(result.sample_id, number, view, shown, a, b, scheme)
    return parts.panel(
        "Pattern",
        [
            html.Div(
                [
                    parts.switch("ps", shown, PATTERN_SHOWN, label="Pinned pattern"),
                    html.Span(name, id="pattern-name", className="pattern-name"),
                ],
                className="pattern-bar",
            ),
            html.Div(
                [
                    parts.graph("pattern", figure, label="Diffraction pattern"),
                    html.Canvas(id="pattern-live", className="pattern-live", **{"aria-hidden": "true"}),
                ],
                className="pattern-box",
            ),
            _hidden("a", a),
            _hidden("b", b),
        ],
        controls=[
            parts.switch("pv", view, tuple((n, n) for n in pattern.PATTERN_VIEWS), label="Pattern axes"),
        ],
        actions=[
            parts.csv_link(result.sample_id, "xray_radial"),
            *parts.picture_buttons("pattern", f"{result.sample_id}_pattern"),
        ],
        testid="pattern",
    )


def _pattern(sample_id: str, index: int, view: str, shown: str, a: str, b: str, scheme: Scheme):
    """Figure and name of the pinned pattern; the average while nothing is pinned."""
    scans = library().result(sample_id).xray
    index = min(index, len(scans) - 1)
    scan = scans[index]
    pins = {"a": _pin(a, scan.grid.shape), "b": _pin(b, scan.grid.shape)}
    wanted = [pins[name] for name in shown.split("-") if name in pins]
    if shown != "average" and (not wanted or None in wanted):
        return blank(
            "Point at the X-ray map; a click pins A,<br>Shift + click pins B.", scheme
        ), "nothing pinned"
    name = " − ".join(f"row {row}, column {col}" for row, col in wanted) or "mean of all points"
    if view == "q":
        curves = [(f"{row}, {col}", scan.radial[row, col], scan.radial_err[row, col]) for row, col in wanted]
        curves = curves or [("mean", scan.average_radial, scan.average_radial_err)]
        return pattern.radial_figure(curves, scan, scheme=scheme), name
    if wanted and scan.patterns is None:
        return blank("This result does not keep its patterns.", scheme), name
    try:
        frames = [
            library().pattern(sample_id, index=index, row=row, col=col).astype(float) for row, col in wanted
        ]
    except TriptychError:
        return blank("This pattern cannot be read: reduce the sample again.", scheme), name
    counts = scan.average_pattern if not frames else frames[0] - (frames[1] if len(frames) > 1 else 0.0)
    draw = pattern.polar_figure if view == "polar" else pattern.detector_figure
    return draw(counts, scan, scheme=scheme, difference=len(frames) > 1), name


def _pin(text: str | None, shape: tuple[int, int]) -> tuple[int, int] | None:
    """Row and column that an address names as ``row.col``; None for anything that is not on the grid."""
    words = (text or "").split(".")
    if len(words) != 2 or not all(word.isascii() and word.isdigit() and len(word) < 7 for word in words):
        return None
    row, col = int(words[0]), int(words[1])
    return (row, col) if row < shape[0] and col < shape[1] else None


def _hidden(name: str, value: str) -> Component:
    return dcc.Input(id=parts.view(name), type="hidden", value=value)


def _choice(asked: str | None, options: tuple[tuple[str, str], ...]) -> str:
    """What is asked for, if it is offered, or the first that is."""
    known = [key for key, _ in options]
    return asked if asked in known else known[0]


def _bins(asked: str | None) -> str:
    return asked if asked in dict(BINS) else USUAL_BINS


def _index(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 5 else 0
