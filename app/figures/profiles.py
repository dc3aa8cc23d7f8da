"""Profiles along the edge-to-centre coordinate: the co-profile of the modalities, and E against <a_SC>."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import plotly.graph_objects as go

from analysis.records import Array, Correlation, Profile, Result, SemReduction, SemRegion
from analysis.registration.coordinate import coordinate_at
from analysis.registration.place import region_centre_um
from app.figures.theme import AFM, MODALITY_COLOUR, SEM, XRAY, Scheme, template, translucent, with_unit
from app.figures.words import with_error

COORDINATE_TITLE = {
    "rectangle": "s  (0 edge, 1 centre)",
    "distance": "s, distance transform  (0 edge, 1 centre)",
    "ray": "s, along rays  (0 edge, 1 centre)",
    "depth": "depth below the edge (µm)",
}
DASHES = ("solid", "dash", "dot", "dashdot")
BANDS = ("ci", "std", "none")


def coprofile(
    results: Sequence[Result],
    *,
    coordinate: str,
    scheme: Scheme,
    band: str = "ci",
    modulus: bool = True,
) -> go.Figure:
    """<a_SC> (X-ray), 1/dk (SEM) and, on a second axis, E (AFM) along one coordinate.

    ``band`` draws the 95 % confidence band of the means, the spread, or neither. One result is named by
    modality; several are told apart by symbol (filled for diffusion, open for evaporation) and dash.
    """
    figure = go.Figure(layout={"template": template(scheme)})
    names = short_names(results)
    for number, result in enumerate(results):
        style = {"dash": DASHES[number % len(DASHES)], "open": is_open(result)}
        prefix = f"{names[number]}: " if len(results) > 1 else ""
        for profile in _profiles(result, "xray", "a_sc", coordinate):
            _add_line(figure, profile, f"{prefix}X-ray ⟨a<sub>SC</sub>⟩", band=band, axis="y", **style)
        _add_regions(figure, result, f"{prefix}SEM 1/δk", coordinate=coordinate, is_open=style["open"])
        for profile in _profiles(result, "afm", "modulus", coordinate) if modulus else []:
            _add_line(figure, profile, f"{prefix}AFM E", band=band, axis="y2", **style)
    second = any(trace.yaxis == "y2" for trace in figure.data)
    figure.update_xaxes(title_text=COORDINATE_TITLE[coordinate])
    if coordinate != "depth":
        figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_layout(
        yaxis={"title": {"text": "⟨a<sub>SC</sub>⟩, 1/δk  (nm)"}},
        margin={"l": 8, "r": 8, "t": 28, "b": 6},
        showlegend=True,
        meta={"link": {"modality": "coprofile", "coordinate": coordinate}},
        uirevision=coordinate,
    )
    if second:
        figure.update_layout(
            yaxis2={
                "title": {"text": "E  (GPa)"},
                "overlaying": "y",
                "side": "right",
                "showgrid": False,
                "tickmode": "auto",
                "nticks": 6,
            }
        )
    return figure


def modulus_profiles(
    results: Sequence[Result], *, coordinate: str, scheme: Scheme, band: str = "ci"
) -> go.Figure:
    """E of several samples along one coordinate."""
    figure = go.Figure(layout={"template": template(scheme)})
    names = short_names(results)
    for number, result in enumerate(results):
        for profile in _profiles(result, "afm", "modulus", coordinate):
            _add_line(
                figure,
                profile,
                names[number],
                band=band,
                axis="y",
                dash=DASHES[number % len(DASHES)],
                open=is_open(result),
            )
    figure.update_xaxes(title_text=COORDINATE_TITLE[coordinate])
    figure.update_layout(
        yaxis={"title": {"text": "E  (GPa)"}},
        margin={"l": 8, "r": 8, "t": 28, "b": 6},
        showlegend=True,
    )
    return figure


def short_names(results: Sequence[Result]) -> list[str]:
    """The shortest words that tell samples apart: method, composition, both, title, or else the id."""
    ways: tuple[Callable[[Result], str], ...] = (
        lambda result: result.method,
        lambda result: result.composition,
        lambda result: f"{result.composition} {result.method}".strip(),
        lambda result: result.title if len(result.title) <= 40 else "",
    )
    for way in ways:
        names = [way(result) for result in results]
        if all(names) and len(set(names)) == len(names):
            return names
    return [result.sample_id for result in results]


def is_open(result: Result) -> bool:
    """Whether a sample's markers are open: those of crystals grown by evaporation are."""
    return result.method.strip().lower() == "evaporation"


