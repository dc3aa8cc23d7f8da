"""What stands beside the AFM figures: statistics, what was left out and why, steps, what E rests on."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from analysis.records import AfmReduction, Measured
from app.figures.numbers import value_text
from app.figures.words import STATUS_TEXT, unit_text
from app.pages.instrument import facts, listed

NAMES = {
    "modulus_mean": "E, mean",
    "modulus_std": "E, std (ddof = 0)",
    "modulus_median": "E, median",
    "modulus_mad": "E, MAD (unscaled)",
    "modulus_p05": "E, 5th percentile",
    "modulus_p95": "E, 95th percentile",
    "height_mean": "h, mean",
    "height_std": "h, std (ddof = 0)",
    "height_median": "h, median",
    "height_mad": "h, MAD (unscaled)",
}


def panels(field: AfmReduction) -> list[Component]:
    """The panels of facts about one field."""
    return [
        facts("Statistics", ("", "value", "spread, pixels"), statistics_rows(field), testid="afm-statistics"),
        facts("Pixels left out", ("", "n", "why"), excluded_rows(field), testid="afm-excluded"),
        facts("What E rests on", ("", ""), metadata_rows(field), testid="afm-metadata"),
        listed("Steps taken on the height", field.steps, nothing="The height is as it was read."),
        listed(
            "Notes",
            ["AFM sees the top of the crystal; X-rays average through its thickness.", *field.notes],
            nothing="",
        ),
    ]


def statistics_rows(field: AfmReduction) -> list[tuple[str, Component, str]]:
    """Name, value with its standard error, and spread and number of pixels of every statistic."""
    return [
        (NAMES.get(name, name), html.Span(_value(one), className="nowrap"), _spread(one))
        for name, one in field.statistics.items()
    ]


def _value(one: Measured) -> str:
    return value_text(one.value, one.err, one.unit)


def _spread(one: Measured) -> str:
    words = [] if one.std is None else [f"std {one.std:.3g} {unit_text(one.unit)}"]
    return ", ".join(words + ([] if one.n is None else [f"n = {one.n}"]))


def excluded_rows(field: AfmReduction) -> list[tuple[str, str, str]]:
    """Reason, number of pixels and share of the field of everything that does not count."""
    total = field.status.size
    return [
        (name.replace("_", " "), f"{count}", f"{STATUS_TEXT.get(name, name)} ({100 * count / total:.1f} %)")
        for name, count in field.excluded.items()
        if count
    ]


def metadata_rows(field: AfmReduction) -> list[tuple[str, str]]:
    """What the file says of the modulus (tip radius, Poisson ratio, model) and which channels were read."""
    dx, dy = field.grid.cell_um
    rows, cols = field.grid.shape
    return [
        *field.metadata.items(),
        ("channel of E", field.modulus_title or "none"),
        ("channel of h", field.height_title or "none"),
        ("file", field.file_path),
        ("field", f"{cols} × {rows} px, {cols * dx:.3f} × {rows * dy:.3f} µm"),
    ]


def modulus_words(field: AfmReduction) -> Component:
    """Mean, spread, median and MAD of E in one line, with what they rest on."""
    found = field.statistics
    words = [
        html.Div([html.Span(NAMES[name]), " ", html.B(value_text(found[name].value, found[name].err, "GPa"))])
        for name in ("modulus_mean", "modulus_std", "modulus_median", "modulus_mad")
        if name in found
    ]
    rests = ", ".join(f"{name} {value}" for name, value in field.metadata.items())
    return html.Div(
        [*words, html.Div([html.Span("with"), " ", rests]) if rests else None],
        className="value-line",
        **{"data-testid": "modulus-words"},
    )
