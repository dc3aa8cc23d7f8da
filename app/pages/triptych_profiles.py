"""The co-profile of the Triptych page with its trends, and the cross-plot of E against <a_SC>."""

from __future__ import annotations

import plotly.graph_objects as go
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from analysis.pipeline.registration import with_coprofile
from analysis.records import Result
from analysis.registration.agreement import Agreement, agreements
from app.figures import profiles, trend_words
from app.figures.theme import Scheme
from app.library import library
from app.pages import parts

COORDINATES = (("rectangle", "s"), ("distance", "distance"), ("ray", "ray"), ("depth", "depth"))
BINS = (("5", "5"), ("10", "10"), ("20", "20"))
USUAL_BINS = "10"
PAIRINGS = (("coordinate", "bins of s"), ("pixel", "points"))
BANDS = (("ci", "95 %"), ("std", "spread"), ("none", "none"))


def register(app: Dash) -> None:
    """Put the callback of the co-profile on ``app``."""

    @app.callback(
        Output("coprofile", "figure"),
        Output("coprofile-actions", "children"),
        Output("coprofile-trends", "children"),
        Input(parts.view("c"), "value"),
        Input(parts.view("band"), "value"),
        Input(parts.view("bins"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_coprofile(coordinate: str, band: str, bins: str, sample_id: str):
        figure = _coprofile(sample_id, coordinate, band, bins, parts.current_scheme())
        return figure, _actions(sample_id, coordinate, bins), _trends(sample_id)

    @app.callback(
        Output("crossplot-body", "children"),
        Input(parts.view("cp"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_crossplot(pairing: str, sample_id: str) -> list[Component]:
        result = library().result(sample_id)
        return _crossplot(result, parts.choice(pairing, PAIRINGS), parts.current_scheme())


def coprofile_panel(result: Result, asked: dict[str, str], scheme: Scheme) -> Component:
    """The co-profile along the coordinate that the address asks for, with slopes, shapes and agreement."""
    coordinate, band = parts.choice(asked.get("c"), COORDINATES), parts.choice(asked.get("band"), BANDS)
    bins = _bins(asked.get("bins"))
    return parts.panel(
        "Co-profile",
        [
            parts.linked_graph(
                "coprofile",
                _coprofile(result.sample_id, coordinate, band, bins, scheme),
                modality="coprofile",
                label="Co-profile from edge to centre; the arrow keys move the cursor",
            ),
            html.Div(
                _trends(result.sample_id),
                id="coprofile-trends",
                className="trends",
                **{"data-testid": "trends"},
            ),
        ],
        controls=[
            parts.switch("c", coordinate, COORDINATES, label="Coordinate"),
            html.Span("bins", className="control-name"),
            parts.switch("bins", bins, BINS, label="Bins"),
            html.Span("band", className="control-name"),
            parts.switch("band", band, BANDS, label="Bands"),
        ],
        actions=[html.Div(_actions(result.sample_id, coordinate, bins), id="coprofile-actions")],
        testid="coprofile",
    )


def _coprofile(sample_id: str, coordinate: str, band: str, bins: str, scheme: Scheme) -> go.Figure:
    along, count = parts.choice(coordinate, COORDINATES), int(parts.choice(bins, BINS))
    result = library().derived(
        sample_id,
        ("coprofile", along, count),
        lambda whole: with_coprofile(whole, coordinate=along, bins=count),
    )
    return profiles.coprofile([result], coordinate=along, band=parts.choice(band, BANDS), scheme=scheme)


def _actions(sample_id: str, coordinate: str, bins: str) -> list[Component]:
    """What leaves with the co-profile: each file is named by the coordinate."""
    along = parts.choice(coordinate, COORDINATES)
    csv, *pictures = parts.actions(sample_id, "coprofile", "profiles", f"coprofile_{along}")
    csv.id = "coprofile-csv"
    csv.href = f"/csv/{sample_id}/profiles.csv?bins={_bins(bins)}&c={along}"
    csv.download = f"{sample_id}_profiles_{along}.csv"
    return [csv, *pictures]


def _trends(sample_id: str) -> list[Component]:
    """One line a quantity: slopes with errors and the likeliest shape; then X-ray against SEM."""
    result = library().result(sample_id)
    lines: list[Component] = [
        html.P(
            [
                parts.swatch(modality),
                html.B(line.name),
                html.Span(line.along_s),
                html.Span(line.along_depth),
                html.Span(line.shape),
            ]
        )
        for modality, line in trend_words.trend_lines(result)
    ]
    words = trend_words.agreement_words(_agreements(sample_id))
    return (
        [*lines, html.P([parts.swatch("sem"), html.Span(words)], title=trend_words.SEES)] if words else lines
    )


def _agreements(sample_id: str) -> tuple[Agreement, ...]:
    return library().derived(
        sample_id, "agreement", lambda whole: agreements(whole.profiles, whole.xray, whole.sem)
    )


def _bins(asked: str | None) -> str:
    return asked if asked in dict(BINS) else USUAL_BINS


def crossplot_panel(result: Result, asked: dict[str, str], scheme: Scheme) -> Component:
    """E against <a_SC>: bins of s, or points of maps laid upon each other, and what that says."""
    pairing = parts.choice(asked.get("cp"), PAIRINGS)
    taken = (
        parts.actions(result.sample_id, "crossplot", "correlation", "crossplot")
        if result.xray and result.afm
        else []
    )
    if result.transforms:
        taken.append(_registration_link(result.sample_id))
    return parts.panel(
        "E against ⟨a_SC⟩",
        html.Div(_crossplot(result, pairing, scheme), id="crossplot-body", className="crossplot-body"),
        controls=[parts.switch("cp", pairing, PAIRINGS, label="Pairing")],
        actions=taken,
        testid="crossplot",
    )


def _crossplot(result: Result, pairing: str, scheme: Scheme) -> list[Component]:
    pixel = pairing == "pixel"
    correlation = profiles.pixel_pairs(result) if pixel else profiles.cotrend(result)
    words = profiles.pixel_words(result, correlation) if pixel else profiles.cotrend_words(correlation)
    if correlation is None:
        return [parts.quiet(words)]
    return [
        parts.linked_graph(
            "crossplot",
            profiles.crossplot(correlation, scheme=scheme),
            modality="crossplot",
            label="Modulus against lattice constant",
        ),
        html.P(words, className="caption"),
    ]


def _registration_link(sample_id: str) -> Component:
    return html.A(
        "JSON",
        href=f"/edits/{sample_id}/registration.json",
        download=f"{sample_id}_registration.json",
        className="action",
        title="Download registration.json: the matrices that lay maps upon each other",
        **{"data-testid": "registration-json", "aria-label": "Download registration.json"},
    )
