"""The table of regions of an SEM image: numbers to sort by, each as it is written."""

from __future__ import annotations

from math import isfinite

import dash_ag_grid as dag
from dash import html
from dash.development.base_component import Component

from analysis.records import SemReduction, SemRegion
from app.figures.words import apart
from app.pages import instrument, parts

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
    ("height", "height (µm)", "right"),
    ("status", "status", "left"),
)
"""Columns of the table of regions: field, heading, side."""


def table_panel(image: SemReduction, number: int | None, *, address: str) -> Component:
    """The table of regions; ``address`` is that of the same as CSV."""
    selected = [] if number is None else [image.regions[number].label]
    table = dag.AgGrid(
        id="sem-table",
        rowData=rows(image),
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
        actions=[
            instrument.file_link(
                address, "sem_regions.csv", text="CSV", testid="csv-sem_regions", link_id="regions-csv"
            )
        ],
        testid="panel-regions",
    )


def rows(image: SemReduction) -> list[dict[str, object]]:
    """All regions for the table."""
    return [row(region) for region in image.regions]


def row(region: SemRegion) -> dict[str, object]:
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
        "height": (region.height_um, ".3f"),
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
