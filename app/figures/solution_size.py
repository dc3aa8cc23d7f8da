"""The nanocrystals' size in solution as a line on an axis of lattice constants."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from analysis.records import Result

LINE = {"width": 1, "dash": "dot", "color": "#7a7a7a"}


def draw_solution_sizes(figure: go.Figure, results: Sequence[Result], *, axis: str = "y") -> go.Figure:
    """Draw a dotted line at each size that is stated, once, along the ``y`` or ``x`` axis of <a_SC>.

    What lies above it is the ligands' share of a lattice constant.
    """
    sizes = dict.fromkeys(r.nanocrystal_size_nm[0] for r in results if r.nanocrystal_size_nm is not None)
    for number, size in enumerate(sizes):
        words = {"annotation_text": f"NC in solution {size:g} nm", "annotation_font_size": 10}
        if axis == "y":
            figure.add_hline(y=size, line=LINE, annotation_position="bottom right", **words)
        else:
            figure.add_vline(
                x=size, line=LINE, annotation_position="top right", annotation_yshift=-12 * number, **words
            )
    return figure
