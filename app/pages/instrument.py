"""Pieces that the pages of the three instruments share: facts, numbers of a reduction, missing modalities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from analysis.errors import TriptychError
from analysis.records import Result
from app.figures.theme import MODALITY_NAME
from app.figures.words import printed
from app.library import library
from app.pages import parts

Options = Sequence[tuple[str, str]]
Fact = Sequence[parts.Children]
R = TypeVar("R")

WORDS = {"xray": "X-ray scan", "sem": "SEM image", "afm": "AFM field"}


def result_or_page(sample_id: str, modality: str) -> Result | Component:
    """The result of a sample that has the modality, or the page that says why there is nothing to show."""
    try:
        result = library().result(sample_id)
    except TriptychError as error:
        return parts.message_page("Nothing to show", str(error))
    return result if getattr(result, modality) else missing_page(result, modality)


def missing_page(result: Result, modality: str) -> Component:
    """What stands where a sample has no data of a modality: a sentence and the way back."""
    return html.Div(
        [
            html.H1(f"No {MODALITY_NAME[modality]} data"),
            html.P(f"{result.title or result.sample_id} has no {WORDS[modality]}."),
            dcc.Link("Back to its three panels", href=f"/s/{result.sample_id}", className="text-link"),
        ],
        className="message",
        role="status",
        **{"data-testid": f"missing-{modality}"},
    )


def asked(query: dict[str, object]) -> dict[str, str]:
    """The texts of an address' query; whatever is given twice is left out."""
    return {name: value for name, value in query.items() if isinstance(value, str)}


def choice(wanted: str | None, options: Options) -> str:
    """What is wanted, if it is offered, or the first that is."""
    known = [key for key, _ in options]
    return wanted if wanted in known else known[0]


def whole(text: object, *, least: int = 0, most: int = 99_999) -> int:
    """A whole number from untrusted text, or ``least``; never beyond ``most``."""
    words = str(text) if text is not None else ""
    number = int(words) if words.isascii() and words.isdigit() and len(words) < 7 else least
    return min(max(number, least), most)


def number(text: object) -> float | None:
    """A finite number from untrusted text, or None."""
    try:
        found = float(str(text))
    except ValueError:
        return None
    return found if abs(found) < 1e12 else None


def chosen(reductions: Sequence[R], wanted: object) -> R:
    """The reduction that an address names by number, or the last one where there are fewer."""
    return reductions[min(whole(wanted), len(reductions) - 1)]


def numbers(name: str, reductions: Sequence[object], value: str | None, *, label: str) -> Component:
    """A choice of which reduction is shown; hidden where there is but one."""
    if len(reductions) == 1:
        return hidden(name, "")
    options = [(str(n), f"{n + 1} of {len(reductions)}") for n in range(len(reductions))]
    return parts.select(name, choice(value, options), options, label=label)


def hidden(name: str, value: str) -> Component:
    """A part of the view that has no control of its own."""
    return dcc.Input(id=parts.view(name), type="hidden", value=value)


def grouped_select(
    name: str, value: str, groups: Sequence[tuple[str, Options]], *, label: str, width: int = 150
) -> dmc.Select:
    """A drop-down with headings whose choice stands in the address."""
    return dmc.Select(
        id=parts.view(name),
        value=value,
        data=[
            {"group": title, "items": [{"value": key, "label": text} for key, text in options]}
            for title, options in groups
            if options
        ],
        allowDeselect=False,
        size="xs",
        w=width,
        maxDropdownHeight=420,
        comboboxProps={"shadow": "md", "width": 240, "position": "bottom-start"},
        **{"aria-label": label},
    )


def number_input(
    name: str,
    value: float | None,
    *,
    label: str,
    width: int = 84,
    least: float | None = None,
    most: float | None = None,
    step: float = 1.0,
) -> dmc.NumberInput:
    """A number that stands in the address."""
    limits = {key: limit for key, limit in (("min", least), ("max", most)) if limit is not None}
    return dmc.NumberInput(
        id=parts.view(name),
        value="" if value is None else value,
        step=step,
        size="xs",
        w=width,
        debounce=True,
        **{"aria-label": label},
        **limits,
    )


def configured(box: html.Div, **settings: object) -> html.Div:
    """A box with a graph whose shared settings are added to."""
    graph = box.children[0] if isinstance(box.children, list) else box.children
    graph.config = {**graph.config, **settings}
    return box


def file_link(address: str, name: str, *, text: str, testid: str, link_id: str | None = None) -> html.A:
    """Link that downloads something other than one of the tables of a sample."""
    marks = {"id": link_id} if link_id else {}
    return html.A(
        text,
        href=address,
        download=name,
        className="action",
        title=f"Download {name}",
        **{"data-testid": testid, "aria-label": f"Download {name}"},
        **marks,
    )


def facts(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Fact],
    *,
    testid: str = "",
    actions: Sequence[Component] = (),
) -> Component:
    """A small table with a heading: what is known, and from where."""
    table = html.Table(
        [
            html.Thead(html.Tr([html.Th(text, scope="col") for text in headings])),
            html.Tbody(
                [
                    html.Tr([html.Th(row[0], scope="row"), *(html.Td(cell) for cell in row[1:])])
                    for row in rows
                ]
            ),
        ],
        className="facts",
    )
    return parts.panel(
        title,
        html.Div(table, className="facts-box"),
        actions=actions,
        testid=testid,
        class_name="facts-panel",
    )


def listed(title: str, sentences: Sequence[str], *, nothing: str, ordered: bool = False) -> Component:
    """A panel of sentences, numbered where their order matters."""
    kind = html.Ol if ordered else html.Ul
    body: Component = (
        kind([html.Li(printed(sentence)) for sentence in sentences], className="sentences")
        if sentences
        else html.P(nothing, className="caption")
    )
    return parts.panel(title, html.Div(body, className="facts-box"), class_name="facts-panel")
