"""Samples compared by group, crystals as n: means, effect sizes, tests, what may be concluded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from analysis.pipeline.comparison import compared
from analysis.records import Result
from analysis.registration.comparison import FEWEST_CRYSTALS, Comparison, GroupNumber, GroupTest
from app.figures.words import UNIT_TEXT, with_error
from app.pages import parts

WAYS = (("method", "by method"), ("composition", "by composition"), ("picked", "hand-picked"))
NAMES = {
    "a_sc_edge": "⟨a_SC⟩ at the edge",
    "a_sc_centre": "⟨a_SC⟩ at the centre",
    "a_sc_change": "change of ⟨a_SC⟩, edge to centre",
    "a_sc_gradient_per_um": "gradient of ⟨a_SC⟩ with depth",
    "a_sc_gradient_per_s": "gradient of ⟨a_SC⟩ with s",
    "sem_a_sc": "⟨a_SC⟩, SEM",
    "sem_a_sc_gradient_per_s": "gradient of ⟨a_SC⟩ with s, SEM",
    "gamma": "γ",
    "a_al": "a_AL",
    "modulus": "E, mean",
    "modulus_median": "E, median",
    "modulus_gradient_per_s": "gradient of E with s",
    "height": "height",
}
PICKED, OTHERS = "picked", "others"
CONFOUNDERS = ("nanocrystal size", "synthesis", "solvent", "substrate", "thickness", "composition")


def register(app: Dash, results_of: Callable[[Sequence[str]], tuple[list[Result], list[str]]]) -> None:
    """Put the panel's callback on ``app``."""

    @app.callback(
        Output("compare-groups", "children"),
        Output("compare-groups-actions", "children"),
        Input(parts.view("by"), "value"),
        Input(parts.view("ga"), "value"),
        State("compared", "data"),
        prevent_initial_call=True,
    )
    def show_groups(by: str, picked: list[str] | None, names: list[str]):
        results, _ = results_of(names)
        return tables(results, by, picked or []), actions(results, by, picked or [])


def groups_panel(results: Sequence[Result], by: str, picked: Sequence[str]) -> Component:
    """The panel with its choice of groups; ``by`` is one of ``WAYS``, ``picked`` holds ids."""
    way = known_way(by)
    choice = dmc.MultiSelect(
        id=parts.view("ga"),
        data=[{"value": r.sample_id, "label": r.title or r.sample_id} for r in results],
        value=[name for name in picked if name in {r.sample_id for r in results}],
        placeholder="samples of the first group",
        size="xs",
        clearable=True,
        clearButtonProps={"aria-label": "Empty the first group"},
        style={"minWidth": "14rem"},
        **{"aria-label": "Samples of the hand-picked group"},
    )
    return parts.panel(
        "Groups of crystals",
        html.Div(tables(results, way, picked), id="compare-groups"),
        controls=[parts.select("by", way, WAYS, label="What sorts samples into groups"), choice],
        actions=[
            html.Div(
                actions(results, way, picked), id="compare-groups-actions", style={"display": "contents"}
            )
        ],
    )


def known_way(by: str) -> str:
    """One of ``WAYS``, the first for anything else."""
    return by if by in dict(WAYS) else WAYS[0][0]


def grouped(results: Sequence[Result], by: str, picked: Sequence[str]) -> Comparison:
    """The comparison by one of ``WAYS``."""
    if known_way(by) == "picked":
        first = [result for result in results if result.sample_id in picked]
        rest = [result for result in results if result.sample_id not in picked]
        groups = {r.sample_id: PICKED for r in first} | {r.sample_id: OTHERS for r in rest}
        return compared([*first, *rest], groups=groups)
    return compared(results, by=known_way(by))


def actions(results: Sequence[Result], by: str, picked: Sequence[str]) -> list[Component]:
    """The comparison as CSV and JSON."""
    query = "&".join(
        [f"s={r.sample_id}" for r in results] + [f"by={known_way(by)}"] + [f"ga={name}" for name in picked]
    )
    return [
        html.A(
            kind.upper(),
            href=f"/compare/compare.{kind}?{query}",
            download=f"compare.{kind}",
            className="action",
            **{"data-testid": f"{kind}-compare", "aria-label": f"Download compare.{kind}"},
        )
        for kind in ("csv", "json")
    ]


