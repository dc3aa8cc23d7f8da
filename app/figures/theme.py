"""One look for every figure: colours, templates for light and dark, the shared graph settings."""

from __future__ import annotations

from typing import Any, Literal

import plotly.graph_objects as go

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, Scheme] = ("light", "dark")

XRAY, SEM, AFM = "#0072B2", "#E69F00", "#009E73"
MODALITY_COLOUR = {"xray": XRAY, "sem": SEM, "afm": AFM}
MODALITY_NAME = {"xray": "X-ray", "sem": "SEM", "afm": "AFM"}
CURSOR = "#D55E00"
OUTLINE = "#ffffff"
HALO = "rgba(0,0,0,0.65)"

FONT = 'Inter, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif'

GRAPH_CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displayModeBar": "hover",
    "modeBarButtonsToRemove": ["toImage", "select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    "doubleClick": "reset",
    "responsive": True,
    "showTips": False,
}
"""Settings of every graph: nothing that leaves the machine, no logo, pictures through our own buttons."""

_INK = {
    "light": {
        "text": "#1c2128",
        "muted": "#57606a",
        "grid": "#e8ebef",
        "line": "#afb8c1",
        "surface": "#ffffff",
    },
    "dark": {
        "text": "#e6e9ee",
        "muted": "#9da7b3",
        "grid": "#262d36",
        "line": "#4a535f",
        "surface": "#171b21",
    },
}
"""The same colours as assets/triptych.css gives to the pages."""

COLOUR_SCALE = {
    "intensity": "cividis",
    "photons": "cividis",
    "psi": "twilight",
    "atomic_orientation": "twilight",
    "atomic_angle": "twilight",
    "atomic_photons": "cividis",
    "window": "cividis",
    "modulus": "cividis",
    "height": "viridis",
}
"""Colour scale of a quantity; whatever is not here is drawn in viridis."""


def colour_scale(quantity: str) -> str:
    """Name of the perceptual colour scale of a quantity: cyclic for psi."""
    return COLOUR_SCALE.get(quantity, "viridis")


def translucent(colour: str, alpha: float) -> str:
    """A ``#rrggbb`` colour with an opacity, as CSS."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def ink(scheme: Scheme) -> dict[str, str]:
    """Colours of text, muted text, grid, lines and surface."""
    return _INK[scheme]


COLOUR_BAR: dict[str, Any] = {
    "thickness": 10,
    "outlinewidth": 0,
    "ticks": "outside",
    "ticklen": 3,
    "tickfont": {"size": 11},
    "title": {"side": "top", "font": {"size": 11}},
    "len": 0.94,
    "y": 0.0,
    "yanchor": "bottom",
    "x": 1.01,
    "xpad": 4,
    "ypad": 0,
}
"""Look of every colour bar; a title ``text`` is the unit. It leaves room for the buttons above it."""


def with_unit(unit: str, **ticks: object) -> dict[str, object]:
    """A colour bar with its unit on top, for traces whose colour bar the template does not reach."""
    return {**COLOUR_BAR, "title": {**COLOUR_BAR["title"], "text": unit}, **ticks}


def template(scheme: Scheme) -> go.layout.Template:
    """The template of all figures in one scheme: only what differs between schemes has a colour here."""
    colours = _INK[scheme]
    axis = {
        "gridcolor": colours["grid"],
        "linecolor": colours["line"],
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": colours["line"],
        "tickfont": {"color": colours["muted"], "size": 11},
        "title": {"font": {"color": colours["muted"], "size": 12}, "standoff": 6},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "color": colours["text"], "size": 12},
            "paper_bgcolor": colours["surface"],
            "plot_bgcolor": colours["surface"],
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "xaxis": axis,
            "yaxis": axis,
            "colorway": [XRAY, SEM, AFM, "#CC79A7", "#56B4E9", "#D55E00"],
            "hoverlabel": {
                "bgcolor": colours["surface"],
                "bordercolor": colours["line"],
                "font": {"family": FONT, "color": colours["text"], "size": 12},
            },
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1,
                "yanchor": "bottom",
                "bgcolor": "rgba(0,0,0,0)",
                "font": {"size": 11},
            },
            "coloraxis": {"colorbar": COLOUR_BAR},
            "hovermode": "closest",
            "dragmode": "zoom",
        },
        data={"heatmap": [{"colorbar": COLOUR_BAR}]},
    )


def blank(message: str, scheme: Scheme) -> go.Figure:
    """A figure with nothing but a quiet sentence."""
    figure = go.Figure(layout={"template": template(scheme)})
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    figure.add_annotation(
        text=message,
        showarrow=False,
        xref="paper",
        yref="paper",
        x=0.5,
        y=0.5,
        font={"size": 13},
        opacity=0.75,
    )
    return figure
