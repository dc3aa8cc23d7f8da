"""Gwyddion files: channels with their units, masks, selections and notes; saved profile graphs.

Arrays are (yres, xres), row 0 on top. Positions count from the field's top-left corner: the offsets of the
field on the stage are kept apart and never added. ``/N/show`` is presentation and is not read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.afm_file import AfmChannel, AfmFile, AfmGraph
from analysis.io.gwy_container import GwyNode, Value, read_container
from analysis.records import Array

_CHANNEL = re.compile(r"/(\d{1,9})/data")
_SELECTION = re.compile(r"/(\d{1,9})/select/.+")
_GRAPH = re.compile(r"/\d{1,9}/graph/graph/(\d{1,9})")
_OTHER = re.compile(r"/(brick|surface|sps|xyz|lawn)/(\d{1,9})(?:/data)?")
_OTHER_NAMES = {
    "brick": "volume data",
    "surface": "XYZ data",
    "xyz": "XYZ data",
    "lawn": "curve map",
    "sps": "spectra",
}
_SELECTIONS = {"GwySelectionLine": 4, "GwySelectionPoint": 2, "GwySelectionRectangle": 4}
MAX_SELECTED = 10_000


def read_gwy(path: Path) -> AfmFile:
    """Read a Gwyddion file; raises InputError naming the component that cannot be used."""
    root = read_container(path).items
    numbers = sorted(int(found[1]) for key in root if (found := _CHANNEL.fullmatch(key)))
    selections = _selections(path, root)
    channels = tuple(_channel(path, root, number, selections) for number in numbers)
    if not channels:
        raise InputError(path, expected="at least one channel (image)", found="none in the file")
    graphs = sorted((int(found[1]), key) for key in root if (found := _GRAPH.fullmatch(key)))
    return AfmFile(
        path=path,
        channels=channels,
        graphs=tuple(_graph(path, _node(path, root, key), number, key) for number, key in graphs),
        others=_others(root),
    )


def _channel(
    path: Path, root: Mapping[str, Value], number: int, selections: Mapping[tuple[int, str], Array]
) -> AfmChannel:
    key = f"/{number}/data"
    field = _node(path, root, key)
    values = _field_values(path, field, key)
    meta = root.get(f"/{number}/meta")
    log = root.get(f"{key}/log")
    notes = meta.items if isinstance(meta, GwyNode) else {}
    return AfmChannel(
        number=number,
        title=_text(root.get(f"{key}/title")).strip(),
        values=values,
        unit=_unit(field, "si_unit_z"),
        width=_real(path, field, key, "xreal", least=0.0),
        height=_real(path, field, key, "yreal", least=0.0),
        offset=(_real(path, field, key, "xoff"), _real(path, field, key, "yoff")),
        xy_unit=_unit(field, "si_unit_xy"),
        mask=_mask(path, root, number, values.shape),
        lines=selections.get((number, "GwySelectionLine"), np.empty((0, 4))),
        points=selections.get((number, "GwySelectionPoint"), np.empty((0, 2))),
        rectangles=selections.get((number, "GwySelectionRectangle"), np.empty((0, 4))),
        metadata={name: value for name, value in notes.items() if isinstance(value, str)},
        log=_strings(log.items.get("strings")) if isinstance(log, GwyNode) else (),
    )


def _field_values(path: Path, field: GwyNode, key: str) -> Array:
    """Values of a data field as (yres, xres), copied out of the file's bytes."""
    if field.name != "GwyDataField":
        raise InputError(path, field=key, expected="an object GwyDataField", found=repr(field.name[:40]))
    xres, yres = (_resolution(path, field, key, name) for name in ("xres", "yres"))
    values = field.items.get("data")
    if not isinstance(values, np.ndarray) or values.dtype != np.float64:
        raise InputError(path, field=f"{key} data", expected="an array of doubles", found="none")
    if values.size != xres * yres:
        raise InputError(
            path, field=f"{key} data", expected=f"{xres} x {yres} values", found=f"{values.size}"
        )
    return np.array(values.reshape(yres, xres), dtype=np.float64)


def _resolution(path: Path, field: GwyNode, key: str, name: str) -> int:
    value = field.items.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(path, field=f"{key} {name}", expected="a positive integer", found=_shown(value))
    return value


def _real(path: Path, field: GwyNode, key: str, name: str, *, least: float | None = None) -> float:
    """A finite number, above ``least`` where that is given; Gwyddion leaves out what has its default."""
    value = field.items.get(name, 0.0 if least is None else 1.0)
    number = value if isinstance(value, float) else math.nan
    if not math.isfinite(number) or (least is not None and number <= least):
        expected = "a finite number" if least is None else f"a finite number above {least:g}"
        raise InputError(path, field=f"{key} {name}", expected=expected, found=_shown(value))
    return number