def tables(results: Sequence[Result], by: str, picked: Sequence[str]) -> list[Component]:
    """Group means, pairs of groups and confounders as tables under the sentence that says what they allow."""
    found = grouped(results, by, picked)
    return [
        html.P(found.sentence, className="caption conclusion", **{"data-testid": "conclusion"}),
        _box(_means(found), "Means of groups"),
        *([_box(_pairs(found), "Pairs of groups")] if found.tests else []),
        _box(_confounders(found), "What else differs"),
    ]


def _box(table: Component, label: str) -> Component:
    return html.Div(table, className="table-box", tabIndex=0, role="region", **{"aria-label": label})


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Component:
    return html.Table(
        [
            html.Thead(html.Tr([html.Th(text, scope="col") for text in head])),
            html.Tbody(
                [
                    html.Tr([html.Th(row[0], scope="row"), *[html.Td(cell) for cell in row[1:]]])
                    for row in rows
                ]
            ),
        ],
        className="numbers",
    )


def _means(found: Comparison) -> Component:
    held = {(number.quantity, number.group): number for number in found.numbers}
    groups = list(found.groups)
    rows = [
        [text, *[_mean_cell(held.get((quantity, group))) for group in groups]]
        for quantity, text in NAMES.items()
        if any((quantity, group) in held for group in groups)
    ]
    return _table(["mean over crystals", *[f"{g} (n = {len(found.groups[g])})" for g in groups]], rows)


def _mean_cell(number: GroupNumber | None) -> list[object]:
    if number is None:
        return ["–"]
    crystals = "1 crystal, its own error" if number.n == 1 else f"{number.n} crystals, std {number.std:.2g}"
    return [
        with_error(number.mean, number.sem, UNIT_TEXT.get(number.unit, number.unit)),
        html.Span(crystals, className="cell-note"),
    ]


def _pairs(found: Comparison) -> Component:
    rows = [
        [
            f"{NAMES.get(test.quantity, test.quantity)}: {test.second} − {test.first}",
            with_error(test.difference, test.difference_err, UNIT_TEXT.get(test.unit, test.unit)),
            _ratio(test),
            _effect(test),
            _p(test.permutation_p, least=test.p_least),
            _p(test.p_holm),
            _p(test.mann_whitney_p),
        ]
        for test in found.tests
    ]
    head = [
        "pair",
        "difference",
        "ratio",
        "Hedges' g, 95 %",
        "p, permutation",
        "p, all pairs",
        "p, Mann-Whitney",
    ]
    return _table(head, rows)


def _ratio(test: GroupTest) -> str:
    """The ratio where both are of one sign and well away from nothing."""
    sound = math.isfinite(test.ratio_err) and test.ratio > 0.0 and test.ratio_err < 0.5 * test.ratio
    return with_error(test.ratio, test.ratio_err, "") if sound else "–"


def _effect(test: GroupTest) -> str:
    if min(test.n_first, test.n_second) < FEWEST_CRYSTALS:
        return f"– (n < {FEWEST_CRYSTALS})"
    if not math.isfinite(test.hedges_g):
        return "–"
    return f"{test.hedges_g:.1f} ({test.g_ci_lo:.1f} to {test.g_ci_hi:.1f})"


def _p(value: float, *, least: float = math.nan) -> str:
    if not math.isfinite(value):
        return "–"
    note = f" (least {least:.2g})" if math.isfinite(least) else ""
    return f"{value:.2g}{note}"


def _confounders(found: Comparison) -> Component:
    crystals = [(group, crystal) for group, held in found.groups.items() for crystal in held]
    head = [
        "beside the grouping",
        *[f"{group}: {crystal.sample} {crystal.label}" for group, crystal in crystals],
    ]
    rows = [
        [name, *[_stated(crystal.confounders.get(name, "")) for _, crystal in crystals]]
        for name in CONFOUNDERS
    ]
    return _table(head, rows)


def _stated(text: str) -> str:
    return text.replace(" um", " µm") or "not stated"