def _profiles(result: Result, modality: str, quantity: str, coordinate: str) -> list[Profile]:
    return [
        profile
        for profile in result.profiles
        if (profile.modality, profile.quantity, profile.coordinate) == (modality, quantity, coordinate)
    ]


def _add_line(
    figure: go.Figure,
    profile: Profile,
    name: str,
    *,
    band: str,
    axis: str,
    dash: str,
    open: bool,  # noqa: A002
) -> None:
    colour = MODALITY_COLOUR[profile.modality]
    filled = profile.n > 0
    mid, mean = profile.mid[filled], profile.mean[filled]
    low, high = band_limits(profile, band)
    if band != "none":
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([mid, mid[::-1]]), y=np.concatenate([high[filled], low[filled][::-1]]),
                fill="toself", fillcolor=translucent(colour, 0.18), line={"width": 0}, hoverinfo="skip",
                showlegend=False, yaxis=axis, name=f"{name} band", mode="lines",
            )
        )  # fmt: skip
    number = f" {profile.index + 1}" if profile.index else ""
    figure.add_trace(
        go.Scatter(
            x=mid, y=mean, name=name + number, mode="lines+markers", yaxis=axis,
            line={"color": colour, "width": 2, "dash": dash},
            marker={"size": 6, "symbol": "circle-open" if open else "circle", "color": colour},
            text=[
                f"{with_error(m, e, profile.unit)}, spread {s:.2g}, n = {n}"
                for m, e, s, n in zip(
                    mean, profile.sem[filled], profile.std[filled], profile.n[filled], strict=True
                )
            ],
            hovertemplate="%{text}<br>%{x:.2f}<extra>" + name + "</extra>",
        )
    )  # fmt: skip


def band_limits(profile: Profile, band: str) -> tuple[Array, Array]:
    """Lower and upper edge of a band: ``ci`` falls back to one standard error where there is no interval."""
    if band == "std":
        return profile.mean - profile.std, profile.mean + profile.std
    low = np.where(np.isfinite(profile.ci_lo), profile.ci_lo, profile.mean - np.nan_to_num(profile.sem))
    high = np.where(np.isfinite(profile.ci_hi), profile.ci_hi, profile.mean + np.nan_to_num(profile.sem))
    return low, high


def _add_regions(figure: go.Figure, result: Result, name: str, *, coordinate: str, is_open: bool) -> None:
    for image in result.sem:
        seen = [region for region in image.regions if np.isfinite(region.spacing_nm)]
        depth = coordinate == "depth"
        x = region_places(image, seen, coordinate)
        if not np.isfinite(x).any():
            continue
        number = f" {image.index + 1}" if image.index else ""
        figure.add_trace(
            go.Scatter(
                x=x, y=[region.spacing_nm for region in seen], name=name + number, mode="markers", yaxis="y",
                error_x=None if depth else _bars([region.s_err for region in seen]),
                error_y=_bars([region.spacing_err_nm for region in seen]),
                marker={
                    "size": 7, "symbol": "square-open" if is_open else "square", "color": SEM,
                    "line": {"width": 1.5, "color": SEM},
                },
                text=[
                    f"{region.label}: {with_error(region.spacing_nm, region.spacing_err_nm, 'nm')}, "
                    f"{region.n_periods:.0f} periods"
                    for region in seen
                ],
                hovertemplate="%{text}<br>%{x:.2f}<extra>" + name + "</extra>",
            )
        )  # fmt: skip


def region_places(image: SemReduction, regions: Sequence[SemRegion], coordinate: str) -> Array:
    """Places (n,) of regions along a coordinate; with edge and centre alone, s is one for all kinds."""
    if coordinate == "depth":
        return np.array([region.depth_um for region in regions], dtype=np.float64)
    if coordinate == "rectangle" or image.outline is None or image.outline.source == "edge and centre":
        return np.array([region.s for region in regions], dtype=np.float64)
    x, y = np.array([region_centre_um(region) for region in regions]).reshape(-1, 2).T
    return coordinate_at(image.outline, x, y).s[coordinate]


