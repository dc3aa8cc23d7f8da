"""Gwyddion files: channels with their units, masks, selections and notes; saved profile graphs.

Arrays are (yres, xres), row 0 on top. Positions count from the field's top-left corner: the offsets of the
field on the stage are kept apart and never added. ``/N/show`` is presentation and is not read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.gwy_container import GwyNode, Value, read_container
from analysis.records import Array, PixelGrid
from analysis.units import GPA_PER_PA, NM_PER_UM, UM_PER_M, UM_PER_MM, UM_PER_NM

UM_PER_LENGTH_UNIT = {
    "m": UM_PER_M,
    "mm": UM_PER_MM,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "nm": UM_PER_NM,
}
"""Gwyddion writes ``m``; other programs that write .gwy are less strict."""

GPA_PER_PRESSURE_UNIT = {"Pa": GPA_PER_PA, "GPa": 1.0}

_CHANNEL = re.compile(r"/(\d{1,9})/data")
_SELECTION = re.compile(r"/(\d{1,9})/select/.+")
_GRAPH = re.compile(r"/\d{1,9}/graph/graph/(\d{1,9})")
_OTHER = re.compile(r"/(brick|surface|sps|xyz|lawn)/(\d{1,9})")
_OTHER_NAMES = {"brick": "volume data", "surface": "XYZ data", "xyz": "XYZ data", "lawn": "curve maps"}
_SELECTIONS = {"GwySelectionLine": 4, "GwySelectionPoint": 2, "GwySelectionRectangle": 4}
MAX_SELECTED = 10_000


@dataclass(frozen=True, kw_only=True)
class GwyChannel:
    """One channel. ``values`` (yres, xres) in ``unit``; ``width``, ``height``, ``offset`` in ``xy_unit``.

    ``mask`` (yres, xres) is true where the saved mask is above 0.5. ``lines`` (n, 4) holds x0, y0, x1, y1,
    ``points`` (n, 2) x, y and ``rectangles`` (n, 4) two corners, all in ``xy_unit`` from the top-left corner.
    """

    number: int
    title: str
    values: Array
    unit: str
    width: float
    height: float
    offset: tuple[float, float]
    xy_unit: str
    mask: npt.NDArray[np.bool_] | None
    lines: Array
    points: Array
    rectangles: Array
    metadata: Mapping[str, str]
    log: tuple[str, ...]

    @property
    def name(self) -> str:
        """The title, or ``channel N`` where there is none."""
        return self.title or f"channel {self.number}"

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    @property
    def um_per_xy_unit(self) -> float | None:
        """What a lateral unit is in um; None where it is not a length."""
        return UM_PER_LENGTH_UNIT.get(self.xy_unit)

    @property
    def is_length(self) -> bool:
        return self.unit in UM_PER_LENGTH_UNIT

    @property
    def is_pressure(self) -> bool:
        return self.unit in GPA_PER_PRESSURE_UNIT

    def grid(self, path: Path) -> PixelGrid:
        """The field as a grid of pixels in um; raises InputError where the lateral unit is not a length."""
        scale = self.um_per_xy_unit
        if scale is None:
            raise InputError(
                path,
                field=f"/{self.number}/data si_unit_xy",
                expected="a lateral unit of length, as m",
                found=repr(self.xy_unit),
                remedy="set the dimensions of the channel in Gwyddion",
            )
        rows, cols = self.shape
        return PixelGrid.of_image(
            self.shape, dx_um=self.width * scale / cols, dy_um=self.height * scale / rows
        )

    def height_nm(self) -> Array:
        """Values of a channel of length in nm, (yres, xres)."""
        return np.asarray(self.values * (UM_PER_LENGTH_UNIT[self.unit] * NM_PER_UM))

    def modulus_gpa(self) -> Array:
        """Values of a channel of pressure in GPa, (yres, xres)."""
        return np.asarray(self.values * GPA_PER_PRESSURE_UNIT[self.unit])


@dataclass(frozen=True, kw_only=True)
class GwyGraph:
    """One saved graph: ``curves`` holds (description, x (n,), y (n,)) in the units named."""

    number: int
    title: str
    x_unit: str
    y_unit: str
    curves: tuple[tuple[str, Array, Array], ...]


@dataclass(frozen=True, kw_only=True)
class GwyFile:
    """A whole file: channels by number, saved graphs, and how many things of other kinds it holds."""

    path: Path
    channels: tuple[GwyChannel, ...]
    graphs: tuple[GwyGraph, ...]
    others: Mapping[str, int]


def read_gwy(path: Path) -> GwyFile:
    """Read a Gwyddion file; raises InputError naming the component that cannot be used."""
    root = read_container(path).items
    numbers = sorted(int(found[1]) for key in root if (found := _CHANNEL.fullmatch(key)))
    selections = _selections(path, root)
    channels = tuple(_channel(path, root, number, selections) for number in numbers)
    if not channels:
        raise InputError(path, expected="at least one channel (image)", found="none in the file")
    graphs = sorted((int(found[1]), key) for key in root if (found := _GRAPH.fullmatch(key)))
    return GwyFile(
        path=path,
        channels=channels,
        graphs=tuple(_graph(path, _node(path, root, key), number, key) for number, key in graphs),
        others=_others(root),
    )


def _channel(
    path: Path, root: Mapping[str, Value], number: int, selections: Mapping[tuple[int, str], Array]
) -> GwyChannel:
    key = f"/{number}/data"
    field = _node(path, root, key)
    values = _field_values(path, field, key)
    meta = root.get(f"/{number}/meta")
    log = root.get(f"{key}/log")
    notes = meta.items if isinstance(meta, GwyNode) else {}
    return GwyChannel(
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


def _graph(path: Path, model: GwyNode, number: int, key: str) -> GwyGraph:
    curves = model.items.get("curves", [])
    nodes = [curve for curve in curves if isinstance(curve, GwyNode)] if isinstance(curves, list) else []
    return GwyGraph(
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


def _others(root: Mapping[str, Value]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for key in root:
        if found := _OTHER.fullmatch(key):
            name = _OTHER_NAMES.get(found[1], "spectra")
            counts[name] = counts.get(name, 0) + 1
    return counts


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
