"""Regions that are drawn, moved and typed on an image, and tiles along a drawn line; measured when asked for.

Drawn regions travel in the address as ``x-y-size`` in nm (top-left corner and side), joined by ``_``; the
line from edge to centre as ``x0_y0_x1_y1`` in nm.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.records import Result, SemReduction, SemRegion
from analysis.sem.region import Place, Scale, barred_region, measure_region
from analysis.sem.tiles import Line, placed, probed_periods, size_for, tiles_along
from analysis.sem.tilt import Tilt
from analysis.units import NM_PER_UM
from app.library import Library

MAX_DRAWN = 24
MAX_TILES = 60
MIN_SIDE_PX, MAX_SIDE_PX = 24, 2048
KEPT_REGIONS = 160
"""Measured regions that are kept of one image; each holds some 300 kB."""

Square = tuple[float, float, float]
Ends = tuple[float, float, float, float]


class Kept:
    """What was measured last, at most KEPT_REGIONS of it; safe among threads."""

    def __init__(self) -> None:
        self._found: OrderedDict[object, SemRegion] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object, make: Callable[[], SemRegion]) -> SemRegion:
        """The region of a key, measured if it is not kept."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        made = make()
        with self._lock:
            self._found[key] = made
            while len(self._found) > KEPT_REGIONS:
                self._found.popitem(last=False)
        return made


def drawn_regions(
    shelf: Library, result: Result, image: SemReduction, view: dict[str, str]
) -> list[SemRegion]:
    """Every drawn region and every tile of the drawn line of an address, measured."""
    kept = shelf.derived(result.sample_id, ("drawn", image.index), lambda _result: Kept())
    white = shelf.derived(result.sample_id, ("white", image.index), lambda _r: float(image.image.max()))
    return [
        kept.get(place, lambda place=place: _measured(image, place, white))
        for place in (*drawn_places(image, view.get("d")), *line_places(shelf, result, image, view.get("e")))
    ]


def _measured(image: SemReduction, place: Place, white: float) -> SemRegion:
    scale = scale_of(image)
    if place.row0 + place.size_px > image.bar_row:
        return barred_region(place, scale=scale)
    return measure_region(image.image[: image.bar_row], place, scale=scale, white=white)


def scale_of(image: SemReduction) -> Scale:
    """Pixel size and tilt as the reduction had them."""
    tilt = Tilt(angle_deg=image.tilt_deg, axis_deg=image.tilt_axis_deg) if image.tilt_deg else None
    return Scale(
        pixel_nm=image.pixel_size_nm, relative_err=image.pixel_size_err, tilt=tilt, foot_nm=image.foot_nm
    )


def own_line(image: SemReduction) -> Line | None:
    """The line from edge to centre that the image came with."""
    if image.edge_nm is None or image.center_nm is None:
        return None
    edge, centre = (tuple(v / image.pixel_size_nm for v in at) for at in (image.edge_nm, image.center_nm))
    return Line(edge_px=(edge[0], edge[1]), center_px=(centre[0], centre[1]))


def drawn_places(image: SemReduction, text: str | None) -> list[Place]:
    """Where the drawn regions of an address lie in px, with their s where the image has a line."""
    line = own_line(image)
    return [
        placed(name, row0=row0, col0=col0, size_px=side, line=line)
        for name, (col0, row0, side) in zip(
            (drawn_name(n) for n in range(MAX_DRAWN)),
            (_in_px(image, square) for square in squares(image, text)),
            strict=False,
        )
    ]


def line_places(shelf: Library, result: Result, image: SemReduction, text: str | None) -> list[Place]:
    """Tiles along the drawn line, side by side, from its first end (s = 0) to its second (s = 1)."""
    ends = drawn_line(image, text)
    if ends is None:
        return []
    pixel = image.pixel_size_nm
    line = Line(edge_px=(ends[0] / pixel, ends[1] / pixel), center_px=(ends[2] / pixel, ends[3] / pixel))
    above = image.image[: image.bar_row]
    side = shelf.derived(
        result.sample_id,
        ("side", image.index),
        lambda _result: size_for(probed_periods(above), shape=above.shape),
    )
    tiles = tiles_along(line, shape=above.shape, size_px=side)[:MAX_TILES]
    return [
        placed(f"L{number}", row0=at.row0, col0=at.col0, size_px=side, line=line)
        for number, at in enumerate(tiles, start=1)
    ]


def drawn_name(number: int) -> str:
    """Name of a drawn region."""
    return f"D{number + 1}"


def _in_px(image: SemReduction, square: Square) -> tuple[int, int, int]:
    """Column, row and side in px of a square in nm, moved and shrunk so that it lies within the image."""
    rows, cols = min(image.bar_row, image.image.shape[0]), image.image.shape[1]
    x, y, size = (length / image.pixel_size_nm for length in square)
    most = min(rows, cols, MAX_SIDE_PX)
    side = int(np.clip(round(size), min(MIN_SIDE_PX, most), most))
    side -= side % 2
    return int(np.clip(round(x), 0, cols - side)), int(np.clip(round(y), 0, rows - side)), side