def _bars(errors: Sequence[float] | Array, colour: str = SEM) -> dict[str, object]:
    return {"type": "data", "array": np.asarray(errors), "width": 0, "thickness": 1.2, "color": colour}


def crossplot(correlation: Correlation | None, *, scheme: Scheme) -> go.Figure:
    """E against <a_SC>, one point a bin of s, both errors, coloured by s; the words say what r means."""
    figure = go.Figure(layout={"template": template(scheme)})
    if correlation is None:
        return figure
    figure.add_trace(
        go.Scatter(
            x=correlation.x, y=correlation.y, mode="markers", showlegend=False, name="bins",
            error_x=_bars(correlation.x_err, XRAY), error_y=_bars(correlation.y_err, AFM),
            marker={
                "size": 8, "color": correlation.s, "colorscale": "cividis", "cmin": 0, "cmax": 1,
                "line": {"width": 1, "color": "#ffffff"},
                "colorbar": with_unit("s", tickvals=[0, 0.5, 1]),
            },
            customdata=correlation.s,
            hovertemplate="s %{customdata:.2f}<br>%{x:.2f} nm<br>%{y:.2f} GPa<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": "⟨a<sub>SC</sub>⟩  (nm)"}},
        yaxis={"title": {"text": "E  (GPa)"}},
        margin={"l": 8, "r": 8, "t": 6, "b": 6},
        meta={"link": {"modality": "crossplot", "s": np.asarray(correlation.s).tolist()}},
    )
    return figure


def cotrend(result: Result) -> Correlation | None:
    """The correlation of E with <a_SC> through the coordinate, if the result has one."""
    wanted = ("a_sc", "modulus", "coordinate")
    for correlation in result.correlations:
        if (correlation.x_quantity, correlation.y_quantity, correlation.pairing) == wanted:
            return correlation
    return None


def cotrend_words(correlation: Correlation | None) -> str:
    """What the cross-plot does and does not say, in one breath."""
    if correlation is None:
        return "Needs an X-ray map and an AFM map of this sample."
    interval = (
        f" ({correlation.r_ci_lo:.2f} to {correlation.r_ci_hi:.2f})"
        if np.isfinite(correlation.r_ci_lo)
        else ""
    )
    return (
        f"Co-trend along s: r = {correlation.pearson_r:.2f}{interval}, {correlation.n} bins. "
        "Both rise with s, on different crystals: no p."
    )


def pixel_pairs(result: Result) -> Correlation | None:
    """The correlation of E with <a_SC> point by point, where their maps were laid upon each other."""
    wanted = ("a_sc", "modulus", "pixel")
    return next((c for c in result.correlations if (c.x_quantity, c.y_quantity, c.pairing) == wanted), None)


def pixel_words(result: Result, correlation: Correlation | None) -> str:
    """What the points say: r, rho, the partial r given s, the slope; or why there are none."""
    if correlation is None:
        crystals = {scan.crystal for scan in result.xray} & {field.crystal for field in result.afm}
        if not result.xray or not result.afm:
            return "Needs an X-ray map and an AFM map of this sample."
        if not crystals:
            return "The maps are of different crystals: they are not laid upon each other."
        return (
            "No registration lays the AFM map upon the X-ray map: without one there are no pairs of points."
        )
    slope = with_error(correlation.slope, correlation.slope_err, "GPa/nm")
    return (
        f"{correlation.n} points of crystal {correlation.crystal}: r = {correlation.pearson_r:.2f}, "
        f"ρ = {correlation.spearman_rho:.2f} ({p_text(correlation.p_block_bootstrap)}); given s, "
        f"r = {correlation.partial_r_s:.2f} ({p_text(correlation.p_partial)}). "
        f"Slope with errors in both {slope}. p from block bootstrap."
    )


def p_text(p: float) -> str:
    """A p-value to two digits; a small one as a limit, an unknown one as such."""
    if not np.isfinite(p):
        return "p unknown"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
