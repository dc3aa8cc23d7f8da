"""Maps of one quantity on a physical plane: heatmap, outline, iso-s lines, scale bar, colour limits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from skimage.measure import find_contours

from analysis.records import Array, Outline, PixelGrid
from analysis.units import NM_PER_UM
from app.figures.theme import HALO, OUTLINE, Scheme, colour_scale, template

MAX_CELLS = 512
"""Cells a side of a heatmap that a browser still draws at once; larger maps are averaged in blocks."""

LIMITS = {"p1": (1.0, 99.0), "p5": (5.0, 95.0), "p0": (0.0, 100.0)}
"""Colour limits by percentiles: what an address calls them, and the two percentiles."""

ISO_LEVELS = (0.2, 0.4, 0.6, 0.8)
FAILED = "#8b949e"
GROUND = "rgba(23,27,33,0.8)"
BAR_MARGIN = 0.025
"""Ground of a scale bar, and how far it goes beyond the bar, in widths of the map (as in assets/zoom.js)."""


def map_figure(
    grid: PixelGrid,
    values: Array,
    *,
    quantity: str,
    unit: str,
    scheme: Scheme,
    outline: Outline | None = None,
    s: Array | None = None,
    limits: tuple[float, float] | None = None,
    log: bool = False,
    detail: npt.NDArray[np.str_] | None = None,
    failed: npt.NDArray[np.bool_] | None = None,
) -> go.Figure:
    """A map (rows, cols) as displayed, 1:1, with colour bar, scale bar and, where given, outline and iso-s.

    ``detail`` (rows, cols) is a line of text for the hover label of each element, ``failed`` (rows, cols)
    marks elements without a value that are drawn grey instead of being left out.
    """
    if max(grid.shape) > MAX_CELLS:
        failed = None if failed is None else averaged(grid, failed.astype(np.float64))[1] > 0.5
        grid, values, s = averaged(grid, values, s)
        detail = None
    figure = go.Figure(layout={"template": template(scheme)})
    if failed is not None and failed.any():
        figure.add_trace(failed_trace(grid, failed, detail))
    figure.add_trace(
        heatmap_trace(grid, values, quantity=quantity, unit=unit, limits=limits, log=log, detail=detail)
    )
    if s is not None:
        figure.add_trace(iso_lines_trace(grid, s))
    if outline is not None:
        figure.add_traces(outline_traces(outline))
    x_range, y_range = extent_um(grid)
    physical_axes(figure, x_range=x_range, y_range=y_range)
    add_scale_bar(figure, x_range=x_range, y_range=y_range)
    return figure


def heatmap_trace(
    grid: PixelGrid,
    values: Array,
    *,
    quantity: str,
    unit: str,
    limits: tuple[float, float] | None = None,
    log: bool = False,
    detail: npt.NDArray[np.str_] | None = None,
) -> go.Heatmap:
    """Heatmap of values (rows, cols) on their grid, float32, axes in um; ``log`` colours by log10."""
    x_um, y_um, _ = grid.displayed_axes()
    shown = np.asarray(grid.displayed(values), dtype=np.float32)
    low, high = limits if limits is not None else colour_limits(values, log=log)
    z, bar = shown, {"title": {"text": unit}}
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.log10(np.where(shown > 0, shown, np.nan))
        low, high = math.log10(low), math.log10(high)
        bar |= _log_ticks(low, high)
    value = "%{customdata:.4g}" if log else "%{z:.4g}"
    return go.Heatmap(
        x=x_um.astype(np.float32),
        y=y_um.astype(np.float32),
        z=z,
        customdata=shown if log else None,
        text=None if detail is None else grid.displayed(detail),
        zmin=low,
        zmax=high,
        colorscale=colour_scale(quantity),
        colorbar=bar,
        hoverongaps=False,
        hovertemplate=("<b>%{text}</b>" if detail is not None else f"<b>{value} {unit}</b>")
        + "<br>x %{x:.2f}, y %{y:.2f} µm<extra></extra>",
        name=quantity,
    )


def failed_trace(
    grid: PixelGrid, failed: npt.NDArray[np.bool_], detail: npt.NDArray[np.str_] | None
) -> go.Heatmap:
    """Elements that were measured but gave no value, in grey, with their reason on hover."""
    x_um, y_um, _ = grid.displayed_axes()
    return go.Heatmap(
        x=x_um.astype(np.float32),
        y=y_um.astype(np.float32),
        z=np.where(grid.displayed(failed), np.float32(1), np.float32(np.nan)),
        text=None if detail is None else grid.displayed(detail),
        colorscale=[[0, FAILED], [1, FAILED]],
        showscale=False,
        hoverongaps=False,
        hovertemplate="<b>no value</b><br>%{text}<extra></extra>",
        name="no value",
    )


def outline_traces(outline: Outline) -> list[go.Scatter]:
    """The crystal's outline as a light line on a dark one, seen on any ground."""
    return [outline_trace(outline, colour=HALO, width=3.5), outline_trace(outline)]


def outline_trace(outline: Outline, *, colour: str = OUTLINE, width: float = 1.6) -> go.Scatter:
    """The crystal's outline as a closed line."""
    x, y = np.vstack([outline.vertices_um, outline.vertices_um[:1]]).T
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": colour, "width": width},
        hoverinfo="skip",
        showlegend=False,
        name="outline",
    )


