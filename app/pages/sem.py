"""SEM of one sample: the image, its regions, their power spectra, the spacing against the coordinate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dash
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from analysis.records import Result, SemReduction, SemRegion
from app.figures import sem_image, sem_spectrum
from app.figures.sem_map import MAPS
from app.figures.theme import Scheme
from app.figures.words import STATUS_TEXT, decimals, with_error
from app.library import library
from app.pages import instrument, parts, sem_drawn, sem_facts, sem_routes, sem_table
from app.pages.instrument import asked, choice, chosen, hidden, number, numbers, whole

QUANTITIES = tuple(sem_image.QUANTITIES.items())
FILLING = (("filled", "filled"), ("outlined", "outlined"))
ALONG = (("s", "s"), ("height", "height"))
NO_MAP = ("none", "no map")
TYPED = ("region-x", "region-y", "region-size")
TOOLS = ("drawrect", "drawline")
VIEW = ("sq", "sf", "sm", "sx", "r", "d", "e")
"""Names in the address: colour, filling, map, abscissa, chosen region, drawn regions, drawn line."""


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
    sem_routes.add_routes(app.server)
    _register_selection(app)
    _register_drawing(app)

    @app.callback(
        Output("sem-image", "figure"),
        Output("sem-s", "figure"),
        Output("spectrum-slot", "children"),
        Output("sem-radial-slot", "children"),
        Output("sem-table", "rowData"),
        Output("regions-csv", "href"),
        Output(parts.view("r"), "data"),
        *(Input(parts.view(name), "value") for name in VIEW),
        State(parts.view("sn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_region(*state: str):
        view, (wanted, sample_id) = dict(zip(VIEW, state[:-2], strict=True)), state[-2:]
        result, scheme = library().result(sample_id), parts.current_scheme()
        image = _with_drawn(result, chosen(result.sem, wanted), view)
        selected = _selected(image, view["r"])
        return (
            _image(result, image, view, scheme),
            _against(image, view, selected, scheme),
            *_region_panels(result, image, selected, scheme, view),
            sem_table.rows(image),
            sem_routes.regions_address(result, image, view),
            [{"value": key, "label": text} for key, text in _options(image)],
        )


def _register_selection(app: Dash) -> None:
    @app.callback(
        Output(parts.view("r"), "value"),
        Output("sem-table", "selectedRows"),
        Input("sem-image", "clickData"),
        Input("sem-s", "clickData"),
        Input("sem-table", "selectedRows"),
        State(parts.view("r"), "value"),
        State(parts.view("d"), "value"),
        State(parts.view("e"), "value"),
        State(parts.view("sn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def select_region(on_image: Any, on_plot: Any, rows: Any, *state: str):
        now, drawn, line, wanted, name = state
        result = library().result(name)
        image = _with_drawn(result, chosen(result.sem, wanted), {"d": drawn, "e": line})
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


def _register_drawing(app: Dash) -> None:
    @app.callback(
        Output(parts.view("d"), "value"),
        Output(parts.view("e"), "value"),
        Output(parts.view("r"), "value", allow_duplicate=True),
        Input("sem-image", "relayoutData"),
        Input("add-region", "n_clicks"),
        Input("set-region", "n_clicks"),
        Input("remove-region", "n_clicks"),
        Input("clear-regions", "n_clicks"),
        *(State(name, "value") for name in TYPED),
        State(parts.view("d"), "value"),
        State(parts.view("e"), "value"),
        State(parts.view("r"), "value"),
        State(parts.view("sn"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def draw(change: Any, *state: Any):
        typed, (drawn, line, now, wanted, sample_id) = state[4:7], state[7:]
        image = chosen(library().result(sample_id).sem, wanted)
        if ctx.triggered_id == "clear-regions":
            return "", "", no_update
        if ctx.triggered_id == "remove-region":
            return sem_drawn.without(image, drawn, now), no_update, no_update
        if ctx.triggered_id == "sem-image":
            changed = sem_drawn.with_change(image, {"d": drawn, "e": line}, change)
            if changed is None:
                return no_update, no_update, no_update
            return changed[0], changed[1], changed[2] or no_update
        values = tuple(found for value in typed if (found := number(value)) is not None)
        names = [sem_drawn.drawn_name(n) for n in range(len(sem_drawn.squares(image, drawn)))]
        at = names.index(now) if ctx.triggered_id == "set-region" and now in names else None
        added = sem_drawn.with_square(image, drawn, values, at=at)
        return (no_update,) * 3 if added is None else (added[0], no_update, added[1])


def _with_drawn(result: Result, image: SemReduction, view: dict[str, str]) -> SemReduction:
    """The image with its own regions, the drawn ones and the tiles of a drawn line."""
    drawn = sem_drawn.drawn_regions(library(), result, image, view)
    return replace(image, regions=(*image.regions, *drawn)) if drawn else image


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
    image = _with_drawn(result, chosen(result.sem, view.get("sn")), view)
    number = _selected(image, view.get("r"))
    spectrum, radial = _region_panels(result, image, number, scheme, view)
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
                _against_panel(result, image, view, scheme),
                html.Div(radial, id="sem-radial-slot", className="slot"),
                sem_table.table_panel(image, number, address=sem_routes.regions_address(result, image, view)),
            ],
            className="sem-middle",
        ),
        html.Div(sem_facts.panels(result, image, scheme), className="facts-row"),
    ]


def _options(image: SemReduction) -> list[tuple[str, str]]:
    return [(region.label, region.label) for region in image.regions] or [("", "none")]


def _image_panel(result: Result, image: SemReduction, view: dict[str, str], scheme: Scheme) -> Component:
    number = _selected(image, view.get("r"))
    graph = parts.linked_graph(
        "sem-image",
        _image(result, image, view, scheme),
        modality="sem",
        label="SEM image with its regions; a click chooses one; the wheel zooms",
    )
    options = _options(image)
    maps = (NO_MAP, *((name, text) for name, text in MAPS.items() if name in image.maps))
    return parts.panel(
        "SEM",
        [instrument.configured(graph, scrollZoom=True, modeBarButtonsToAdd=list(TOOLS)), _typed()],
        modality="sem",
        controls=[
            html.Span("region", className="control-name"),
            parts.select("r", "" if number is None else image.regions[number].label, options, label="Region"),
            parts.select("sq", view.get("sq", ""), QUANTITIES, label="Colour of the regions"),
            parts.switch("sf", view.get("sf", ""), FILLING, label="Regions"),
            html.Span("map", className="control-name"),
            parts.select("sm", view.get("sm", ""), maps, label="Map over the image"),
            numbers("sn", result.sem, view.get("sn"), label="Image"),
            hidden("d", view.get("d", "")),
            hidden("e", view.get("e", "")),
        ],
        actions=[
            *([_map_link(result, image)] if image.maps else []),
            *parts.actions(result.sample_id, "sem-image", "sem_rois", "sem_image"),
        ],
        testid="panel-sem",
    )


def _map_link(result: Result, image: SemReduction) -> Component:
    return instrument.file_link(
        f"/csv/{result.sample_id}/sem/{image.index}/map.csv",
        f"{result.sample_id}_sem_map.csv",
        text="CSV of map",
        testid="csv-sem_map",
    )


def _typed() -> Component:
    """Regions by corner and side in nm, for those who would rather type than draw."""
    inputs: list[Component] = []
    for name, text in zip(TYPED, ("x", "y", "size"), strict=True):
        inputs += [
            html.Label(text, htmlFor=name, className="control-name"),
            dcc.Input(id=name, type="number", step="any", className="number-box"),
        ]
    buttons = (
        ("add-region", "Add"),
        ("set-region", "Move"),
        ("remove-region", "Remove"),
        ("clear-regions", "Clear"),
    )
    return html.Div(
        [
            html.Span("Draw a square or a line; or type nm:", className="control-name"),
            *inputs,
            *(html.Button(text, id=key, type="button", className="action") for key, text in buttons),
        ],
        className="line-bar",
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
        drawn=len(sem_drawn.squares(image, view.get("d"))),
        line_nm=sem_drawn.drawn_line(image, view.get("e")),
        shown_map=view.get("sm", ""),
    )


def _region_panels(
    result: Result, image: SemReduction, number: int | None, scheme: Scheme, view: dict[str, str]
) -> tuple[Component, Component]:
    """The spectrum of the chosen region and its radial average."""
    if number is None:
        nothing = "This image has no regions."
        return (
            parts.panel("Spectrum", parts.quiet(nothing), testid="panel-spectrum"),
            parts.panel("Radial average", parts.quiet(nothing), testid="panel-sem-radial"),
        )
    region = image.regions[number]
    spectrum = [
        _values(region),
        parts.graph(
            "sem-spectrum",
            sem_spectrum.spectrum_figure(region, scheme=scheme, surface=sem_drawn.scale_of(image).tilt),
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
            actions=_taken(result, image, number, view, "sem-spectrum", "spectrum"),
            testid="panel-spectrum",
        ),
        parts.panel(
            f"Radial average, region {region.label}",
            radial,
            actions=_taken(result, image, number, view, "sem-radial", "radial"),
            testid="panel-sem-radial",
        ),
    )


def _taken(
    result: Result, image: SemReduction, number: int, view: dict[str, str], graph: str, what: str
) -> list[Component]:
    name = f"{result.sample_id}_{what}_{image.regions[number].label}"
    address = sem_routes.part_address(result, image, number, view, what)
    return [
        instrument.file_link(address, f"{name}.csv", text="CSV", testid=f"csv-{graph}"),
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


def _against(image: SemReduction, view: dict[str, str], number: int | None, scheme: Scheme) -> go.Figure:
    return sem_image.against_s_figure(
        image, scheme=scheme, selected=number, along=choice(view.get("sx"), _along(image))
    )


def _along(image: SemReduction) -> tuple[tuple[str, str], ...]:
    return ALONG if image.foot_nm is not None else ALONG[:1]


def _against_panel(result: Result, image: SemReduction, view: dict[str, str], scheme: Scheme) -> Component:
    along = _along(image)
    shown = choice(view.get("sx"), along)
    return parts.panel(
        "Edge to centre",
        parts.graph(
            "sem-s",
            _against(image, view, _selected(image, view.get("r")), scheme),
            label="Plane spacing and lattice constant against s; a click chooses a region",
        ),
        controls=[
            parts.switch("sx", shown, along, label="Against") if len(along) > 1 else hidden("sx", shown)
        ],
        actions=parts.actions(result.sample_id, "sem-s", "sem_rois", "sem_spacing"),
        testid="panel-sem-s",
    )


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
