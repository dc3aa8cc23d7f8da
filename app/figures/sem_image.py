"""An SEM image with its regions, coloured by what was read from them, and that against the coordinate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from analysis.records import Array, SemReduction, SemRegion
from analysis.sem.spectrum import HANN_STD
from analysis.units import UM_PER_NM
from app.figures.maps import FAILED, add_scale_bar, colour_limits, outline_traces, physical_axes
from app.figures.sem_map import map_traces
from app.figures.theme import CURSOR, SEM, Scheme, template, with_unit
from app.figures.words import STATUS_TEXT, with_error

QUANTITIES = {"spacing": "1/δk", "a_sc": "⟨a_SC⟩", "delta_k": "δk", "gamma": "γ"}
UNIT = {"spacing": "nm", "a_sc": "nm", "delta_k": "1/nm", "gamma": "°"}
SCALE = "viridis"
OVERVIEW_PX = 1600
A_SC_COLOUR = "#8a6fd1"

HOVER_CELLS = 72
"""Cells along an image's longer side of the transparent layer that knows which region lies where."""


def value_of(region: SemRegion, quantity: str) -> tuple[float, float]:
    """Value and 1-sigma error (NaN where there is none) of a region."""
    return {
        "spacing": (region.spacing_nm, region.spacing_err_nm),
        "a_sc": (region.a_sc_nm, region.a_sc_err_nm),
        "delta_k": (region.delta_k_per_nm, region.delta_k_err_per_nm),
        "gamma": (region.gamma_deg, np.nan),
    }[quantity]


def size_um(image: SemReduction) -> tuple[float, float]:
    """Width and height in um of the image above its information bar."""
    rows, cols = min(image.bar_row, image.image.shape[0]), image.image.shape[1]
    return cols * image.pixel_size_nm * UM_PER_NM, rows * image.pixel_size_nm * UM_PER_NM


def region_at(image: SemReduction, *, x_um: float, y_um: float) -> int | None:
    """Number of the region whose centre is nearest among those that hold a place; None outside all."""
    number = int(regions_at(image, x_um=np.array(x_um), y_um=np.array(y_um)))
    return None if number < 0 else number


def regions_at(image: SemReduction, *, x_um: Array, y_um: Array) -> npt.NDArray[np.int64]:
    """Numbers of the regions at places of one shape, as :func:`region_at`; -1 outside all."""
    if not image.regions:
        return np.full(np.shape(x_um), -1, dtype=np.int64)
    away = np.stack(
        [np.maximum(np.abs(x_um - x), np.abs(y_um - y)) for x, y in map(centre_um, image.regions)], axis=-1
    )
    half = np.array([region.size_nm * UM_PER_NM / 2 for region in image.regions])
    held = np.where(away <= half, away, np.inf)
    return np.where(np.isfinite(held.min(axis=-1)), held.argmin(axis=-1), -1)


def centre_um(region: SemRegion) -> tuple[float, float]:
    """Centre (x, y) of a region in um from the image's top-left corner."""
    half = region.size_nm / 2
    return (region.x_nm + half) * UM_PER_NM, (region.y_nm + half) * UM_PER_NM


def image_figure(
    image: SemReduction,
    quantity: str,
    *,
    source: str,
    scheme: Scheme,
    selected: int | None = None,
    filled: bool = True,
    drawn: int = 0,
    line_nm: tuple[float, float, float, float] | None = None,
    shown_map: str = "",
) -> go.Figure:
    """The image, x right, y down in um, with its regions; ``source`` is the address of the picture.

    ``meta`` holds what the browser needs to fetch a sharp crop when the view is zoomed. The ``drawn`` regions
    (labels D1 ...) and the drawn line are the figure's first shapes and can be moved. ``shown_map`` names the
    map that is laid over the image; the regions are then outlines.
    """
    rows, cols = min(image.bar_row, image.image.shape[0]), image.image.shape[1]
    width, height = size_um(image)
    figure = go.Figure(layout={"template": template(scheme)})
    over = map_traces(image, shown_map)
    _add_movable(figure, image, selected=selected, drawn=drawn, line_nm=line_nm)
    figure.add_layout_image(
        source=f"{source}&x0=0&x1={cols}&y0=0&y1={rows}&w={OVERVIEW_PX}",
        x=0,
        y=0,
        sizex=width,
        sizey=height,
        xref="x",
        yref="y",
        xanchor="left",
        yanchor="top",
        sizing="stretch",
        layer="below",
    )
    values = np.array([value_of(region, quantity)[0] for region in image.regions], dtype=np.float64)
    limits = colour_limits(values, percentiles=(0.0, 100.0))
    if over:
        figure.add_traces(over)
    else:
        figure.add_trace(hover_trace(image, quantity))
    figure.add_trace(_labels_trace(image, values, limits, quantity, with_bar=not over))
    _add_regions(figure, image, values, limits, selected=selected, filled=filled and not over)
    if image.outline is not None and image.outline.source != "edge and centre":
        figure.add_traces(outline_traces(image.outline))
    physical_axes(figure, x_range=(0.0, width), y_range=(0.0, height))
    add_scale_bar(figure, x_range=(0.0, width), y_range=(0.0, height))
    picture = {"source": source, "cols": cols, "rows": rows, "width": width, "height": height}
    return figure.update_layout(
        meta={**figure.layout.meta, "image": picture, "link": {"modality": "sem", "index": image.index}},
        margin={"l": 8, "r": 8, "t": 4, "b": 4},
        dragmode="pan",
        newshape={"line": {"color": CURSOR, "width": 2.5}, "drawdirection": "diagonal"},
        uirevision=f"sem{image.index}",
    )


