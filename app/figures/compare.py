"""Several samples in one figure: profiles, maps that share their colour range, distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.records import AFM_STATUS, Array, PixelGrid, Result
from app.figures.maps import averaged, colour_limits, extent_um, map_figure
from app.figures.profiles import coprofile, is_open, modulus_profiles, short_names
from app.figures.solution_size import draw_solution_sizes
from app.figures.theme import MODALITY_COLOUR, Scheme, blank, colour_scale, template, translucent, with_unit

DIVERGING = "RdBu_r"
QUANTITY_UNIT = {"a_sc": "nm", "modulus": "GPa"}
QUANTITY_LABEL = {"a_sc": "⟨a<sub>SC</sub>⟩  (nm)", "modulus": "E  (GPa)"}


def lattice_figure(results: Sequence[Result], *, coordinate: str, band: str, scheme: Scheme) -> go.Figure:
    """<a_SC> by X-ray and 1/dk by SEM of all samples along one coordinate."""
    figure = coprofile(results, coordinate=coordinate, band=band, scheme=scheme, modulus=False)
    return draw_solution_sizes(figure, results)


def modulus_figure(results: Sequence[Result], *, coordinate: str, band: str, scheme: Scheme) -> go.Figure:
    """E of all samples along one coordinate, logarithmic where they differ by more than ten times."""
    figure = modulus_profiles(results, coordinate=coordinate, band=band, scheme=scheme)
    if not figure.data:
        return blank("No AFM data of these samples.", scheme)
    means = np.concatenate([np.asarray(trace.y, dtype=float) for trace in figure.data if trace.marker.size])
    positive = means[means > 0]
    if positive.size and positive.max() > 10 * positive.min():
        ticks = [step * 10.0**power for power in range(-3, 4) for step in (1, 2, 5)]
        figure.update_yaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])
    return figure


def maps_figure(results: Sequence[Result], quantity: str, *, scheme: Scheme) -> go.Figure:
    """The first map of each sample, one beside another, in one colour range."""
    shown = [(result, found) for result in results if (found := quantity_map(result, quantity)) is not None]
    if not shown:
        return blank("No map of this quantity.", scheme)
    low, high = colour_limits(np.concatenate([values[np.isfinite(values)] for _, (_, values) in shown]))
    figure = make_subplots(
        rows=1,
        cols=len(shown),
        horizontal_spacing=0.04,
        subplot_titles=short_names([result for result, _ in shown]),
    )
    for column, (_, (grid, values)) in enumerate(shown, start=1):
        grid, values, _s = averaged(grid, values, most=256)
        x_um, y_um, _ = grid.displayed_axes()
        heatmap = go.Heatmap(
            x=x_um.astype(np.float32),
            y=y_um.astype(np.float32),
            z=np.asarray(grid.displayed(values), dtype=np.float32),
            coloraxis="coloraxis",
            hoverongaps=False,
            hovertemplate="%{z:.4g} " + QUANTITY_UNIT[quantity] + "<extra></extra>",
        )
        figure.add_trace(heatmap, row=1, col=column)
        (x0, x1), (y0, y1) = extent_um(grid)
        axis = f"x{column}" if column > 1 else "x"
        figure.update_xaxes(
            range=[x0, x1], constrain="domain", showgrid=False, title_text="µm", row=1, col=column
        )
        figure.update_yaxes(
            range=[y1, y0], scaleanchor=axis, constrain="domain", showgrid=False, row=1, col=column
        )
    figure.update_layout(
        template=template(scheme),
        coloraxis={
            "cmin": low,
            "cmax": high,
            "colorscale": colour_scale(quantity),
            "colorbar": with_unit(QUANTITY_UNIT[quantity]),
        },
        margin={"t": 26, "l": 8, "r": 8, "b": 6},
    )
    figure.update_annotations(font={"size": 12}, yshift=2)
    return figure


def difference_figure(results: Sequence[Result], quantity: str, *, scheme: Scheme) -> go.Figure:
    """First sample minus second, point by point as displayed, on a diverging map centred on 0; or why not.

    Points are matched by their place on the grid, not by their place on the two crystals.
    """
    found = difference(results, quantity)
    if isinstance(found, str):
        return blank(found, scheme)
    grid, values = found
    known = np.abs(values[np.isfinite(values)])
    most = float(np.percentile(known, 99.0)) if known.size else 0.0
    figure = map_figure(
        grid,
        values,
        quantity="difference",
        unit=QUANTITY_UNIT[quantity],
        scheme=scheme,
        limits=(-most, most) if most > 0 else (-1.0, 1.0),
    )
    figure.data[-1].colorscale = DIVERGING
    first, second = short_names(results)[:2]
    figure.update_layout(title={"text": f"{first} − {second}", "font": {"size": 12}, "x": 0.5, "y": 0.98})
    return figure.update_layout(margin={"t": 26, "l": 8, "r": 8, "b": 6})


def difference(results: Sequence[Result], quantity: str) -> tuple[PixelGrid, Array] | str:
    """Plain grid and first minus second sample (rows, cols) as displayed; a sentence if unlike."""
    maps = [quantity_map(result, quantity) for result in results[:2]]
    if len(maps) < 2 or maps[0] is None or maps[1] is None:
        return "No difference: one of the first two samples has no map of this quantity."
    (one, first), (other, second) = maps
    shown, subtracted = one.displayed(first), other.displayed(second)
    steps = [np.array([np.diff(axis[:2])[0] for axis in grid.displayed_axes()[:2]]) for grid in (one, other)]
    if shown.shape != subtracted.shape or not np.allclose(*steps, rtol=1e-3):
        words = [
            f"{values.shape[0]} × {values.shape[1]} points, step {step[0]:.3g} × {step[1]:.3g} µm"
            for values, step in zip((shown, subtracted), steps, strict=True)
        ]
        return f"No difference: the grids are not alike.<br>{words[0]}<br>{words[1]}"
    x_um, y_um, _ = one.displayed_axes()
    (dx, dy) = steps[0]
    grid = PixelGrid(
        shape=shown.shape,
        col_step_um=(float(dx), 0.0),
        row_step_um=(0.0, float(dy)),
        x0_um=float(x_um[0]),
        y0_um=float(y_um[0]),
    )
    return grid, np.asarray(shown - subtracted)


def distribution_figure(results: Sequence[Result], quantity: str, *, scheme: Scheme) -> go.Figure:
    """Distribution of all points of each sample; points of one crystal are not independent."""
    figure = go.Figure(layout={"template": template(scheme)})
    colour = MODALITY_COLOUR["xray" if quantity == "a_sc" else "afm"]
    for name, result in zip(short_names(results), results, strict=True):
        found = quantity_map(result, quantity)
        if found is None:
            continue
        values = found[1][np.isfinite(found[1])]
        step = max(1, values.size // 4000)
        hollow = is_open(result)
        figure.add_trace(
            go.Violin(
                x=values[::step].astype(np.float32), name=name, side="positive", points=False,
                width=1.6,
                line={"color": colour, "width": 1.5}, meanline={"visible": True}, hoverinfo="skip",
                fillcolor="rgba(0,0,0,0)" if hollow else translucent(colour, 0.3), showlegend=False,
                spanmode="hard", orientation="h",
            )
        )  # fmt: skip
    figure.update_xaxes(title_text=QUANTITY_LABEL[quantity])
    if quantity == "a_sc":
        draw_solution_sizes(figure, results, axis="x")
    figure.update_layout(margin={"t": 10, "l": 8, "r": 8, "b": 6})
    return figure


def quantity_map(result: Result, quantity: str) -> tuple[PixelGrid, Array] | None:
    """Grid and values of the first map of <a_SC> or E of a sample, NaN where there is no value."""
    if quantity == "a_sc" and result.xray:
        return result.xray[0].grid, result.xray[0].maps["a_sc"].values
    if quantity == "modulus" and result.afm:
        field = result.afm[0]
        return field.grid, np.where(field.status == AFM_STATUS.index("ok"), field.modulus_gpa, np.nan)
    return None
