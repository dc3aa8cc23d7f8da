"""Lines across an AFM field: those saved, those configured, those drawn, and what is measured along them.

Drawn lines travel in the address as ``x0-y0-x1-y1`` in um, several joined by ``_``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
from flask import Flask, Response, abort, request

from analysis.afm.lines import Convention, line_profile, line_samples, values_along
from analysis.errors import TriptychError
from analysis.records import AFM_STATUS, AfmLine, AfmReduction
from app.figures.afm_lines import AXES
from app.library import library
from app.pages.instrument import choice, whole
from app.routes_instruments import csv_answer

CONVENTION_TEXT = (("exact", "exact"), ("gwyddion", "Gwyddion"))
SOURCE_TEXT = {"gwy": "saved in the .gwy", "config": "from sample.toml", "drawn": "drawn"}
HOW_MANY = (("one", "this line"), ("all", "all lines"))
VIEW = ("l", "d", "cv", "t", "ev", "lm", "lx")
"""Names of what an address says of the lines."""

MAX_DRAWN = 8
MAX_COMPARED = 12
MAX_THICKNESS = 64
SHORTEST_PX = 1.0

Ends = tuple[float, float, float, float]


def add_routes(server: Flask) -> None:
    """Put the CSV of any line on ``server``."""
    server.add_url_rule("/csv/<sample_id>/afm/<int:index>/line.csv", view_func=line_csv)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Which line of a field is looked at, and how it is sampled."""

    field: AfmReduction
    drawn: tuple[Ends, ...]
    key: str
    convention: Convention
    thickness_px: int
    compares: bool = False
    axis: str = "distance"

    @classmethod
    def of(cls, field: AfmReduction, view: dict[str, str]) -> Seen:
        """What an address asks for; the saved line's own sampling where it says nothing."""
        drawn = drawn_lines(field, view.get("d"))
        known = [line.name for line in saved_lines(field)] + [drawn_name(n) for n in range(len(drawn))]
        wanted = view.get("l") or ""
        key = wanted if wanted in known else known[0] if known else ""
        saved = next((line for line in field.lines if line.name == key), None)
        convention = view.get("cv") or (saved.convention if saved else "")
        first = saved.thickness_px if saved else 1
        return cls(
            field=field,
            drawn=drawn,
            key=key,
            convention="gwyddion" if convention == "gwyddion" else "exact",
            thickness_px=whole(view.get("t"), least=1, most=MAX_THICKNESS) if view.get("t") else first,
            compares=view.get("lm") == "all",
            axis=choice(view.get("lx"), AXES if field.coordinate is not None else AXES[:1]),
        )

    @property
    def is_drawn(self) -> bool:
        """Whether the line was drawn here and may be moved."""
        return self.key in [drawn_name(number) for number in range(len(self.drawn))]

    @property
    def lines(self) -> list[tuple[str, Ends]]:
        """Name and ends in um of every line."""
        saved = [(line.name, line.ends_um) for line in saved_lines(self.field)]
        return saved + [(drawn_name(number), ends) for number, ends in enumerate(self.drawn)]

    @property
    def options(self) -> list[tuple[str, str]]:
        """The lines as choices."""
        saved = [
            (line.name, f"{line.name}, {SOURCE_TEXT.get(line.source, line.source)}")
            for line in saved_lines(self.field)
        ]
        drawn = [(drawn_name(number), f"{drawn_name(number)}, drawn") for number in range(len(self.drawn))]
        return saved + drawn or [("", "none")]

    def profiles(self) -> list[AfmLine]:
        """Height, modulus, s and depth along the chosen line, or along all of them."""
        found = self.lines[:MAX_COMPARED] if self.compares else self.lines
        return [
            measured_along(
                self.field,
                ends,
                name=name,
                source=self._source(name),
                convention=self.convention,
                thickness_px=self.thickness_px,
            )
            for name, ends in found
            if self.compares or name == self.key
        ]

    def _source(self, name: str) -> str:
        return next((line.source for line in self.field.lines if line.name == name), "drawn")

    def counted(self, name: str) -> npt.NDArray[np.bool_] | None:
        """Whether most of what a point of a line averages are pixels that count."""
        ends = dict(self.lines).get(name)
        if ends is None:
            return None
        samples = line_samples(
            ends, self.field.grid, convention=self.convention, thickness_px=self.thickness_px
        )
        ok = (self.field.status == AFM_STATUS.index("ok")).astype(np.float64)
        return values_along(ok, samples) > 0.5

    def address(self, sample_id: str) -> str:
        """Where the line's CSV is."""
        query = {"l": self.key, "cv": self.convention, "t": self.thickness_px, "d": as_text(self.drawn)}
        query |= {"lm": "all"} if self.compares else {}
        return f"/csv/{sample_id}/afm/{self.field.index}/line.csv?{urlencode(query)}"


def saved_lines(field: AfmReduction) -> list[AfmLine]:
    """The lines that came with a field, each once: the reduction holds a line once for each sampling."""
    return list({line.name: line for line in reversed(field.lines)}.values())[::-1]