def _mask(
    path: Path, root: Mapping[str, Value], number: int, shape: tuple[int, ...]
) -> npt.NDArray[np.bool_] | None:
    key = f"/{number}/mask"
    if key not in root:
        return None
    values = _field_values(path, _node(path, root, key), key)
    if values.shape != shape:
        raise InputError(
            path,
            field=key,
            expected=f"a mask of {shape[1]} x {shape[0]} pixels like its channel",
            found=f"{values.shape[1]} x {values.shape[0]}",
        )
    return np.asarray(values > 0.5)


def _selections(path: Path, root: Mapping[str, Value]) -> dict[tuple[int, str], Array]:
    """Every selection by channel and kind, (n, coordinates)."""
    found: dict[tuple[int, str], list[Array]] = {}
    for key, node in root.items():
        place = _SELECTION.fullmatch(key)
        if place is None or not isinstance(node, GwyNode) or node.name not in _SELECTIONS:
            continue
        values = node.items.get("data")
        if isinstance(values, np.ndarray) and values.size:
            width = _SELECTIONS[node.name]
            found.setdefault((int(place[1]), node.name), []).append(_selected(path, key, values, width))
    return {key: np.concatenate(parts) for key, parts in found.items()}


def _selected(path: Path, key: str, values: npt.NDArray[np.generic], width: int) -> Array:
    numbers = values.astype(np.float64)
    if numbers.size % width or numbers.size > width * MAX_SELECTED or not np.isfinite(numbers).all():
        raise InputError(
            path,
            field=key,
            expected=f"finite coordinates, {width} for each of at most {MAX_SELECTED}",
            found=f"{numbers.size} numbers",
        )
    return numbers.reshape(-1, width)


def _graph(path: Path, model: GwyNode, number: int, key: str) -> AfmGraph:
    curves = model.items.get("curves", [])
    nodes = [curve for curve in curves if isinstance(curve, GwyNode)] if isinstance(curves, list) else []
    return AfmGraph(
        number=number,
        title=_text(model.items.get("title")),
        x_unit=_unit(model, "x_unit"),
        y_unit=_unit(model, "y_unit"),
        curves=tuple(_curve(path, curve, key) for curve in nodes),
    )


def _curve(path: Path, curve: GwyNode, key: str) -> tuple[str, Array, Array]:
    x, y = (
        np.array(values, dtype=np.float64) if isinstance(values, np.ndarray) else np.empty(0)
        for values in (curve.items.get("xdata"), curve.items.get("ydata"))
    )
    if x.size != y.size:
        raise InputError(path, field=key, expected=f"a curve with {x.size} ordinates", found=f"{y.size}")
    return _text(curve.items.get("description")), x, y


def _others(root: Mapping[str, Value]) -> tuple[str, ...]:
    """What is no channel and no graph, one by one: kind, number, title, size."""
    found = sorted(
        (match[1], int(match[2]), node)
        for key, node in root.items()
        if (match := _OTHER.fullmatch(key)) and isinstance(node, GwyNode)
    )
    told = []
    for kind, number, node in found:
        title = _text(root.get(f"/{kind}/{number}/title")) or _text(node.items.get("title"))
        named = f"{_OTHER_NAMES[kind]} {number}" + (f" {title.strip()!r}" if title.strip() else "")
        told.append(", ".join(part for part in (named, _extent(node)) if part))
    return tuple(told)


def _extent(node: GwyNode) -> str:
    """The size of something that is no channel, as far as it says."""
    sides = [node.items.get(name) for name in ("xres", "yres", "zres")]
    shown = " x ".join(str(side) for side in sides if isinstance(side, int))
    values = node.items.get("data")
    if isinstance(values, list):
        return f"{len(values)} curves"
    if not shown and isinstance(values, np.ndarray):
        return f"{values.size} numbers"
    return shown


def _node(path: Path, root: Mapping[str, Value], key: str) -> GwyNode:
    node = root[key]
    if not isinstance(node, GwyNode):
        raise InputError(path, field=key, expected="an object", found=_shown(node))
    return node


def _unit(node: GwyNode, name: str) -> str:
    unit = node.items.get(name)
    return _text(unit.items.get("unitstr")).strip() if isinstance(unit, GwyNode) else ""


def _text(value: Value | None) -> str:
    return value if isinstance(value, str) else ""


def _strings(value: Value | None) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _shown(value: object) -> str:
    return "none" if value is None else repr(value)[:60]
