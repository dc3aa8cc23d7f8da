"""How the modulus of a part of a field is distributed, and how it goes with height and slope."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from analysis.afm.parts import part_masks
from analysis.afm.status import slope_of
from analysis.records import AFM_STATUS, AfmPart, AfmReduction, Array, Correlation, Result
from analysis.units import NM_PER_UM
from app.figures.numbers import value_text
from app.figures.theme import AFM, CURSOR, Scheme, blank, ink, template, translucent, with_unit
from app.figures.words import decimals, with_error, with_minus

PART_TEXT = {
    "crystal": "crystal",
    "edge": "edge, 0.05 < s < 0.2",
    "centre": "centre, s > 0.8",
    "flank": "flank, too steep",
    "substrate": "substrate",
}
RELATIONS = (("height", "height"), ("slope", "slope"))
X_TITLE = {"height": "h (nm)", "slope": "slope |∇h| (nm/nm)"}
SLOPE_UNIT = {"height": "GPa/µm", "slope": "GPa"}
"""Unit of the slope of E against each; that against height is written per um of height."""

MEDIAN = "#CC79A7"
FIT = "#56B4E9"
MAX_BARS = 60
DENSITY_BINS = (64, 40)
SHOWN_PERCENTILES = (0.5, 99.5)
NO_FIT = "log-normal: no fit"


def part_of(field: AfmReduction, name: str, quantity: str = "modulus") -> AfmPart | None:
    """The distribution of one quantity over one part, if the part has pixels."""
    return next((part for part in field.parts if (part.part, part.quantity) == (name, quantity)), None)


def histogram_figure(field: AfmReduction, *, scheme: Scheme, part: str = "crystal") -> go.Figure:
    """Distribution of E over one part, with mean +- std (ddof = 0), median and MAD, and the lognormal fit."""
    found = part_of(field, part)
    if found is None:
        return blank("No modulus here.", scheme)
    values = field.modulus_gpa[part_masks(field)[part]]
    values = values[np.isfinite(values)]
    low, high = (float(limit) for limit in np.percentile(values, (0.1, 99.9)))
    high = high if high > low else low + 1.0
    bars = int(np.clip(np.sqrt(values.size), 8, MAX_BARS))
    number, edges = np.histogram(values, bins=bars, range=(low, high))
    figure = go.Figure(layout={"template": template(scheme)})
    figure.add_trace(
        go.Bar(
            x=(edges[1:] + edges[:-1]) / 2,
            y=number,
            width=np.diff(edges),
            marker={"color": translucent(AFM, 0.65), "line": {"width": 0}},
            hovertemplate="E %{x:.3g} GPa<br>%{y} pixels<extra></extra>",
            showlegend=False,
            name="pixels",
        )
    )
    figure.add_trace(_lognormal_trace(found, edges))
    _mark(figure, found.mean, found.std, CURSOR, "solid", f"mean {pair(found.mean, found.std, '±')}")
    _mark(figure, found.median, found.mad, MEDIAN, "dash", f"median {pair(found.median, found.mad, ', MAD')}")
    figure.update_xaxes(title_text="E (GPa)", range=[low, high])
    figure.update_yaxes(title_text="pixels", range=[0, 1.06 * max(int(number.max()), 1)])
    return figure.update_layout(
        margin={"l": 8, "r": 8, "t": 26, "b": 6}, bargap=0, uirevision=f"histogram {part}"
    )


def pair(value: float, spread: float, between: str) -> str:
    """A value and its spread to the same decimals: two digits of the spread."""
    if not (math.isfinite(value) and math.isfinite(spread)) or spread <= 0.0:
        return value_text(value, None, "GPa")
    digits = decimals(spread)
    return with_minus(f"{value:.{digits}f}{' ' if between == '±' else ''}{between} {spread:.{digits}f} GPa")


def _lognormal_trace(part: AfmPart, edges: Array) -> go.Scatter:
    """The fitted lognormal in pixels a bar."""
    sigma, median = part.lognormal_sigma, part.lognormal_median
    fitted = math.isfinite(sigma) and sigma > 0.0
    least = max(float(edges[0]), 1e-6 * float(edges[-1]))
    x = np.linspace(least, float(edges[-1]), 300) if fitted and edges[-1] > 0.0 else np.empty(0)
    density = np.empty(0)
    if x.size:
        density = np.exp(-0.5 * (np.log(x / median) / sigma) ** 2) / (x * sigma * math.sqrt(2 * math.pi))
    words = f"log-normal: median {median:.3g} GPa, σ {sigma:.2g}, off by {part.lognormal_distance:.2g}"
    return go.Scatter(
        x=x,
        y=density * part.lognormal_n * float(edges[1] - edges[0]),
        mode="lines",
        line={"color": FIT, "width": 2},
        name=words if fitted else NO_FIT,
        hoverinfo="skip",
    )


def _mark(figure: go.Figure, at: float, half: float, colour: str, dash: str, words: str) -> None:
    figure.add_vrect(
        x0=at - half, x1=at + half, fillcolor=translucent(colour, 0.12), line_width=0, layer="below"
    )
    figure.add_vline(x=at, line={"color": colour, "width": 2, "dash": dash})
    line = {"color": colour, "width": 2, "dash": dash}
    figure.add_trace(go.Scatter(x=[None], y=[None], mode="lines", line=line, name=words))


def relation_of(result: Result, field: AfmReduction, quantity: str) -> Correlation | None:
    """E against height or slope of one field, as the reduction found it."""
    for found in result.correlations:
        if (found.pairing, found.y_quantity, found.x_quantity, found.index) == (
            "pixel",
            "modulus",
            quantity,
            field.index,
        ):
            return found
    return None


def relation_figure(
    field: AfmReduction, relation: Correlation | None, quantity: str, *, scheme: Scheme
) -> go.Figure:
    """E against height or slope: how many pixels lie where, and the mean of E in bins with its error."""
    if relation is None:
        return blank(f"E was not measured against {quantity} here.", scheme)
    x, y = _pairs(field, quantity)
    spans = [np.percentile(values, SHOWN_PERCENTILES) for values in (x, y)]
    spans = [(low, high) if high > low else (low - 0.5, high + 0.5) for low, high in spans]
    number, x_edges, y_edges = np.histogram2d(x, y, bins=DENSITY_BINS, range=spans)
    figure = go.Figure(layout={"template": template(scheme)})
    figure.add_trace(
        go.Heatmap(
            x=(x_edges[1:] + x_edges[:-1]) / 2,
            y=(y_edges[1:] + y_edges[:-1]) / 2,
            z=np.where(number > 0, np.log10(np.maximum(number, 1)), np.nan).T.astype(np.float32),
            customdata=number.T.astype(np.int32),
            colorscale=[[0, translucent(AFM, 0.12)], [1, AFM]],
            colorbar=with_unit("pixels", **_decades(float(number.max()))),
            hoverongaps=False,
            hovertemplate="%{x:.4g}<br>E %{y:.3g} GPa<br>%{customdata} pixels<extra></extra>",
            name="pixels",
        )
    )
    figure.add_trace(_means(relation, ink(scheme)["surface"]))
    figure.update_xaxes(title_text=X_TITLE[quantity], range=list(spans[0]), showgrid=False)
    figure.update_yaxes(title_text="E (GPa)", range=list(spans[1]), showgrid=False)
    return figure.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 6}, uirevision=f"against {quantity}")


def _pairs(field: AfmReduction, quantity: str) -> tuple[Array, Array]:
    """Height or slope, and E, of every pixel that counts."""
    dx, dy = field.grid.cell_um
    other = field.height_nm
    if quantity == "slope":
        other = slope_of(field.height_nm, dx_nm=dx * NM_PER_UM, dy_nm=dy * NM_PER_UM)
    counted = (field.status == AFM_STATUS.index("ok")) & np.isfinite(other) & np.isfinite(field.modulus_gpa)
    return other[counted], field.modulus_gpa[counted]


def _means(relation: Correlation, ground: str) -> go.Scatter:
    return go.Scatter(
        x=relation.x,
        y=relation.y,
        mode="lines+markers",
        line={"color": CURSOR, "width": 1.5},
        marker={"size": 7, "color": CURSOR, "line": {"width": 1, "color": ground}},
        error_y={"array": relation.y_err, "width": 0, "thickness": 1.5, "color": CURSOR},
        customdata=np.nan_to_num(relation.y_err),
        hovertemplate="bin at %{x:.4g}<br>E %{y:.3g} ± %{customdata:.2g} GPa<extra></extra>",
        showlegend=False,
        name="means in bins",
    )


def _decades(most: float) -> dict[str, object]:
    powers = range(int(math.log10(max(most, 1.0))) + 1)
    return {"tickvals": list(powers), "ticktext": [f"{10**power:g}" for power in powers]}


def relation_words(relation: Correlation | None, quantity: str) -> str:
    """What a relation says: r, what is left of it given s, the slope, and how sure all of it is."""
    if relation is None:
        return ""
    words = [f"r = {_within(relation.pearson_r, relation.r_ci_lo, relation.r_ci_hi)}"]
    if math.isfinite(relation.partial_r_s):
        left = _within(relation.partial_r_s, relation.partial_r_ci_lo, relation.partial_r_ci_hi)
        words.append(f"given s: {left}")
    if math.isfinite(relation.p_block_bootstrap):
        words.append(f"p = {relation.p_block_bootstrap:.2g}")
    scale = NM_PER_UM if quantity == "height" else 1.0
    slope, error = scale * relation.slope, scale * relation.slope_err
    words.append(f"slope {with_error(slope, error, SLOPE_UNIT[quantity])}")
    blocks = f"{relation.n:,} pixels in {relation.blocks} blocks of {relation.block_px} px"
    return ", ".join([*words, blocks.replace(",", " ")]) + "."


def _within(value: float, low: float, high: float) -> str:
    # Zero added to what was rounded to it takes away its sign.
    value, low, high = (round(number, 2) + 0.0 for number in (value, low, high))
    interval = f" ({low:.2f} to {high:.2f})" if math.isfinite(low) and math.isfinite(high) else ""
    return with_minus(f"{value:.2f}{interval}")