def iso_lines_trace(grid: PixelGrid, s: Array, levels: Sequence[float] = ISO_LEVELS) -> go.Scatter:
    """Lines of equal s at some levels, thin and dotted, from s (rows, cols), NaN outside."""
    row_col = [line for level in levels for line in find_contours(np.nan_to_num(s, nan=-1.0), level)]
    x: list[float | None] = []
    y: list[float | None] = []
    for line in row_col:
        rows, cols = line.T
        x += [*(grid.x0_um + cols * grid.col_step_um[0] + rows * grid.row_step_um[0]).tolist(), None]
        y += [*(grid.y0_um + cols * grid.col_step_um[1] + rows * grid.row_step_um[1]).tolist(), None]
    return go.Scatter(
        x=x, y=y, mode="lines", line={"color": "rgba(255,255,255,0.55)", "width": 1, "dash": "dot"},
        hoverinfo="skip", showlegend=False, name="iso-s",
    )  # fmt: skip


def extent_um(grid: PixelGrid) -> tuple[tuple[float, float], tuple[float, float]]:
    """Outer edges in um of all cells: (x low, x high), (y low, y high)."""
    x_um, y_um, transposed = grid.displayed_axes()
    along, across = grid.cell_um
    dx, dy = (across, along) if transposed else (along, across)
    return (
        (float(x_um[0] - dx / 2), float(x_um[-1] + dx / 2)),
        (float(y_um[0] - dy / 2), float(y_um[-1] + dy / 2)),
    )


def physical_axes(
    figure: go.Figure, *, x_range: tuple[float, float], y_range: tuple[float, float], unit: str = "µm"
) -> None:
    """Give a figure axes of one physical scale, x to the right, y down, that show the whole range."""
    figure.update_xaxes(
        range=list(x_range), constrain="domain", showgrid=False, title_text=f"x ({unit})", showline=False
    )
    figure.update_yaxes(
        range=[y_range[1], y_range[0]],
        scaleanchor="x",
        constrain="domain",
        showgrid=False,
        title_text=f"y ({unit})",
        showline=False,
    )


def add_scale_bar(figure: go.Figure, *, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
    """Draw a scale bar on a dark ground in the lower left corner; ``meta`` tells that a zoom moves it."""
    span = x_range[1] - x_range[0]
    length, margin = nice_length(0.25 * span), BAR_MARGIN * span
    x0 = x_range[0] + 0.05 * span
    y0 = y_range[1] - 0.06 * (y_range[1] - y_range[0])
    figure.add_shape(
        type="rect", x0=x0 - margin, x1=x0 + length + margin, y0=-7, y1=20, ysizemode="pixel", yanchor=y0,
        fillcolor=GROUND, line={"width": 0}, name="scale-bar-ground",
    )  # fmt: skip
    bar = {"color": OUTLINE, "width": 3}
    figure.add_shape(type="line", x0=x0, x1=x0 + length, y0=y0, y1=y0, line=bar, name="scale-bar")
    figure.add_annotation(
        x=x0 + length / 2, y=y0, yanchor="bottom", text=length_text(length), name="scale-bar",
        font={"color": OUTLINE, "size": 12}, borderpad=1, showarrow=False,
    )  # fmt: skip
    figure.update_layout(meta={"scale_bar": True})


def length_text(length_um: float) -> str:
    """A length in um, in nm where it is below one."""
    return f"{length_um:g} µm" if length_um >= 1 else f"{length_um * NM_PER_UM:g} nm"


def nice_length(target: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above ``target``."""
    power = 10.0 ** math.floor(math.log10(target))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= target * (1 + 1e-9))


def colour_limits(
    values: npt.ArrayLike, *, percentiles: tuple[float, float] = (1.0, 99.0), log: bool = False
) -> tuple[float, float]:
    """Colour limits of finite (for ``log`` positive) values at two percentiles; 0 to 1 without any."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite) & (finite > 0 if log else True)]
    if finite.size == 0:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = (float(limit) for limit in np.percentile(finite, percentiles))
    if low < high:
        return low, high
    return (low / 1.1, high * 1.1) if log else (low - 0.5, high + 0.5)


def averaged(
    grid: PixelGrid, values: Array, s: Array | None = None, *, most: int = MAX_CELLS
) -> tuple[PixelGrid, Array, Array | None]:
    """Grid, values and s averaged in square blocks (NaN ignored) until no side is above ``most`` cells."""
    block = math.ceil(max(grid.shape) / most)
    if block <= 1:
        return grid, values, s
    rows, cols = grid.shape[0] // block, grid.shape[1] // block
    offset = 0.5 * (block - 1)
    (cx, cy), (rx, ry) = grid.col_step_um, grid.row_step_um
    coarse = PixelGrid(
        shape=(rows, cols),
        col_step_um=(cx * block, cy * block),
        row_step_um=(rx * block, ry * block),
        x0_um=grid.x0_um + offset * (cx + rx),
        y0_um=grid.y0_um + offset * (cy + ry),
    )
    return (
        coarse,
        _block_mean(values, rows, cols, block),
        None if s is None else _block_mean(s, rows, cols, block),
    )


def _block_mean(values: Array, rows: int, cols: int, block: int) -> Array:
    blocks = values[: rows * block, : cols * block].reshape(rows, block, cols, block)
    seen = np.isfinite(blocks)
    count = seen.sum(axis=(1, 3))
    total = np.where(seen, blocks, 0.0).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _log_ticks(low: float, high: float) -> dict[str, object]:
    """Ticks at 1, 2, 5 times powers of ten between two limits given as log10."""
    exponents = range(math.floor(low), math.ceil(high) + 1)
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
    ticks = [tick for tick in ticks if low <= math.log10(tick) <= high]
    return {"tickvals": [math.log10(tick) for tick in ticks], "ticktext": [f"{tick:g}" for tick in ticks]}