def _add_movable(
    figure: go.Figure,
    image: SemReduction,
    *,
    selected: int | None,
    drawn: int,
    line_nm: tuple[float, float, float, float] | None,
) -> None:
    """The drawn regions, in their order, and the drawn line as shapes that can be dragged."""
    places = {region.label: (number, region) for number, region in enumerate(image.regions)}
    for n in range(drawn):
        number, region = places[f"D{n + 1}"]
        x0, y0, size = (length * UM_PER_NM for length in (region.x_nm, region.y_nm, region.size_nm))
        line = {"color": CURSOR if number == selected else "#ffffff", "width": 3 if number == selected else 2}
        figure.add_shape(
            type="rect", x0=x0, y0=y0, x1=x0 + size, y1=y0 + size, line=line, editable=True, name="drawn"
        )
    if line_nm is not None:
        x0, y0, x1, y1 = (end * UM_PER_NM for end in line_nm)
        line = {"color": CURSOR, "width": 2.5}
        figure.add_shape(type="line", x0=x0, y0=y0, x1=x1, y1=y1, line=line, editable=True, name="drawn line")


def hover_trace(image: SemReduction, quantity: str) -> go.Heatmap:
    """A transparent layer over the image: pointing says which region is there and what was read from it."""
    width, height = size_um(image)
    step = max(width, height) / HOVER_CELLS
    x = np.arange(step / 2, width, step)
    y = np.arange(step / 2, height, step)
    words = np.array([*(_words(region, quantity) for region in image.regions), "no region"])
    found = regions_at(image, x_um=x[None, :] + 0 * y[:, None], y_um=y[:, None] + 0 * x[None, :])
    return go.Heatmap(
        x=x,
        y=y,
        z=np.maximum(found, 0).astype(np.float32),
        text=words[found],
        opacity=0.0,
        showscale=False,
        hovertemplate="%{text}<br>x %{x:.3f}, y %{y:.3f} µm<extra></extra>",
        name="place",
    )


def _words(region: SemRegion, quantity: str) -> str:
    value, error = value_of(region, quantity)
    return (
        f"<b>{region.label}</b>: {QUANTITIES[quantity]} {with_error(value, error, UNIT[quantity])}"
        f"<br>s = {with_error(region.s, region.s_err)}, {STATUS_TEXT[region.status]}"
    )


def _labels_trace(
    image: SemReduction, values: Array, limits: tuple[float, float], quantity: str, *, with_bar: bool = True
) -> go.Scatter:
    """Names of the regions, and the colour bar that their outlines follow."""
    return go.Scatter(
        x=[centre_um(region)[0] for region in image.regions],
        y=[centre_um(region)[1] for region in image.regions],
        mode="markers+text",
        text=[region.label for region in image.regions],
        textfont={"color": "#ffffff", "size": 11, "shadow": "auto"},
        hoverinfo="skip",
        showlegend=False,
        name="regions",
        marker={
            "size": 1,
            "opacity": 0.0,
            "color": values,
            "cmin": limits[0],
            "cmax": limits[1],
            "colorscale": SCALE,
            "showscale": with_bar,
            "colorbar": with_unit(UNIT[quantity]),
        },
    )