def measured_along(
    field: AfmReduction, ends: Ends, *, name: str, source: str, convention: Convention, thickness_px: int
) -> AfmLine:
    """Height, modulus, s and depth of one line with ends (x0, y0, x1, y1) in um."""
    line = line_profile(
        ends,
        field.grid,
        name=name,
        source=source,
        convention=convention,
        height_nm=field.height_nm,
        modulus_gpa=field.modulus_gpa,
        thickness_px=thickness_px,
    )
    if field.coordinate is None:
        return line
    samples = line_samples(ends, field.grid, convention=convention)
    return replace(
        line,
        s=values_along(field.coordinate.s["rectangle"], samples),
        depth_um=values_along(field.coordinate.depth_um, samples),
    )


def drawn_name(number: int) -> str:
    """Name of a drawn line."""
    return f"D{number + 1}"


def size_um(field: AfmReduction) -> tuple[float, float]:
    """Width and height of a field in um."""
    rows, cols = field.grid.shape
    dx, dy = field.grid.cell_um
    return cols * dx, rows * dy


def drawn_lines(field: AfmReduction, text: str | None) -> tuple[Ends, ...]:
    """The lines that an address holds, clipped to the field; whatever is none is left out."""
    found = []
    for one in (text or "")[:2000].split("_")[:MAX_DRAWN]:
        try:
            ends = tuple(float(word) for word in one.split("-"))
        except ValueError:
            continue
        if len(ends) == 4 and (kept := inside(field, ends)) is not None:
            found.append(kept)
    return tuple(found)


def inside(field: AfmReduction, ends: tuple[float, ...]) -> Ends | None:
    """Ends clipped to the field and rounded to nm; None for a point or for what is not finite."""
    if not np.isfinite(ends).all():
        return None
    width, height = size_um(field)
    x0, x1 = (round(float(np.clip(x, 0.0, width)), 3) for x in ends[0::2])
    y0, y1 = (round(float(np.clip(y, 0.0, height)), 3) for y in ends[1::2])
    shortest = SHORTEST_PX * min(field.grid.cell_um)
    return None if np.hypot(x1 - x0, y1 - y0) < shortest else (x0, y0, x1, y1)


def as_text(lines: tuple[Ends, ...]) -> str:
    """Drawn lines as an address holds them."""
    return "_".join("-".join(f"{end:.3f}" for end in ends) for ends in lines)


def with_typed(
    field: AfmReduction, drawn: str | None, ends: tuple[float | None, ...]
) -> tuple[str, str] | None:
    """Drawn lines and the chosen one after four numbers were typed; None where they make no line."""
    numbers = [end for end in ends if end is not None]
    return _added(field, drawn, tuple(numbers)) if len(numbers) == 4 else None


def with_change(
    field: AfmReduction, drawn: str | None, chosen: str | None, change: Any
) -> tuple[str, str] | None:
    """Drawn lines and the chosen one after a figure's shapes changed; None where nothing was drawn.

    A new line comes as the last of ``shapes``; the chosen drawn line is the figure's first shape, and a move
    of it comes as ``shapes[0].x0`` and so on.
    """
    if not isinstance(change, dict):
        return None
    new = change.get("shapes")
    if isinstance(new, list) and new and isinstance(new[-1], dict) and not new[-1].get("name"):
        return _added(field, drawn, _ends_of(new[-1], ""))
    if "shapes[0].x0" in change:
        lines = list(drawn_lines(field, drawn))
        moved = inside(field, _ends_of(change, "shapes[0]."))
        names = [drawn_name(number) for number in range(len(lines))]
        if moved is None or chosen not in names:
            return None
        lines[names.index(chosen)] = moved
        return as_text(tuple(lines)), chosen
    return None


def _ends_of(shape: dict[str, Any], prefix: str) -> tuple[float, ...]:
    try:
        return tuple(float(shape[prefix + name]) for name in ("x0", "y0", "x1", "y1"))
    except (KeyError, TypeError, ValueError):
        return (np.nan,) * 4


def _added(field: AfmReduction, drawn: str | None, ends: tuple[float, ...]) -> tuple[str, str] | None:
    line = inside(field, ends)
    if line is None:
        return None
    lines = (*drawn_lines(field, drawn), line)[-MAX_DRAWN:]
    return as_text(lines), drawn_name(len(lines) - 1)


def line_csv(sample_id: str, index: int) -> Response:
    """One line of a field, or all of them, as CSV; the query says which and how they are sampled."""
    try:
        result = library().result(sample_id)
    except TriptychError as error:
        abort(404, str(error))
    if index >= len(result.afm):
        abort(404)
    field = result.afm[index]
    seen = Seen.of(field, request.args.to_dict())
    lines = seen.profiles()
    if not lines:
        abort(404, "There is no line of that name.")
    columns: dict[str, npt.ArrayLike] = {
        "file": np.full(sum(one.distance_um.size for one in lines), field.file_path)
    }
    for name in ("name", "source", "convention", "thickness_px"):
        column = [np.full(one.distance_um.size, getattr(one, name)) for one in lines]
        columns["line" if name == "name" else name] = np.concatenate(column)
    for name in ("distance_um", "x_um", "y_um", "height_nm", "modulus_gpa", "s", "depth_um"):
        columns[name] = np.concatenate([getattr(one, name) for one in lines])
    notes = ["ends x0, y0, x1, y1 in um from the top-left corner"]
    notes += [
        f"{one.name}: {', '.join(f'{end:g}' for end in one.ends_um)}; thickness {one.thickness_nm:.4g} nm"
        for one in lines
    ]
    shown = "lines" if seen.compares else f"line_{lines[0].name.replace(' ', '_')}"
    return csv_answer(result, field.crystal, shown, columns, notes=notes)
