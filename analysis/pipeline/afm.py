"""One AFM file: channels, crystal, corrected height, modulus, what counts, statistics, lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.afm.crystal import NoCrystalError
from analysis.afm.field import LevelledField, field_by_height, field_by_mask, whole_field
from analysis.afm.lines import CONVENTIONS, line_profile
from analysis.afm.provenance import provenance_of_modulus
from analysis.afm.statistics import field_statistics
from analysis.afm.status import clipped_pixels, excluded_counts, rim_pixels, status_map, steep_pixels
from analysis.errors import InputError
from analysis.io.afm_channels import ChosenChannels
from analysis.io.sample_file import AfmBlock
from analysis.pipeline.afm_opened import (
    REMEDY,
    OpenedFile,
    afm_inputs,
    check_afm,
    contents_of,
    corrections_of,
    opened_afm,
    saved_mask,
)
from analysis.records import AFM_STATUS, AfmLine, AfmReduction, Array, Bytes, PixelGrid
from analysis.units import NM_PER_UM

__all__ = ["afm_inputs", "check_afm", "reduce_afm"]

Mask = npt.NDArray[np.bool_]


def reduce_afm(block: AfmBlock, *, index: int, folder: Path) -> AfmReduction:
    """Height over the ground, modulus, the pixels that count and profiles along lines of one field.

    Raises InputError where the file cannot be used.
    """
    opened = opened_afm(block, folder)
    chosen, grid = opened.chosen, opened.grid
    nothing = np.full(grid.shape, np.nan)
    field = _levelled(block, opened, nothing if chosen.height is None else chosen.height.height_nm())
    modulus = nothing if chosen.modulus is None else chosen.modulus.modulus_gpa()
    status = _status(block, chosen, field, grid)
    counted = status == AFM_STATUS.index("ok")
    excluded = excluded_counts(status)
    if not counted.any():
        raise InputError(
            opened.file.path,
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
        lines=tuple(_profiles(block, opened, field.height_nm, modulus)),
        notes=(*opened.notes, *field.notes),
        contents=contents_of(opened.file),
    )


def _levelled(block: AfmBlock, opened: OpenedFile, height_nm: Array) -> LevelledField:
    corrections = corrections_of(block)
    dx, dy = opened.grid.cell_um
    pixel_nm = (dx * NM_PER_UM, dy * NM_PER_UM)
    if block.mask == "none":
        return whole_field(height_nm, corrections, pixel_nm=pixel_nm)
    if block.mask == "file":
        channel, mask = saved_mask(opened.file, opened.chosen)
        field = field_by_mask(height_nm, mask, corrections, pixel_nm=pixel_nm)
        told = f"crystal: the mask saved with channel {channel.number} {channel.name!r}"
        return replace(field, steps=(told, *field.steps))
    try:
        return field_by_height(height_nm, corrections, pixel_nm=pixel_nm)
    except NoCrystalError as error:
        raise InputError(
            opened.file.path,
            field="afm.mask",
            expected="a crystal that stands above its ground",
            found=str(error),
            remedy=REMEDY,
        ) from None


def _status(block: AfmBlock, chosen: ChosenChannels, field: LevelledField, grid: PixelGrid) -> Bytes:
    """Codes of the pixels; the whole field, taken on the user's word, has no edge.

    A pixel whose height was filled in counts no more than one that was masked by hand.
    """
    present = [channel.values for channel in (chosen.height, chosen.modulus) if channel is not None]
    finite = np.logical_and.reduce([np.isfinite(values) for values in present])
    clipped = np.logical_or.reduce([clipped_pixels(values) for values in present])
    edge = np.zeros(grid.shape, dtype=np.bool_)
    if block.mask != "none":
        dx, dy = grid.cell_um
        steep = steep_pixels(field.height_nm, dx_nm=dx * NM_PER_UM, dy_nm=dy * NM_PER_UM)
        edge = steep | rim_pixels(field.inside) if block.mask == "auto" else steep
    masked = field.masked | field.mended
    return status_map(inside=field.inside, edge=edge, clipped=clipped, masked=masked, finite=finite)


def _profiles(block: AfmBlock, opened: OpenedFile, height_nm: Array, modulus_gpa: Array) -> Iterator[AfmLine]:
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
                thickness_px=block.line_thickness_px,
            )
