"""What the AFM page is made of: two maps, the distribution, lines, E against height and slope, facts."""

from __future__ import annotations

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from analysis.records import AfmReduction, Result
from analysis.units import NM_PER_UM
from app.figures import afm_lines, afm_maps, afm_statistics
from app.figures.afm_statistics import PART_TEXT, RELATIONS, part_of
from app.figures.numbers import value_text
from app.figures.theme import Scheme, blank
from app.pages import afm_facts, afm_line, instrument, parts
from app.pages.instrument import Options, choice, chosen, hidden, numbers

EVERYWHERE = (("ok", "pixels that count"), ("all", "all pixels"))
ADD_IDS = tuple(f"end-{name}" for name in ("x0", "y0", "x1", "y1"))


def page(result: Result, view: dict[str, str], scheme: Scheme) -> list[Component]:
    """Everything below the header for one field."""
    field = chosen(result.afm, view.get("an"))
    seen = afm_line.Seen.of(field, view)
    height, modulus, profile = figures(seen, view, scheme)
    which = numbers("an", result.afm, view.get("an"), label="Field")
    shown = parts.switch("ev", choice(view.get("ev"), EVERYWHERE), EVERYWHERE, label="Pixels shown")
    return [
        dcc.Store(id="sample", data=result.sample_id),
        html.H1(f"{result.title or result.sample_id}: AFM", className="visually-hidden"),
        html.Div(
            [
                _map_panel(result, field, "height", height, [which]),
                _map_panel(result, field, "modulus", modulus, [shown]),
                _histogram_panel(result, field, view, scheme),
            ],
            className="afm-top",
        ),
        html.Div(
            [_line_panel(result, seen, view, profile), _relation_panel(result, field, view, scheme)],
            className="afm-middle",
        ),
        html.Div(afm_facts.part_tables(field), className="afm-tables"),
        html.Div(afm_facts.panels(result.sample_id, field), className="facts-row"),
    ]


def figures(
    seen: afm_line.Seen, view: dict[str, str], scheme: Scheme
) -> tuple[go.Figure, go.Figure, go.Figure]:
    """Both maps with their lines, and what is measured along the chosen line or along all."""
    maps = [
        afm_maps.field_figure(
            seen.field, quantity, scheme=scheme, lines=seen.lines, selected=seen.key, movable=seen.is_drawn,
            everywhere=view.get("ev") == "all", colours=afm_lines.LINE_COLOURS if seen.compares else (),
        )
        for quantity in ("height", "modulus")
    ]  # fmt: skip
    profiles = seen.profiles()
    if not profiles:
        along = blank("Drag on a map to draw a line.", scheme)
    elif seen.compares:
        counted = [seen.counted(line.name) for line in profiles]
        along = afm_lines.lines_figure(profiles, counted, scheme=scheme, axis=seen.axis)
    else:
        along = afm_lines.line_figure(profiles[0], seen.counted(seen.key), scheme=scheme, axis=seen.axis)
    return maps[0], maps[1], along


def _map_panel(
    result: Result, field: AfmReduction, quantity: str, figure: go.Figure, controls: list[Component]
) -> Component:
    graph_id, name = f"afm-{quantity}", {"height": "Height h", "modulus": "Modulus E"}[quantity]
    label = f"{name}; drag to draw a line"
    box = (
        parts.linked_graph(graph_id, figure, modality="afm", label=f"{label}; the arrow keys move the cursor")
        if quantity == "modulus"
        else parts.graph(graph_id, figure, label=label)
    )
    return parts.panel(
        name,
        instrument.configured(box, modeBarButtonsToAdd=["drawline"]),
        modality="afm",
        controls=controls,
        actions=[
            instrument.file_link(
                f"/csv/{result.sample_id}/afm/{field.index}/field.csv",
                f"{result.sample_id}_afm_maps_{field.index}.csv",
                text="CSV",
                testid=f"csv-afm_maps_{quantity}",
            ),
            *parts.picture_buttons(graph_id, f"{result.sample_id}_{quantity}"),
        ],
        testid=f"panel-{graph_id}",
    )


def _line_panel(result: Result, seen: afm_line.Seen, view: dict[str, str], figure: go.Figure) -> Component:
    profile = parts.graph(
        "afm-profile", figure, label="Height and modulus along the chosen line", testid="afm-profile"
    )
    return parts.panel(
        "Along a line",
        [_line_bar(seen), profile, _typed_line()],
        controls=[
            html.Span(
                line_words(seen), id="line-words", className="line-words", **{"data-testid": "line-words"}
            ),
            hidden("d", view.get("d", "")),
        ],
        actions=[
            instrument.file_link(
                seen.address(result.sample_id),
                f"{result.sample_id}_line.csv",
                text="CSV",
                testid="csv-line",
                link_id="line-csv",
            ),
            parts.csv_link(result.sample_id, "afm_lines", text="saved lines"),
            *parts.picture_buttons("afm-profile", f"{result.sample_id}_line"),
        ],
        testid="panel-line",
    )


