"""One Gwyddion file: channels, crystal, levelled height, modulus, what counts, statistics, lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.afm.crystal import NoCrystalError
from analysis.afm.field import LevelledField, field_by_height, field_by_mask, whole_field
from analysis.afm.lines import CONVENTIONS, Ends, is_in_field, line_profile
from analysis.afm.provenance import provenance_of_modulus
from analysis.afm.statistics import field_statistics
from analysis.afm.status import clipped_pixels, excluded_counts, rim_pixels, status_map, steep_pixels
from analysis.errors import InputError
from analysis.io.gwy import GwyChannel, GwyFile, read_gwy
from analysis.io.gwy_channels import ChosenChannels, choose_channels
from analysis.io.sample_file import AfmBlock
from analysis.records import AFM_STATUS, AfmLine, AfmReduction, Array, Bytes, PixelGrid
from analysis.units import NM_PER_UM

Mask = npt.NDArray[np.bool_]

REMEDY = 'set mask = "none" where the whole field is crystal, or "file" to use a mask saved in the file'


@dataclass(frozen=True, kw_only=True)
class _Line:
    name: str
    source: str
    ends_um: Ends


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """A file with what was chosen from it."""

    gwy: GwyFile
    chosen: ChosenChannels
    grid: PixelGrid
    lines: tuple[_Line, ...]
    notes: tuple[str, ...]


def afm_inputs(block: AfmBlock, *, folder: Path) -> list[Path]:
    """Every file that the reduction reads."""
    path = folder / block.file
    if not path.is_file():
        raise InputError(path, field="afm.file", expected="a Gwyddion file", found="no such file")
    return [path]


def check_afm(block: AfmBlock, *, folder: Path) -> list[str]:
    """What the file holds and what of it is used; raises InputError if it can't be reduced."""
    opened = _opened(block, folder)
    gwy, grid = opened.gwy, opened.grid
    dx, dy = grid.cell_um
    rows, cols = grid.shape
    metadata = provenance_of_modulus(opened.chosen.field.metadata)
    return [
        f"{block.file}: {len(gwy.channels)} channels",
        *(f"channel {channel.number}: {_described(channel)}" for channel in gwy.channels),
        *opened.chosen.why,
        f"field {cols * dx:.6g} x {rows * dy:.6g} um, "
        f"pixels of {dx * NM_PER_UM:.6g} x {dy * NM_PER_UM:.6g} nm",
        _mask_used(block, opened),
        *(f"{line.name} ({line.source}): " + _numbers(line.ends_um) + " um" for line in opened.lines),
        *(f"graph {graph.number} {graph.title!r}: {len(graph.curves)} curves" for graph in gwy.graphs),
        *(f"{count} of {what}, not used" for what, count in gwy.others.items()),
        *(f"{name}: {value}" for name, value in metadata.items()),
        *opened.notes,
    ]


def reduce_afm(block: AfmBlock, *, index: int, folder: Path) -> AfmReduction:
    """Height over the ground, modulus, the pixels that count and profiles along lines of one field.

    Raises InputError where the file cannot be used.
    """
    opened = _opened(block, folder)
    chosen, grid = opened.chosen, opened.grid
    nothing = np.full(grid.shape, np.nan)
    field = _levelled(block, opened, nothing if chosen.height is None else chosen.height.height_nm())
    modulus = nothing if chosen.modulus is None else chosen.modulus.modulus_gpa()
    status = _status(block, chosen, field, grid)
    counted = status == AFM_STATUS.index("ok")
    excluded = excluded_counts(status)
    if not counted.any():
        raise InputError(
            opened.gwy.path,
            expected="pixels of the crystal that count",
            found=", ".join(f"{n} {reason}" for reason, n in excluded.items() if n),
        )
    return AfmReduction(
        index=index,
        crystal=block.crystal,
        file_path=block.file,
        grid=grid,
        height_title="" if chosen.height is None else chosen.height.name,
        modulus_title="" if chosen.modulus is None else chosen.modulus.name,
        height_nm=field.height_nm,
        modulus_gpa=modulus,
        status=status,
        statistics=field_statistics(
            modulus_gpa=None if chosen.modulus is None else modulus,
            height_nm=None if chosen.height is None else field.height_nm,
            counted=counted,
        ),
        excluded=excluded,
        steps=(*chosen.why, *field.steps),
        metadata=provenance_of_modulus(chosen.field.metadata),
        lines=tuple(_profiles(opened, field.height_nm, modulus)),
        notes=(*opened.notes, *field.notes),
    )


def _opened(block: AfmBlock, folder: Path) -> _Opened:
    """The file read, its channels chosen, everything refused that metadata alone can show to be unfit."""
    gwy = read_gwy(afm_inputs(block, folder=folder)[0])
    chosen = choose_channels(gwy, height=block.height, modulus=block.modulus)
    grid = chosen.field.grid(gwy.path)
    if block.mask == "auto" and chosen.height is None:
        raise InputError(
            gwy.path,
            field="afm.mask",
            expected="a channel of height to find the crystal by",
            found="none",
            remedy=REMEDY,
        )
    if block.mask == "file":
        _saved_mask(gwy, chosen)
    saved, notes = _saved_lines(gwy, chosen, grid)
    given = _configured_lines(block, gwy, grid)
    named = [(source, ends) for source, lines in (("gwy", saved), ("config", given)) for ends in lines]
    lines = tuple(
        _Line(name=f"line {number}", source=source, ends_um=ends)
        for number, (source, ends) in enumerate(named, start=1)
    )
    return _Opened(gwy=gwy, chosen=chosen, grid=grid, lines=lines, notes=(*chosen.notes, *notes))


