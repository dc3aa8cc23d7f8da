"""One AFM file opened: channels chosen, lines found, what it holds told; nothing is reduced yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.afm.lines import Ends, is_in_field
from analysis.afm.processing import Corrections
from analysis.afm.provenance import provenance_of_modulus
from analysis.errors import InputError
from analysis.io.afm_channels import ChosenChannels, choose_channels
from analysis.io.afm_file import AfmChannel, AfmFile
from analysis.io.afm_formats import read_afm
from analysis.io.sample_file import AfmBlock
from analysis.records import PixelGrid
from analysis.units import NM_PER_UM

Mask = npt.NDArray[np.bool_]

MAX_CURVES_TOLD = 10
REMEDY = 'set mask = "none" where the whole field is crystal, or "file" to use a mask saved in the file'


@dataclass(frozen=True, kw_only=True)
class NamedLine:
    """A line across the field, saved in the file (``gwy``) or configured (``config``)."""

    name: str
    source: str
    ends_um: Ends


@dataclass(frozen=True, kw_only=True)
class OpenedFile:
    """A file with what was chosen from it."""

    file: AfmFile
    chosen: ChosenChannels
    grid: PixelGrid
    lines: tuple[NamedLine, ...]
    notes: tuple[str, ...]


def afm_inputs(block: AfmBlock, *, folder: Path) -> list[Path]:
    """Every file that the reduction reads."""
    path = folder / block.file
    if not path.is_file():
        raise InputError(path, field="afm.file", expected="an AFM file", found="no such file")
    return [path]


def check_afm(block: AfmBlock, *, folder: Path) -> list[str]:
    """What the file holds and what of it is used; raises InputError if it can't be reduced."""
    opened = opened_afm(block, folder)
    file, grid = opened.file, opened.grid
    dx, dy = grid.cell_um
    rows, cols = grid.shape
    metadata = provenance_of_modulus(opened.chosen.field.metadata)
    return [
        f"{block.file}: {len(file.channels)} channels",
        *contents_of(file),
        *opened.chosen.why,
        f"field {cols * dx:.6g} x {rows * dy:.6g} um, "
        f"pixels of {dx * NM_PER_UM:.6g} x {dy * NM_PER_UM:.6g} nm",
        _mask_used(block, opened),
        f"height: {', then '.join(_corrections_told(block))}",
        *(f"{line.name} ({line.source}): " + _numbers(line.ends_um) + " um" for line in opened.lines),
        *(f"{name}: {value}" for name, value in metadata.items()),
        *opened.notes,
    ]


def contents_of(file: AfmFile) -> tuple[str, ...]:
    """What a file holds, one line each: channels with what is saved on them, graphs, everything else."""
    return (
        *(f"channel {channel.number}: {_described(channel)}" for channel in file.channels),
        *(
            f"graph {graph.number} {graph.title!r}: {_number_of(len(graph.curves), 'curve') or 'no curve'}"
            + "".join(f", {name!r} of {x.size} points" for name, x, _ in graph.curves[:MAX_CURVES_TOLD])
            for graph in file.graphs
        ),
        *(f"{other}, not used" for other in file.others),
    )


def corrections_of(block: AfmBlock) -> Corrections:
    """What a sample file asks to be done to the height."""
    return Corrections(
        scars=block.remove_scars,
        rows=block.align_rows,
        levelling=block.levelling,
        polynomial_degree=block.polynomial_degree,
        outliers=block.remove_outliers,
    )


def _corrections_told(block: AfmBlock) -> list[str]:
    degree = f" of degree {block.polynomial_degree}" if block.levelling == "polynomial" else ""
    steps = [
        "scars filled" if block.remove_scars else "",
        f"rows aligned ({block.align_rows})" if block.align_rows != "none" else "",
        f"levelled by {block.levelling}{degree}" if block.levelling != "none" else "",
        "outliers filled" if block.remove_outliers else "",
    ]
    return [step for step in steps if step] or ["as it was read"]


