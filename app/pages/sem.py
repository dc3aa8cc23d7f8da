"""SEM of one sample: the image, its regions, their power spectra, the spacing against the coordinate."""

from __future__ import annotations

from math import isfinite
from typing import Any

import dash
import dash_ag_grid as dag
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from analysis.records import Result, SemReduction, SemRegion
from app.figures import sem_image, sem_spectrum
from app.figures.theme import Scheme
from app.figures.words import STATUS_TEXT, apart, decimals, with_error
from app.library import library
from app.pages import instrument, parts
from app.pages.instrument import asked, choice, chosen, numbers, whole

QUANTITIES = tuple(sem_image.QUANTITIES.items())
FILLING = (("filled", "filled"), ("outlined", "outlined"))
VIEW_TEXT = {
    "bottom": "seen from below (mirrored)",
    "top": "seen from above",
    "side": "seen from the side",
    "": "view not given",
}
COLUMNS = (
    ("label", "region", "left"),
    ("s", "s", "right"),
    ("s_err", "± s", "right"),
    ("delta_k", "δk (1/nm)", "right"),
    ("delta_k_err", "± δk", "right"),
    ("delta_k_1", "δk₁", "right"),
    ("delta_k_2", "δk₂", "right"),
    ("spacing", "1/δk (nm)", "right"),
    ("spacing_err", "± 1/δk", "right"),
    ("a_sc", "⟨a_SC⟩ (nm)", "right"),
    ("a_sc_err", "± ⟨a_SC⟩", "right"),
    ("a_sc_sys", "± sys", "right"),
    ("gamma", "γ (°)", "right"),
    ("lattice", "lattice", "left"),
    ("periods", "periods", "right"),
    ("status", "status", "left"),
)
"""Columns of the table of regions: field, heading, side."""