def squares(image: SemReduction, text: str | None) -> list[Square]:
    """The squares that an address holds, in nm; whatever is none is left out."""
    found = []
    for one in (text or "")[:2000].split("_")[:MAX_DRAWN]:
        numbers = _numbers(one.split("-"), 3)
        if numbers is not None and numbers[2] > 0.0:
            found.append(_clipped(image, numbers))
    return found


def drawn_line(image: SemReduction, text: str | None) -> Ends | None:
    """The line that an address holds, (x0, y0, x1, y1) in nm; None for a point or for none."""
    numbers = _numbers((text or "")[:200].split("_"), 4)
    if numbers is None or np.hypot(numbers[2] - numbers[0], numbers[3] - numbers[1]) < image.pixel_size_nm:
        return None
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _numbers(words: list[str], count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(word) for word in words)
    except ValueError:
        return None
    return (
        numbers
        if len(numbers) == count and np.isfinite(numbers).all() and max(map(abs, numbers)) < 1e9
        else None
    )


def _clipped(image: SemReduction, numbers: tuple[float, ...]) -> Square:
    """A square as it is measured: whole pixels within the image."""
    col0, row0, side = _in_px(image, (numbers[0], numbers[1], numbers[2]))
    pixel = image.pixel_size_nm
    return col0 * pixel, row0 * pixel, side * pixel


def as_text(kept: list[Square]) -> str:
    """Squares as an address holds them."""
    return "_".join("-".join(f"{length:.6g}" for length in square) for square in kept)


def with_square(
    image: SemReduction, text: str | None, numbers: tuple[float, ...], *, at: int | None = None
) -> tuple[str, str] | None:
    """Drawn regions and the chosen one after a square was added, or the one numbered ``at`` was changed."""
    if len(numbers) != 3 or not np.isfinite(numbers).all() or numbers[2] <= 0.0:
        return None
    kept, new = squares(image, text), _clipped(image, numbers)
    if at is None:
        kept = [*kept, new][-MAX_DRAWN:]
        at = len(kept) - 1
    elif at < len(kept):
        kept[at] = new
    else:
        return None
    return as_text(kept), drawn_name(at)


def without(image: SemReduction, text: str | None, chosen: str | None) -> str:
    """Drawn regions without the chosen one."""
    kept = squares(image, text)
    return as_text([one for number, one in enumerate(kept) if drawn_name(number) != chosen])


def with_change(image: SemReduction, view: dict[str, str], change: Any) -> tuple[str, str, str | None] | None:
    """Drawn regions, the line, and the chosen region (None: as it was) after the figure's shapes changed.

    The drawn regions are the first shapes of the figure, in their order, and the drawn line comes next; a new
    shape comes as the last of ``shapes``. Anything else gives None.
    """
    if not isinstance(change, dict):
        return None
    drawn, line = view.get("d") or "", view.get("e") or ""
    new = change.get("shapes")
    if isinstance(new, list) and new and isinstance(new[-1], dict) and not new[-1].get("name"):
        ends = _ends(new[-1], "")
        if ends is None:
            return None
        if new[-1].get("type") == "line":
            return drawn, line_text(ends), None
        added = with_square(image, drawn, _square(ends))
        return None if added is None else (added[0], line, added[1])
    key = next((name for name in change if name.startswith("shapes[") and name.endswith("].x0")), None)
    ends = _ends(change, key[:-2]) if key is not None else None
    if key is None or ends is None:
        return None
    number = int(key[7 : key.index("]")])
    if number == len(squares(image, drawn)) and line:
        return drawn, line_text(ends), None
    moved = with_square(image, drawn, _square(ends), at=number)
    return None if moved is None else (moved[0], line, moved[1])


def line_text(ends_um: Ends) -> str:
    """A line with ends in um as an address holds it."""
    return "_".join(f"{end * NM_PER_UM:.6g}" for end in ends_um)


def _square(ends_um: Ends) -> Square:
    """The square (x, y, size in nm) about the middle of a drawn rectangle; its side is the mean of both."""
    x0, y0, x1, y1 = (end * NM_PER_UM for end in ends_um)
    side = 0.5 * (abs(x1 - x0) + abs(y1 - y0))
    return 0.5 * (x0 + x1 - side), 0.5 * (y0 + y1 - side), side


def _ends(shape: dict[str, Any], prefix: str) -> Ends | None:
    try:
        ends = tuple(float(shape[prefix + name]) for name in ("x0", "y0", "x1", "y1"))
    except (KeyError, TypeError, ValueError):
        return None
    return (ends[0], ends[1], ends[2], ends[3]) if np.isfinite(ends).all() else None