def _line_bar(seen: afm_line.Seen) -> Component:
    """Which line, against what, sampled how."""
    chooser = parts.select("l", seen.key, seen.options, label="Line")
    chooser.w = 185
    axes = afm_lines.AXES if seen.field.coordinate is not None else afm_lines.AXES[:1]
    return html.Div(
        [
            chooser,
            parts.switch("lm", "all" if seen.compares else "one", afm_line.HOW_MANY, label="Lines shown"),
            html.Span("against", className="control-name"),
            parts.switch("lx", seen.axis, axes, label="Axis of the profile"),
            html.Span("sampling", className="control-name"),
            parts.switch("cv", seen.convention, afm_line.CONVENTION_TEXT, label="Sampling of the line"),
            html.Span("thickness", className="control-name"),
            instrument.number_input(
                "t",
                seen.thickness_px,
                label="Thickness in pixels",
                width=60,
                least=1,
                most=afm_line.MAX_THICKNESS,
            ),
            html.Span("px", className="control-name"),
        ],
        className="line-bar",
    )


def _typed_line() -> Component:
    """A line by its ends in um, for those who would rather type than draw."""
    inputs: list[Component] = []
    for name, text in zip(ADD_IDS, ("x₀", "y₀", "x₁", "y₁"), strict=True):
        inputs += [
            html.Label(text, htmlFor=name, className="control-name"),
            dcc.Input(id=name, type="number", step="any", className="number-box"),
        ]
    return html.Div(
        [
            html.Span("Drag on a map to draw a line, or give its ends in µm:", className="control-name"),
            *inputs,
            html.Button("Add line", id="add-line", type="button", className="action"),
            html.Button("Clear drawn lines", id="clear-lines", type="button", className="action"),
        ],
        className="line-bar",
    )


def line_words(seen: afm_line.Seen) -> str:
    """What the chosen line is: its length, number of points and thickness in nm."""
    profiles = seen.profiles()
    if not profiles:
        return ""
    if seen.compares:
        dropped = len(seen.lines) - len(profiles)
        return f"{len(profiles)} lines" + (f", {dropped} more not shown" if dropped else "")
    line = profiles[0]
    n = line.distance_um.size
    length = float(line.distance_um[-1])
    long = f"{length:.2f} µm" if length >= 1.0 else f"{length * NM_PER_UM:.4g} nm"
    return f"{long} long, {n} points, {_whole_nm(line.thickness_nm)} nm thick"


def _whole_nm(thickness_nm: float) -> str:
    """A thickness in nm, with a digit behind the point where it is small."""
    return f"{thickness_nm:.0f}" if thickness_nm >= 10.0 else f"{thickness_nm:.1f}"


def _parts_seen(field: AfmReduction) -> Options:
    """The parts of a field whose modulus is known."""
    return [(name, text) for name, text in PART_TEXT.items() if part_of(field, name)] or [
        ("crystal", "crystal")
    ]


def _histogram_panel(result: Result, field: AfmReduction, view: dict[str, str], scheme: Scheme) -> Component:
    options = _parts_seen(field)
    part = choice(view.get("hp"), options)
    return parts.panel(
        "E of the",
        [
            parts.graph(
                "afm-histogram",
                afm_statistics.histogram_figure(field, scheme=scheme, part=part),
                label="Distribution of the modulus",
            ),
            html.Div(
                modulus_words(field, part),
                id="modulus-words",
                className="value-line",
                **{"data-testid": "modulus-words"},
            ),
        ],
        controls=[parts.select("hp", part, options, label="Part of the field")],
        actions=[
            parts.csv_link(result.sample_id, "afm_parts"),
            *parts.picture_buttons("afm-histogram", f"{result.sample_id}_modulus_distribution"),
        ],
        testid="panel-histogram",
    )


def modulus_words(field: AfmReduction, part: str) -> list[Component]:
    """Mean, spread, median and MAD of E over a part in one line, with what they rest on."""
    found = part_of(field, part)
    if found is None:
        return []
    named = (
        ("mean", value_text(found.mean, found.sem, "GPa")),
        ("std", value_text(found.std, None, "GPa")),
        ("median", value_text(found.median, None, "GPa")),
        ("MAD", value_text(found.mad, None, "GPa")),
        ("n", f"{found.n:,}".replace(",", " ")),
    )
    rests = ", ".join(f"{name} {value}" for name, value in field.metadata.items())
    words: list[Component] = [html.Div([html.Span(name), " ", html.B(text)]) for name, text in named]
    return [*words, html.Div([html.Span("with"), " ", rests])] if rests else words


def _relation_panel(result: Result, field: AfmReduction, view: dict[str, str], scheme: Scheme) -> Component:
    quantity = choice(view.get("rq"), RELATIONS)
    figure, words = relation(result, field, quantity, scheme)
    return parts.panel(
        "E against",
        [
            parts.graph(
                "afm-relation", figure, label="Modulus against height or slope", testid="afm-relation"
            ),
            html.P(words, id="relation-words", className="caption", **{"data-testid": "relation-words"}),
        ],
        controls=[parts.switch("rq", quantity, RELATIONS, label="Quantity on the axis")],
        actions=[
            parts.csv_link(result.sample_id, "correlation"),
            *parts.picture_buttons("afm-relation", f"{result.sample_id}_modulus_against"),
        ],
        testid="panel-relation",
    )


def relation(result: Result, field: AfmReduction, quantity: str, scheme: Scheme) -> tuple[go.Figure, str]:
    """The figure of E against one quantity and what it says in words."""
    found = afm_statistics.relation_of(result, field, quantity)
    figure = afm_statistics.relation_figure(field, found, quantity, scheme=scheme)
    return figure, afm_statistics.relation_words(found, quantity)
