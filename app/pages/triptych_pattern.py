"""The pattern on the Triptych page: the mean of all points, what is pinned, and their difference."""

from __future__ import annotations

from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from analysis.errors import TriptychError
from analysis.records import Result
from app.figures import pattern
from app.figures.theme import Scheme, blank
from app.library import library
from app.pages import parts

PATTERN_SHOWN = (("average", "mean"), ("a", "A"), ("b", "B"), ("a-b", "A − B"))


def register(app: Dash) -> None:
    """Put the callback of the pattern on ``app``."""

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
        return _pattern(sample_id, parts.index_of(number), view, shown, a, b, parts.current_scheme())


def pattern_panel(result: Result, asked: dict[str, str], scheme: Scheme) -> Component:
    """The panel with the pattern that the address asks for."""
    view = parts.choice(asked.get("pv"), tuple((name, name) for name in pattern.PATTERN_VIEWS))
    shown = parts.choice(asked.get("ps"), PATTERN_SHOWN)
    a, b = asked.get("a", ""), asked.get("b", "")
    number = parts.index_of(asked.get("xn"))
    if not result.xray:
        hidden = [
            parts.hidden(name, value) for name, value in (("pv", view), ("ps", shown), ("a", ""), ("b", ""))
        ]
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
            parts.hidden("a", a),
            parts.hidden("b", b),
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
