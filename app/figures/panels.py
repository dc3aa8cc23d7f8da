"""The three panels that stand side by side: X-ray map, SEM image with its regions, AFM map."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from analysis.records import (
    AFM_STATUS,
    XRAY_STATUS,
    AfmReduction,
    Array,
    Coordinate,
    SemReduction,
    XrayReduction,
)
from analysis.units import UM_PER_NM
from app.figures.maps import (
    FAILED,
    LIMITS,
    add_scale_bar,
    colour_limits,
    map_figure,
    outline_traces,
    physical_axes,
)
from app.figures.sem_map import MAPS, map_traces
from app.figures.theme import Scheme, template, with_unit
from app.figures.words import STATUS_TEXT, unit_text, with_error

XRAY_QUANTITIES = ("a_sc", "a1", "a2", "gamma", "psi", "intensity")
AFM_QUANTITIES = {"modulus": "GPa", "height": "nm"}
SEM_QUANTITIES = {"spacing": "1/δk", "a_sc": "⟨a_SC⟩"}
SEM_MAPS = {f"map-{name}": f"map {text}" for name, text in MAPS.items()}
"""Quantities of the sliding map, which stand beside those of the regions."""
AFM_FAILED = [AFM_STATUS.index(code) for code in ("edge", "clipped", "masked", "not_finite")]
PARTIAL = XRAY_STATUS.index("partial_beam")
OVERVIEW_PX = 1024
SEM_SCALE = "viridis"

Limits = tuple[float, float] | None


def xray_panel(
    scan: XrayReduction, quantity: str, *, scheme: Scheme, limits: str = "p1", coordinate: str = "rectangle"
) -> go.Figure:
    """Map of one quantity of a scan with outline and iso-s lines; failed points grey, with their reason.

    ``limits`` names the percentiles between which the colours run, ``coordinate`` whose iso-s lines show.
    Points that the beam covers only in part carry a small cross.
    """
    shown = scan.maps[quantity]
    values, log = shown.values, quantity in {"intensity", "photons"}
    errors = np.full(values.shape, np.nan) if shown.errors is None else shown.errors
    unit = unit_text(shown.unit)
    detail = np.array(
        [
            _detail(value, error, unit, XRAY_STATUS[code])
            for value, error, code in zip(values.flat, errors.flat, scan.status.flat, strict=True)
        ]
    ).reshape(values.shape)
    figure = map_figure(
        scan.grid,
        values,
        quantity=quantity,
        unit=unit,
        scheme=scheme,
        outline=scan.outline,
        s=_s_of(scan.coordinate, coordinate),
        limits=colour_limits(values, percentiles=LIMITS[limits], log=log),
        log=log,
        detail=detail,
        failed=~np.isfinite(values) & (scan.status != XRAY_STATUS.index("no_signal")),
    )
    if (scan.status == PARTIAL).any():
        figure.add_trace(partial_trace(scan))
    return _linked(figure, "xray", scan.index)


def partial_trace(scan: XrayReduction) -> go.Scatter:
    """Small crosses on the points of a scan that the beam covers only in part."""
    x, y = (places[scan.status == PARTIAL] for places in scan.grid.positions_um())
    return go.Scatter(
        x=x, y=y, mode="markers", name="partial beam", showlegend=False, hoverinfo="skip",
        marker={"symbol": "x-thin", "size": 4, "line": {"width": 1, "color": "rgba(255,255,255,0.85)"}},
    )  # fmt: skip


def _s_of(coordinate: Coordinate | None, kind: str) -> Array | None:
    """s of one kind; along depth it is that of the rectangle."""
    return None if coordinate is None else coordinate.s.get(kind, coordinate.s["rectangle"])


def _detail(value: float, error: float, unit: str, status: str) -> str:
    number = with_error(value, error, unit) + ", " if np.isfinite(value) else ""
    return number + STATUS_TEXT[status]


def afm_panel(
    field: AfmReduction, quantity: str, *, scheme: Scheme, limits: str = "p1", coordinate: str = "rectangle"
) -> go.Figure:
    """Map of modulus or height of one field with outline, iso-s lines and the lines saved with it."""
    values = np.array(field.modulus_gpa if quantity == "modulus" else field.height_nm)
    if quantity == "modulus":
        values[field.status != AFM_STATUS.index("ok")] = np.nan
    figure = map_figure(
        field.grid,
        values,
        quantity=quantity,
        unit=AFM_QUANTITIES[quantity],
        scheme=scheme,
        outline=field.outline,
        s=_s_of(field.coordinate, coordinate),
        limits=colour_limits(values, percentiles=LIMITS[limits]),
        failed=np.isin(field.status, AFM_FAILED),
    )
    for line in field.lines:
        x0, y0, x1, y1 = line.ends_um
        figure.add_trace(
            go.Scatter(
                x=[x0, x1], y=[y0, y1], mode="lines", name=line.name, showlegend=False,
                line={"color": "#ffffff", "width": 1.5, "dash": "dash"}, hoverinfo="skip",
            )
        )  # fmt: skip
    return _linked(figure, "afm", field.index)


def sem_panel(
    image: SemReduction,
    quantity: str,
    *,
    source: str,
    scheme: Scheme,
    limits: Limits = None,
) -> go.Figure:
    """The image with its regions coloured by plane spacing or <a_SC>; ``source`` is the picture's address."""
    rows, cols = min(image.bar_row, image.image.shape[0]), image.image.shape[1]
    width, height = (n * image.pixel_size_nm * UM_PER_NM for n in (cols, rows))
    figure = go.Figure(layout={"template": template(scheme)})
    figure.add_layout_image(
        source=f"{source}&x0=0&x1={cols}&y0=0&y1={rows}&w={OVERVIEW_PX}",
        x=0, y=0, sizex=width, sizey=height, xref="x", yref="y", xanchor="left", yanchor="top",
        sizing="stretch", layer="below",
    )  # fmt: skip
    shown = map_traces(image, quantity.removeprefix("map-")) if quantity in SEM_MAPS else []
    if shown:
        figure.add_traces(shown)
    else:
        _add_regions(figure, image, quantity if quantity in SEM_QUANTITIES else "spacing", limits)
    if image.outline is not None and image.outline.source != "edge and centre":
        figure.add_traces(outline_traces(image.outline))
    ranges = {"x_range": (0.0, width), "y_range": (0.0, height)}
    physical_axes(figure, **ranges)
    add_scale_bar(figure, **ranges)
    figure.update_layout(
        meta={
            **figure.layout.meta,
            "image": {"source": source, "cols": cols, "rows": rows, "width": width, "height": height},
        }
    )
    return _linked(figure, "sem", image.index)


