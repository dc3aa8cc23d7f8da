"""Gwyddion files for tests, written with gwyfile, and raw bytes of objects that gwyfile would not write."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gwyfile.objects import GwyContainer, GwyDataField, GwyObject, GwySIUnit


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel to write; sizes in metres, lines (n, 4) in metres from the top-left corner."""

    values: np.ndarray
    title: str | None = None
    unit: str | None = "m"
    width: float = 2e-6
    height: float = 1e-6
    xy_unit: str = "m"
    offset: tuple[float, float] = (0.0, 0.0)
    mask: np.ndarray | None = None
    lines: Sequence[Sequence[float]] = ()
    meta: Mapping[str, str] = field(default_factory=dict)


def write_channels(path: Path, channels: Mapping[int, Channel], extra: Mapping[str, object] = {}) -> Path:
    container = GwyContainer()
    for number, channel in channels.items():
        if channel.title is not None:
            put_text(container, f"/{number}/data/title", channel.title)
        container[f"/{number}/data"] = data_field(channel.values, channel)
        if channel.mask is not None:
            container[f"/{number}/mask"] = data_field(channel.mask.astype(float), channel, unit=None)
        if len(channel.lines):
            container[f"/{number}/select/line"] = selection("GwySelectionLine", channel.lines)
        if channel.meta:
            notes = GwyContainer()
            for key, text in channel.meta.items():
                put_text(notes, key, text)
            container[f"/{number}/meta"] = notes
    for key, value in extra.items():
        container[key] = value
    with path.open("wb") as file:
        container.tofile(file)
    return path


def data_field(values: np.ndarray, channel: Channel, unit: str | None = "") -> GwyDataField:
    unit = channel.unit if unit == "" else unit
    return GwyDataField(
        np.ascontiguousarray(values, dtype=np.float64),
        xreal=channel.width,
        yreal=channel.height,
        xoff=channel.offset[0],
        yoff=channel.offset[1],
        si_unit_xy=GwySIUnit(unitstr=channel.xy_unit),
        si_unit_z=None if unit is None else GwySIUnit(unitstr=unit),
    )


def selection(kind: str, places: Sequence[Sequence[float]]) -> GwyObject:
    numbers = np.array(places, dtype=np.float64).ravel()
    return GwyObject(kind, {"max": 1024, "data": numbers}, {"max": "i", "data": "D"})


def put_text(container: GwyContainer, key: str, text: str) -> None:
    # gwyfile takes text of one character for a number.
    container[key] = text
    container.typecodes[key] = "s"


def text(value: str | bytes) -> bytes:
    return (value.encode() if isinstance(value, str) else value) + b"\0"


def component(name: str | bytes, kind: str, payload: bytes) -> bytes:
    return text(name) + kind.encode() + payload


def obj(name: str | bytes, *components: bytes) -> bytes:
    inner = b"".join(components)
    return text(name) + struct.pack("<I", len(inner)) + inner


def doubles(values: Sequence[float]) -> bytes:
    return struct.pack(f"<I{len(values)}d", len(values), *values)


def raw_field(
    *, xres: int = 3, yres: int = 2, xreal: float = 3.0, values: Sequence[float] = (1, 2, 3, 4, 5, 6)
) -> bytes:
    return obj(
        "GwyDataField",
        component("xres", "i", struct.pack("<i", xres)),
        component("yres", "i", struct.pack("<i", yres)),
        component("xreal", "d", struct.pack("<d", xreal)),
        component("yreal", "d", struct.pack("<d", 2.0)),
        component("data", "D", doubles(values)),
    )


def raw_file(*components: bytes) -> bytes:
    return b"GWYP" + obj("GwyContainer", *components)
