"""Height and modulus of one AFM field side by side: outline, equal s, lines, and what does not count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.records import AFM_STATUS, AfmReduction, Array, PixelGrid
from app.figures.maps import MAX_CELLS, averaged, colour_limits, map_figure
from app.figures.reasons import NOTHING_THERE, reason_trace
from app.figures.theme import CURSOR, Scheme
from app.figures.words import STATUS_TEXT

UNIT = {"modulus": "GPa", "height": "nm"}
NAME = {"modulus": "E", "height": "h"}
PERCENTILES = {"modulus": (1.0, 99.0), "height": (0.5, 99.5)}
LINE = "#ffffff"

Ends = tuple[float, float, float, float]
Named = tuple[str, Ends]


def field_figure(
    field: AfmReduction,
    quantity: str,
    *,
    scheme: Scheme,
    lines: Sequence[Named] = (),
    selected: str = "",
    everywhere: bool = False,
) -> go.Figure:
    """Height or modulus as displayed, x right, y down in um from the field's top-left corner, 1:1.

    The modulus of pixels that do not count is left out (grey, with the reason) unless ``everywhere``.
    ``lines`` are (name, (x0, y0, x1, y1)) in um; ``selected`` names the one that is drawn strong.
    """
    grid, values, s, status = _cells(field, quantity)
    excluded = status != AFM_STATUS.index("ok")
    hidden = excluded if quantity == "modulus" and not everywhere else np.zeros_like(excluded)
    reason = np.array([STATUS_TEXT[name] for name in AFM_STATUS])[status].astype(np.str_)
    outside = status == AFM_STATUS.index("outside")
    figure = map_figure(
        grid,
        np.where(hidden, np.nan, values),
        quantity=quantity,
        unit=UNIT[quantity],
        scheme=scheme,
        outline=field.outline,
        s=s,
        limits=limits(field, quantity, everywhere=everywhere),
        detail=reason,
        failed=hidden & ~outside,
    )
    if hidden.any():
        figure.add_trace(reason_trace(grid, hidden & outside, reason, colour=NOTHING_THERE, name="outside"))
    for name, ends in lines:
        figure.add_traces(line_traces(name, ends, strong=name == selected))
    return figure.update_layout(
        meta={**figure.layout.meta, "link": {"modality": "afm", "index": field.index}},
        margin={"l": 8, "r": 8, "t": 4, "b": 4},
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


def line_traces(name: str, ends: Ends, *, strong: bool) -> list[go.Scatter]:
    """A line from its start (dot) to its end, named; a strong one stands out from the others."""
    x0, y0, x1, y1 = ends
    colour = CURSOR if strong else LINE
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