def opened_afm(block: AfmBlock, folder: Path) -> OpenedFile:
    """The file read, its channels chosen, everything refused that metadata alone can show to be unfit."""
    file = read_afm(afm_inputs(block, folder=folder)[0])
    chosen = choose_channels(
        file,
        height=block.height,
        modulus=block.modulus,
        height_unit=block.height_unit,
        modulus_unit=block.modulus_unit,
    )
    grid = chosen.field.grid(file.path)
    if block.mask == "auto" and chosen.height is None:
        raise InputError(
            file.path,
            field="afm.mask",
            expected="a channel of height to find the crystal by",
            found="none",
            remedy=REMEDY,
        )
    if block.mask == "file":
        saved_mask(file, chosen)
    saved, notes = _saved_lines(file, chosen, grid)
    given = _configured_lines(block, file, grid)
    named = [(source, ends) for source, lines in (("gwy", saved), ("config", given)) for ends in lines]
    lines = tuple(
        NamedLine(name=f"line {number}", source=source, ends_um=ends)
        for number, (source, ends) in enumerate(named, start=1)
    )
    return OpenedFile(file=file, chosen=chosen, grid=grid, lines=lines, notes=(*chosen.notes, *notes))


def saved_mask(file: AfmFile, chosen: ChosenChannels) -> tuple[AfmChannel, Mask]:
    """The saved mask that is used: the modulus', else the height's, else the first of the field's size."""
    preferred = [channel for channel in (chosen.modulus, chosen.height) if channel is not None]
    for channel in (*preferred, *file.channels):
        mask = channel.mask
        if mask is not None and mask.shape == chosen.field.shape and mask.any():
            return channel, mask
    raise InputError(
        file.path,
        field="afm.mask",
        expected="a mask saved with a channel of the same size",
        found="none, or empty ones",
        remedy='draw it in Gwyddion, or set mask = "auto" or "none"',
    )


def _saved_lines(
    file: AfmFile, chosen: ChosenChannels, grid: PixelGrid
) -> tuple[list[Ends], tuple[str, ...]]:
    """Lines saved with any channel of the same field, each once, in um; notes about those left out."""
    kept: list[Ends] = []
    outside = 0
    field = chosen.field
    for channel in file.channels:
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


def _configured_lines(block: AfmBlock, file: AfmFile, grid: PixelGrid) -> list[Ends]:
    for number, ends in enumerate(block.lines_um or ()):
        if not is_in_field(ends, grid):
            (dx, dy), (rows, cols) = grid.cell_um, grid.shape
            raise InputError(
                file.path,
                field=f"afm.lines_um.{number}",
                expected=f"x between 0 and {cols * dx:.6g} um, y between 0 and {rows * dy:.6g} um",
                found=_numbers(ends),
            )
    return list(block.lines_um or ())


def _mask_used(block: AfmBlock, opened: OpenedFile) -> str:
    if block.mask == "auto":
        return "crystal: found by height"
    if block.mask == "none":
        return "crystal: the whole field"
    channel, _ = saved_mask(opened.file, opened.chosen)
    return f"crystal: the mask saved with channel {channel.number} {channel.name!r}"


def _described(channel: AfmChannel) -> str:
    rows, cols = channel.shape
    extras = [
        "mask" if channel.mask is not None else "",
        _number_of(len(channel.lines), "line"),
        _number_of(len(channel.points), "point"),
        _number_of(len(channel.rectangles), "rectangle"),
    ]
    extras += [_number_of(len(channel.log), "step") + " in its log"] if channel.log else []
    tail = "".join(f", {extra}" for extra in extras if extra)
    return f"{channel.name!r}, unit {channel.unit or 'not stated'}, {cols} x {rows} px{tail}"


def _number_of(n: int, what: str) -> str:
    """``1 line``, ``2 lines``, nothing for none."""
    return "" if n == 0 else f"{n} {what}" if n == 1 else f"{n} {what}s"


def _numbers(values: Ends) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