def register(app: Dash) -> None:
    """Put the page and its callbacks on ``app``."""
    dash.register_page(
        __name__,
        path_template="/s/<sample_id>/sem",
        order=11,
        title="SEM - Triptych",
        layout=layout,
        name="SEM",
    )
    _register_selection(app)

    @app.callback(
        Output("sem-image", "figure"),
        Output("sem-s", "figure"),
        Output("spectrum-slot", "children"),
        Output("sem-radial-slot", "children"),
        Input(parts.view("sq"), "value"),
        Input(parts.view("sf"), "value"),
        Input(parts.view("r"), "value"),
        State(parts.view("sn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_region(quantity: str, filling: str, region: str, wanted: str, sample_id: str):
        result, scheme = library().result(sample_id), parts.current_scheme()
        image = chosen(result.sem, wanted)
        view = {"sq": quantity, "sf": filling, "r": region}
        number = _selected(image, region)
        return (
            _image(result, image, view, scheme),
            sem_image.against_s_figure(image, scheme=scheme, selected=number),
            *_region_panels(result, image, number, scheme),
        )


def _register_selection(app: Dash) -> None:
    @app.callback(
        Output(parts.view("r"), "value"),
        Output("sem-table", "selectedRows"),
        Input("sem-image", "clickData"),
        Input("sem-s", "clickData"),
        Input("sem-table", "selectedRows"),
        State(parts.view("r"), "value"),
        State(parts.view("sn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def select_region(on_image: Any, on_plot: Any, rows: Any, now: str, wanted: str, sample_id: str):
        image = chosen(library().result(sample_id).sem, wanted)
        number = _pointed(image, ctx.triggered_id, on_image, on_plot, rows)
        if number is None or number == _selected(image, now):
            return no_update, no_update
        chosen_rows = no_update if ctx.triggered_id == "sem-table" else {"ids": [image.regions[number].label]}
        return image.regions[number].label, chosen_rows

    @app.callback(
        Output("sem-page", "children"),
        Input(parts.view("sn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_image(wanted: str, sample_id: str) -> list[Component]:
        return _page(library().result(sample_id), {"sn": wanted}, parts.current_scheme())


def layout(sample_id: str = "", **query: object) -> Component:
    """The page of one sample; ``query`` is the view that the address asks for."""
    result = instrument.result_or_page(sample_id, "sem")
    if not isinstance(result, Result):
        return result
    return html.Div(
        _page(result, asked(query), parts.current_scheme()),
        id="sem-page",
        className="instrument",
        **{"data-linked": sample_id, "data-version": library().version(sample_id)},
    )


def _page(result: Result, view: dict[str, str], scheme: Scheme) -> list[Component]:
    image = chosen(result.sem, view.get("sn"))
    number = _selected(image, view.get("r"))
    spectrum, radial = _region_panels(result, image, number, scheme)
    return [
        dcc.Store(id="sample", data=result.sample_id),
        html.H1(f"{result.title or result.sample_id}: SEM", className="visually-hidden"),
        html.Div(
            [
                _image_panel(result, image, view, scheme),
                html.Div(spectrum, id="spectrum-slot", className="slot"),
            ],
            className="sem-top",
        ),
        html.Div(
            [
                _against_s_panel(result, image, number, scheme),
                html.Div(radial, id="sem-radial-slot", className="slot"),
                _table_panel(result, image, number),
            ],
            className="sem-middle",
        ),
        html.Div(_fact_panels(image), className="facts-row"),
    ]


def _image_panel(result: Result, image: SemReduction, view: dict[str, str], scheme: Scheme) -> Component:
    regions = [(region.label, region.label) for region in image.regions] or [("", "none")]
    number = _selected(image, view.get("r"))
    return parts.panel(
        "SEM",
        instrument.configured(
            parts.linked_graph(
                "sem-image",
                _image(result, image, view, scheme),
                modality="sem",
                label="SEM image with its regions; a click chooses one; the wheel zooms",
            ),
            scrollZoom=True,
        ),
        modality="sem",
        controls=[
            html.Span("region", className="control-name"),
            parts.select("r", "" if number is None else image.regions[number].label, regions, label="Region"),
            html.Span("coloured by", className="control-name"),
            parts.select("sq", view.get("sq", ""), QUANTITIES, label="Colour of the regions"),
            parts.switch("sf", view.get("sf", ""), FILLING, label="Regions"),
            numbers("sn", result.sem, view.get("sn"), label="Image"),
        ],
        actions=parts.actions(result.sample_id, "sem-image", "sem_rois", "sem_image"),
        testid="panel-sem",
    )


def _image(result: Result, image: SemReduction, view: dict[str, str], scheme: Scheme) -> go.Figure:
    version = library().version(result.sample_id)
    return sem_image.image_figure(
        image,
        choice(view.get("sq"), QUANTITIES),
        source=f"/image/{result.sample_id}/sem/{image.index}.png?v={version}",
        scheme=scheme,
        selected=_selected(image, view.get("r")),
        filled=view.get("sf") != "outlined",
    )


def _region_panels(
    result: Result, image: SemReduction, number: int | None, scheme: Scheme
) -> tuple[Component, Component]:
    """The spectrum of the chosen region and its radial average."""
    if number is None:
        nothing = "This image has no regions."
        return (
            parts.panel("Spectrum", parts.quiet(nothing), testid="panel-spectrum"),
            parts.panel("Radial average", parts.quiet(nothing), testid="panel-sem-radial"),
        )
    region, address = image.regions[number], f"/csv/{result.sample_id}/sem/{image.index}/{number}"
    spectrum = [
        _values(region),
        parts.graph(
            "sem-spectrum",
            sem_spectrum.spectrum_figure(region, scheme=scheme),
            label=f"Power spectrum of {region.label} with the chosen peaks",
        ),
    ]
    radial = parts.graph(
        "sem-radial",
        sem_spectrum.radial_figure(region, scheme=scheme),
        label=f"Radial average of the spectrum of {region.label}",
    )
    return (
        parts.panel(
            f"Spectrum, region {region.label}",
            spectrum,
            actions=_taken(result, region, address, "sem-spectrum", "spectrum"),
            testid="panel-spectrum",
        ),
        parts.panel(
            f"Radial average, region {region.label}",
            radial,
            actions=_taken(result, region, address, "sem-radial", "radial"),
            testid="panel-sem-radial",
        ),
    )


def _taken(result: Result, region: SemRegion, address: str, graph: str, what: str) -> list[Component]:
    name = f"{result.sample_id}_{what}_{region.label}"
    return [
        instrument.file_link(f"{address}/{what}.csv", f"{name}.csv", text="CSV", testid=f"csv-{graph}"),
        *parts.picture_buttons(graph, name),
    ]


def _values(region: SemRegion) -> Component:
    """What was read from a region, each number with its uncertainty."""
    if region.delta_k_per_nm != region.delta_k_per_nm:
        return html.Div(html.Span(f"No value: {STATUS_TEXT[region.status]}."), className="value-line")
    digits = decimals(region.delta_k_err_per_nm) if region.delta_k_err_per_nm > 0 else 5
    each = " and ".join(f"{one:.{digits}f}" for one in region.delta_k_each_per_nm)
    words = (
        ("1/δk", with_error(region.spacing_nm, region.spacing_err_nm, "nm")),
        ("⟨a_SC⟩", with_error(region.a_sc_nm, region.a_sc_err_nm) + f" ± {region.a_sc_sys_nm:.2g} (sys) nm"),
        ("δk", f"{with_error(region.delta_k_per_nm, region.delta_k_err_per_nm)} 1/nm"),
        ("both δk", f"{each} 1/nm"),
        (region.lattice, f"γ {region.gamma_deg:.1f}°, confidence {region.lattice_confidence:.2f}"),
        ("periods", f"{region.n_periods:.0f}, {STATUS_TEXT[region.status]}"),
    )
    return html.Div(
        [html.Div([html.Span(name), " ", html.B(text)]) for name, text in words],
        className="value-line",
        **{"data-testid": "region-values"},
    )


def _against_s_panel(result: Result, image: SemReduction, number: int | None, scheme: Scheme) -> Component:
    return parts.panel(
        "Edge to centre",
        parts.graph(
            "sem-s",
            sem_image.against_s_figure(image, scheme=scheme, selected=number),
            label="Plane spacing and lattice constant against s; a click chooses a region",
        ),
        actions=parts.actions(result.sample_id, "sem-s", "sem_rois", "sem_spacing"),
        testid="panel-sem-s",
    )


def _table_panel(result: Result, image: SemReduction, number: int | None) -> Component:
    selected = [] if number is None else [image.regions[number].label]
    table = dag.AgGrid(
        id="sem-table",
        rowData=[_row(region) for region in image.regions],
        columnDefs=[
            {
                "field": field,
                "headerName": heading,
                "type": "rightAligned" if side == "right" else None,
                "valueFormatter": {"function": f"params.data.{field}_text"} if side == "right" else None,
                "pinned": "left" if field == "label" else None,
            }
            for field, heading, side in COLUMNS
        ],
        selectedRows={"ids": selected},
        getRowId="params.data.label",
        columnSize="autoSize",
        defaultColDef={"resizable": True, "sortable": True, "minWidth": 48},
        dashGridOptions={
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "rowHeight": 28,
            "headerHeight": 30,
            "suppressCellFocus": False,
            "animateRows": False,
            "alwaysShowHorizontalScroll": True,
            "suppressColumnVirtualisation": True,
        },
        style={"height": "100%", "width": "100%"},
        className="ag-theme-alpine sem-table",
    )
    return parts.panel(
        "Regions",
        html.Div(table, className="graph-box"),
        actions=[parts.csv_link(result.sample_id, "sem_rois")],
        testid="panel-regions",
    )


def _row(region: SemRegion) -> dict[str, object]:
    """A region for the table: numbers to sort by (None where there is none), and each as it is written."""
    k1, k2 = region.delta_k_each_per_nm[:2]
    pairs = {
        "s": (region.s, region.s_err),
        "delta_k": (region.delta_k_per_nm, region.delta_k_err_per_nm),
        "spacing": (region.spacing_nm, region.spacing_err_nm),
        "a_sc": (region.a_sc_nm, region.a_sc_err_nm),
    }
    plain = {
        "delta_k_1": (k1, ".5f"),
        "delta_k_2": (k2, ".5f"),
        "a_sc_sys": (region.a_sc_sys_nm, ".2g"),
        "gamma": (region.gamma_deg, ".1f"),
        "periods": (region.n_periods, ".0f"),
    }
    values: dict[str, float] = {name: value for name, (value, _) in plain.items()}
    words = {name: format(value, form) if isfinite(value) else "" for name, (value, form) in plain.items()}
    for name, (value, error) in pairs.items():
        values |= {name: value, f"{name}_err": error}
        words[name], words[f"{name}_err"] = apart(value, error)
    return {
        **{name: float(value) if isfinite(value) else None for name, value in values.items()},
        **{f"{name}_text": text for name, text in words.items()},
        "label": region.label,
        "lattice": region.lattice,
        "status": region.status.replace("_", " "),
    }


def _fact_panels(image: SemReduction) -> list[Component]:
    audit = [
        (source, f"{nm:.5g} nm", "used" if used else "not used")
        for source, nm, used in image.pixel_size_audit
    ]
    rows, cols = image.image.shape
    width, height = sem_image.size_um(image)
    ends = [
        (name, f"x {place[0]:.0f}, y {place[1]:.0f} nm")
        for name, place in (("edge", image.edge_nm), ("centre", image.center_nm))
        if place is not None
    ]
    about = [
        ("file", image.image_path),
        ("size", f"{cols} × {rows} px, {width:.3f} × {height:.3f} µm above the bar"),
        ("information bar", f"from row {image.bar_row}" if image.bar_row < rows else "none"),
        ("view", VIEW_TEXT.get(image.view, image.view)),
        *ends,
    ]
    return [
        instrument.facts("Pixel size: every source", ("source", "a pixel", ""), audit, testid="pixel-audit"),
        instrument.facts("Image", ("", ""), about, testid="sem-about"),
        instrument.listed(
            "Notes",
            [
                "SEM sees the layer that stays on the substrate; X-rays average through the thickness.",
                "1/δk is the spacing of lattice planes; ⟨a_SC⟩ is the mean of 1/(kᵢ sin γ).",
                *image.notes,
            ],
            nothing="",
        ),
    ]


def _selected(image: SemReduction, label: str | None) -> int | None:
    """Number of the region that an address names; the first where it names none; None without regions."""
    labels = [region.label for region in image.regions]
    if not labels:
        return None
    return labels.index(label) if label in labels else 0


def _pointed(image: SemReduction, origin: object, on_image: Any, on_plot: Any, rows: Any) -> int | None:
    """Number of the region that a click on the image, on the plot or in the table means."""
    if origin == "sem-image" and on_image:
        point = on_image["points"][0]
        return sem_image.region_at(image, x_um=float(point["x"]), y_um=float(point["y"]))
    if origin == "sem-s" and on_plot:
        return whole(on_plot["points"][0].get("customdata"), most=len(image.regions) - 1)
    if origin == "sem-table" and isinstance(rows, list) and rows:
        return _selected(image, rows[0].get("label"))
    return None
