"""Height and modulus of one AFM field side by side: outline, equal s, lines, and what does not count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.records import AFM_STATUS, AfmReduction, Array, PixelGrid
from app.figures.maps import FAILED, MAX_CELLS, averaged, colour_limits, map_figure
from app.figures.reasons import NOTHING_THERE
from app.figures.theme import CURSOR, Scheme
from app.figures.words import STATUS_TEXT

UNIT = {"modulus": "GPa", "height": "nm"}
NAME = {"modulus": "E", "height": "h"}
PERCENTILES = {"modulus": (1.0, 99.0), "height": (0.5, 99.5)}
LINE = "#ffffff"
REASON_CELLS = 96

Ends = tuple[float, float, float, float]
Named = tuple[str, Ends]


def field_figure(
    field: AfmReduction,
    quantity: str,
    *,
    scheme: Scheme,
    lines: Sequence[Named] = (),
    selected: str = "",
    movable: bool = False,
    everywhere: bool = False,
    colours: Sequence[str] = (),
) -> go.Figure:
    """Height or modulus as displayed, x right, y down in um from the field's top-left corner, 1:1.

    The modulus of pixels that do not count is left out (grey, with the reason) unless ``everywhere``.
    ``lines`` are (name, (x0, y0, x1, y1)) in um; ``selected`` names the one that is drawn strong, and,
    if ``movable``, as the figure's first shape, which can be dragged. ``colours`` are those of lines that
    are compared, used in turn.
    """
    grid, values, s, status = _cells(field, quantity)
    hidden = quantity == "modulus" and not everywhere
    counted = status == AFM_STATUS.index("ok")
    figure = map_figure(
        grid,
        np.where(counted, values, np.nan) if hidden else values,
        quantity=quantity,
        unit=UNIT[quantity],
        scheme=scheme,
        outline=field.outline,
        s=s,
        limits=limits(field, quantity, everywhere=everywhere),
    )
    if hidden:
        figure.add_traces([excluded_trace(grid, status), reasons_trace(grid, status)])
        figure.data = figure.data[-2:] + figure.data[:-2]
    for number, (name, ends) in enumerate(lines):
        colour = colours[number % len(colours)] if colours else CURSOR if name == selected else LINE
        figure.add_traces(line_traces(name, ends, colour=colour, strong=bool(colours) or name == selected))
        if movable and name == selected:
            figure.layout.shapes = (movable_line(ends), *figure.layout.shapes)
    return figure.update_layout(
        meta={**figure.layout.meta, "link": {"modality": "afm", "index": field.index}},
        margin={"l": 8, "r": 8, "t": 12, "b": 4},
        dragmode="drawline",
        newshape={"line": {"color": CURSOR, "width": 2.5}, "drawdirection": "diagonal"},
        uirevision=f"afm{field.index}",
    )


def limits(field: AfmReduction, quantity: str, *, everywhere: bool) -> tuple[float, float]:
    """Colour limits from the pixels that are drawn."""
    values = field.modulus_gpa if quantity == "modulus" else field.height_nm
    if quantity == "modulus" and not everywhere:
        values = values[field.status == AFM_STATUS.index("ok")]
    return colour_limits(values, percentiles=PERCENTILES[quantity])


def _cells(
    field: AfmReduction, quantity: str
) -> tuple[PixelGrid, Array, Array | None, npt.NDArray[np.uint8]]:
    """Grid, values, s and status, averaged where the field is finer than a browser draws at once."""
    values = np.array(field.modulus_gpa if quantity == "modulus" else field.height_nm, dtype=np.float64)
    status = field.status
    block = -(-max(field.grid.shape) // MAX_CELLS)
    if block > 1 and quantity == "modulus":
        values[status != AFM_STATUS.index("ok")] = np.nan
    s = None if field.coordinate is None else field.coordinate.s["rectangle"]
    grid, values, s = averaged(field.grid, values, s)
    rows, cols = grid.shape
    return grid, values, s, status[block // 2 :: block, block // 2 :: block][:rows, :cols]


def excluded_trace(grid: PixelGrid, status: npt.NDArray[np.uint8]) -> go.Heatmap:
    """Pixels that do not count in flat colours: pale outside the crystal, grey where one was left out."""
    x_um, y_um, _ = grid.displayed_axes()
    colours = ["rgba(0,0,0,0)" if name == "ok" else FAILED for name in AFM_STATUS]
    colours[AFM_STATUS.index("outside")] = NOTHING_THERE
    steps = np.linspace(0.0, 1.0, len(colours) + 1)
    return go.Heatmap(
        x=x_um.astype(np.float32),
        y=y_um.astype(np.float32),
        z=np.ascontiguousarray(grid.displayed(status.astype(np.uint8))),
        zmin=-0.5,
        zmax=len(colours) - 0.5,
        colorscale=[[float(steps[n + side]), colour] for n, colour in enumerate(colours) for side in (0, 1)],
        showscale=False,
        hoverinfo="skip",
        name="excluded",
    )


def reasons_trace(grid: PixelGrid, status: npt.NDArray[np.uint8]) -> go.Heatmap:
    """A transparent layer that says why a pixel does not count; coarser than the field where that is fine."""
    step = -(-max(grid.shape) // REASON_CELLS)
    x_um, y_um, _ = grid.displayed_axes()
    seen = np.asarray(grid.displayed(status))[step // 2 :: step, step // 2 :: step]
    words = np.array([STATUS_TEXT[name] for name in AFM_STATUS])
    return go.Heatmap(
        x=x_um[step // 2 :: step].astype(np.float32),
        y=y_um[step // 2 :: step].astype(np.float32),
        z=np.where(seen == AFM_STATUS.index("ok"), np.float32(np.nan), np.float32(1)),
        text=words[seen],
        opacity=0.0,
        showscale=False,
        hoverongaps=False,
        hovertemplate="<b>not counted</b><br>%{text}<br>x %{x:.2f}, y %{y:.2f} µm<extra></extra>",
        name="reasons",
    )


def line_traces(name: str, ends: Ends, *, colour: str, strong: bool) -> list[go.Scatter]:
    """A line from its start (dot) to its end, named; a strong one stands out from the others."""
    x0, y0, x1, y1 = ends
    width = 2.5 if strong else 1.4
    return [
        go.Scatter(
            x=[x0, x1],
            y=[y0, y1],
            mode="lines",
            line={"color": "#000000", "width": width + 2},
            opacity=0.45,
            hoverinfo="skip",
            showlegend=False,
            name=f"halo {name}",
        ),
        go.Scatter(
            x=[x0, x1],
            y=[y0, y1],
            mode="lines+markers+text",
            text=[name, ""],
            textposition="top right",
            textfont={"color": "#ffffff", "size": 11, "shadow": "auto"},
            line={"color": colour, "width": width, "dash": "solid" if strong else "dash"},
            marker={"symbol": ["circle", "arrow"], "size": [6, 9], "angleref": "previous", "color": colour},
            hoverinfo="skip",
            showlegend=False,
            name=name,
        ),
    ]


def movable_line(ends: Ends) -> go.layout.Shape:
    """The chosen drawn line as a shape whose ends can be dragged."""
    x0, y0, x1, y1 = ends
    line = {"color": CURSOR, "width": 3}
    return go.layout.Shape(type="line", x0=x0, y0=y0, x1=x1, y1=y1, editable=True, name="drawn", line=line)