def _levelled(block: AfmBlock, opened: _Opened, height_nm: Array) -> LevelledField:
    if block.mask == "none":
        return whole_field(height_nm)
    if block.mask == "file":
        channel, mask = _saved_mask(opened.gwy, opened.chosen)
        field = field_by_mask(height_nm, mask)
        told = f"crystal: the mask saved with channel {channel.number} {channel.name!r}"
        return replace(field, steps=(told, *field.steps))
    try:
        return field_by_height(height_nm)
    except NoCrystalError as error:
        raise InputError(
            opened.gwy.path,
            field="afm.mask",
            expected="a crystal that stands above its ground",
            found=str(error),
            remedy=REMEDY,
        ) from None


def _status(block: AfmBlock, chosen: ChosenChannels, field: LevelledField, grid: PixelGrid) -> Bytes:
    """Codes of the pixels; the whole field, taken on the user's word, has no edge."""
    present = [channel.values for channel in (chosen.height, chosen.modulus) if channel is not None]
    finite = np.logical_and.reduce([np.isfinite(values) for values in present])
    clipped = np.logical_or.reduce([clipped_pixels(values) for values in present])
    edge = np.zeros(grid.shape, dtype=np.bool_)
    if block.mask != "none":
        dx, dy = grid.cell_um
        steep = steep_pixels(field.height_nm, dx_nm=dx * NM_PER_UM, dy_nm=dy * NM_PER_UM)
        edge = steep | rim_pixels(field.inside) if block.mask == "auto" else steep
    return status_map(inside=field.inside, edge=edge, clipped=clipped, masked=field.masked, finite=finite)


def _profiles(opened: _Opened, height_nm: Array, modulus_gpa: Array) -> Iterator[AfmLine]:
    for line in opened.lines:
        for convention in CONVENTIONS:
            yield line_profile(
                line.ends_um,
                opened.grid,
                name=line.name,
                source=line.source,
                convention=convention,
                height_nm=height_nm,
                modulus_gpa=modulus_gpa,
            )


def _saved_mask(gwy: GwyFile, chosen: ChosenChannels) -> tuple[GwyChannel, Mask]:
    """The saved mask that is used: the modulus', else the height's, else the first of the field's size."""
    preferred = [channel for channel in (chosen.modulus, chosen.height) if channel is not None]
    for channel in (*preferred, *gwy.channels):
        mask = channel.mask
        if mask is not None and mask.shape == chosen.field.shape and mask.any():
            return channel, mask
    raise InputError(
        gwy.path,
        field="afm.mask",
        expected="a mask saved with a channel of the same size",
        found="none, or empty ones",
        remedy='draw it in Gwyddion, or set mask = "auto" or "none"',
    )


def _saved_lines(gwy: GwyFile, chosen: ChosenChannels, grid: PixelGrid) -> tuple[list[Ends], tuple[str, ...]]:
    """Lines saved with any channel of the same field, each once, in um; notes about those left out."""
    kept: list[Ends] = []
    outside = 0
    field = chosen.field
    for channel in gwy.channels:
        scale = channel.um_per_xy_unit
        alike = channel.shape == field.shape and np.isclose(channel.width, field.width, rtol=1e-6)
        if scale is None or not alike:
            continue
        for line in channel.lines:
            x0, y0, x1, y1 = (float(value) * scale for value in line)
            ends = (x0, y0, x1, y1)
            if not is_in_field(ends, grid):
                outside += 1
            elif not any(np.allclose(ends, other, rtol=0.0, atol=1e-9) for other in kept):
                kept.append(ends)
    return kept, (f"{outside} saved lines reach out of the field and are left out",) if outside else ()


def _configured_lines(block: AfmBlock, gwy: GwyFile, grid: PixelGrid) -> list[Ends]:
    for number, ends in enumerate(block.lines_um or ()):
        if not is_in_field(ends, grid):
            (dx, dy), (rows, cols) = grid.cell_um, grid.shape
            raise InputError(
                gwy.path,
                field=f"afm.lines_um.{number}",
                expected=f"x between 0 and {cols * dx:.6g} um, y between 0 and {rows * dy:.6g} um",
                found=_numbers(ends),
            )
    return list(block.lines_um or ())


def _mask_used(block: AfmBlock, opened: _Opened) -> str:
    if block.mask == "auto":
        return "crystal: found by height"
    if block.mask == "none":
        return "crystal: the whole field"
    channel, _ = _saved_mask(opened.gwy, opened.chosen)
    return f"crystal: the mask saved with channel {channel.number} {channel.name!r}"


def _described(channel: GwyChannel) -> str:
    rows, cols = channel.shape
    extras = [
        "mask" if channel.mask is not None else "",
        f"{len(channel.lines)} lines" if len(channel.lines) else "",
        f"{len(channel.points)} points" if len(channel.points) else "",
        f"{len(channel.rectangles)} rectangles" if len(channel.rectangles) else "",
    ]
    tail = "".join(f", {extra}" for extra in extras if extra)
    return f"{channel.name!r}, unit {channel.unit or 'not stated'}, {cols} x {rows} px{tail}"


def _numbers(values: Ends) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
