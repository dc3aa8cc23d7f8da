"""The map of counts in a window of q and phi: the frame that the browser fills with counts."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from analysis.records import XRAY_STATUS, XrayReduction
from analysis.xray.pattern_window import Window
from app.figures.maps import (
    FAILED,
    add_scale_bar,
    extent_um,
    heatmap_trace,
    iso_lines_trace,
    outline_traces,
    physical_axes,
)
from app.figures.reasons import reason_trace
from app.figures.theme import Scheme, template
from app.figures.words import STATUS_TEXT

COUNTS = "window"
"""Name of the trace that the browser fills."""

Q_MARGIN_PER_NM = 0.04


def first_window(scan: XrayReduction, q_most_per_nm: float) -> Window:
    """The window that is shown first: where the first orders of nearly all points lie, the whole turn."""
    first = np.concatenate([scan.maps[name].values.ravel() for name in ("q1", "q2")])
    first = first[np.isfinite(first)]
    if not first.size:
        return Window(q_per_nm=(0.0, q_most_per_nm))
    low, high = (float(limit) for limit in np.percentile(first, (2.0, 98.0)))
    low = round(max(low - Q_MARGIN_PER_NM, 0.0), 2)
    return Window(q_per_nm=(low, round(min(high + Q_MARGIN_PER_NM, q_most_per_nm), 2)))


def window_figure(scan: XrayReduction, *, scheme: Scheme) -> go.Figure:
    """A map as displayed, without its counts; ``meta`` names the scan, and rows and columns as seen."""
    figure = go.Figure(layout={"template": template(scheme)})
    missing = scan.status == XRAY_STATUS.index("frame_missing")
    words = np.full(scan.grid.shape, STATUS_TEXT["frame_missing"])
    figure.add_trace(reason_trace(scan.grid, missing, words, colour=FAILED, name="no value"))
    empty = np.full(scan.grid.shape, np.nan)
    trace = heatmap_trace(scan.grid, empty, quantity="intensity", unit="counts", limits=(0.0, 1.0))
    figure.add_trace(trace.update(name=COUNTS, hovertemplate=trace.hovertemplate.replace(":.4g", ":,.0f")))
    if scan.coordinate is not None:
        figure.add_trace(iso_lines_trace(scan.grid, scan.coordinate.s["rectangle"]))
    if scan.outline is not None:
        figure.add_traces(outline_traces(scan.outline))
    x_range, y_range = extent_um(scan.grid)
    physical_axes(figure, x_range=x_range, y_range=y_range)
    add_scale_bar(figure, x_range=x_range, y_range=y_range)
    rows, cols = scan.grid.displayed(empty).shape
    return figure.update_layout(
        meta={**figure.layout.meta, "window": {"index": scan.index, "shape": [rows, cols], "trace": COUNTS}},
        margin={"l": 8, "r": 8, "t": 12, "b": 4},
        uirevision=f"window{scan.index}",
    )