def _add_regions(
    figure: go.Figure,
    image: SemReduction,
    values: Array,
    limits: tuple[float, float],
    *,
    selected: int | None,
    filled: bool,
) -> None:
    place = np.clip((np.nan_to_num(values) - limits[0]) / (limits[1] - limits[0]), 0.0, 1.0)
    colours = sample_colorscale(SCALE, place.tolist()) if place.size else []
    drawn = list(zip(range(values.size), image.regions, values, colours, strict=True))
    for number, region, value, colour in sorted(drawn, key=lambda one: one[0] == selected):
        if region.label.startswith("D") and region.label[1:].isdigit():
            continue
        known, chosen = bool(np.isfinite(value)), number == selected
        x0, y0, size = (length * UM_PER_NM for length in (region.x_nm, region.y_nm, region.size_nm))
        figure.add_shape(
            type="rect",
            x0=x0,
            x1=x0 + size,
            y0=y0,
            y1=y0 + size,
            layer="between",
            name="selected" if chosen else "region",
            fillcolor=(colour if known else FAILED).replace("rgb(", "rgba(").replace(")", ", 0.38)")
            if filled and known
            else "rgba(0,0,0,0)",
            line={
                "width": 3.5 if chosen else 2,
                "color": CURSOR if chosen else colour if known else FAILED,
                "dash": "solid" if known else "dot",
            },
        )


def against_s_figure(
    image: SemReduction, *, scheme: Scheme, selected: int | None = None, along: str = "s"
) -> go.Figure:
    """1/dk and <a_SC> of every region against s (0 edge, 1 centre), with bars; ``selected`` is ringed.

    With ``along`` = ``height`` against the height over the facet's foot in um.
    """
    figure = go.Figure(layout={"template": template(scheme)})
    for quantity, colour, symbol in (("spacing", SEM, "square"), ("a_sc", A_SC_COLOUR, "diamond-open")):
        figure.add_trace(_points(image, quantity, colour, symbol, along=along))
    if selected is not None and np.isfinite(image.regions[selected].spacing_nm):
        region = image.regions[selected]
        figure.add_trace(
            go.Scatter(
                x=[abscissa(region, along)[0]],
                y=[region.spacing_nm],
                mode="markers",
                hoverinfo="skip",
                showlegend=False,
                marker={"symbol": "circle-open", "size": 17, "color": CURSOR, "line": {"width": 2.5}},
                name="selected",
            )
        )
    known = any(np.isfinite(abscissa(region, along)[0]) for region in image.regions)
    title = "height over the foot (µm)" if along == "height" else "s  (0 edge, 1 centre)"
    figure.update_xaxes(title_text=title if known else f"{along} is not known for this image")
    figure.update_yaxes(title_text="nm")
    if known and along == "s":
        figure.update_xaxes(range=[-0.03, 1.03])
    return figure.update_layout(
        margin={"l": 8, "r": 8, "t": 26, "b": 6}, showlegend=True, uirevision=f"s{image.index}"
    )


def abscissa(region: SemRegion, along: str) -> tuple[float, float]:
    """Place and its 1 sigma of a region: its s, or its height in um."""
    if along == "height":
        return region.height_um, HANN_STD * region.size_nm * UM_PER_NM
    return region.s, region.s_err


def _points(image: SemReduction, quantity: str, colour: str, symbol: str, *, along: str) -> go.Scatter:
    kept = [
        (number, region)
        for number, region in enumerate(image.regions)
        if np.isfinite(value_of(region, quantity)[0]) and np.isfinite(abscissa(region, along)[0])
    ]
    values = [value_of(region, quantity) for _, region in kept]
    bars = {"type": "data", "width": 0, "thickness": 1.3, "color": colour}
    return go.Scatter(
        x=[abscissa(region, along)[0] for _, region in kept],
        y=[value for value, _ in values],
        mode="markers",
        name=QUANTITIES[quantity],
        marker={"symbol": symbol, "size": 11 if symbol.endswith("open") else 7, "color": colour},
        error_x={**bars, "array": [abscissa(region, along)[1] for _, region in kept]},
        error_y={**bars, "array": [error for _, error in values]},
        customdata=[number for number, _ in kept],
        text=[
            f"<b>{region.label}</b>: {QUANTITIES[quantity]} {with_error(*value, 'nm')}<br>"
            f"s = {with_error(region.s, region.s_err)}, {region.n_periods:.0f} periods"
            for (_, region), value in zip(kept, values, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
    )