def _add_regions(figure: go.Figure, image: SemReduction, quantity: str, limits: Limits) -> None:
    spacing = quantity == "spacing"
    values = np.array([region.spacing_nm if spacing else region.a_sc_nm for region in image.regions])
    low, high = limits if limits is not None else colour_limits(values, percentiles=(0.0, 100.0))
    places = np.clip(np.nan_to_num((values - low) / (high - low)), 0.0, 1.0)
    colours = sample_colorscale(SEM_SCALE, places.tolist()) if places.size else []
    for region, value, colour in zip(image.regions, values, colours, strict=True):
        x0, y0, size = (length * UM_PER_NM for length in (region.x_nm, region.y_nm, region.size_nm))
        known = bool(np.isfinite(value))
        figure.add_shape(
            type="rect", x0=x0, x1=x0 + size, y0=y0, y1=y0 + size, name="region",
            fillcolor=colour if known else FAILED, opacity=0.5, layer="above",
            line={"width": 1, "color": "#ffffff", "dash": "solid" if known else "dot"},
        )  # fmt: skip
    errors = [r.spacing_err_nm if spacing else r.a_sc_err_nm for r in image.regions]
    name = SEM_QUANTITIES[quantity]
    figure.add_trace(
        go.Scatter(
            x=[(region.x_nm + region.size_nm / 2) * UM_PER_NM for region in image.regions],
            y=[(region.y_nm + region.size_nm / 2) * UM_PER_NM for region in image.regions],
            mode="markers",
            name="regions",
            showlegend=False,
            marker={
                "size": 14, "opacity": 0.0, "color": values, "cmin": low, "cmax": high,
                "colorscale": SEM_SCALE, "showscale": True, "colorbar": with_unit("nm"),
            },
            text=[
                f"<b>{region.label}</b>, s = {with_error(region.s, region.s_err)}<br>"
                f"{name} = {with_error(value, error, 'nm')}<br>{STATUS_TEXT[region.status]}"
                for region, value, error in zip(image.regions, values, errors, strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
        )
    )  # fmt: skip


def _linked(figure: go.Figure, modality: str, index: int) -> go.Figure:
    """Write into ``meta`` which reduction the panel shows, for the cursor that links the panels."""
    return figure.update_layout(
        meta={**(figure.layout.meta or {}), "link": {"modality": modality, "index": index}},
        margin={"l": 8, "r": 8, "t": 12, "b": 4},
        uirevision=f"{modality}{index}",
    )
