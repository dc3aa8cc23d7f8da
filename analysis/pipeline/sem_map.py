"""The sliding map of one image: how large its regions are, how far apart, and what is filled in before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.io.sample_file import SemBlock
from analysis.records import Bytes, PixelGrid, QuantityMap
from analysis.sem.annotations import annotation_mask, without_annotations
from analysis.sem.region import Scale
from analysis.sem.sliding import raster_over, sliding_fit
from analysis.sem.sliding_maps import sliding_maps

Pixels = npt.NDArray[np.unsignedinteger]

ORDERS = 2.2
"""Peaks are looked for up to so many times the largest first order of the probes."""

BLOCK_PX = 1024
LEAST_SIDE_PX = 32


@dataclass(frozen=True, kw_only=True)
class SemMap:
    """Maps of one image, the centres of their regions and the regions' side."""

    maps: Mapping[str, QuantityMap]
    grid: PixelGrid
    status: Bytes
    size_px: int


def sem_map(
    block: SemBlock, above: Pixels, *, scale: Scale, side_px: int, periods_px: npt.NDArray[np.float64]
) -> SemMap | None:
    """The maps of what is above the bar; None where they are not wanted or nothing in the image repeats."""
    if not block.map or not periods_px.size:
        return None
    side = side_px if block.map_size_nm is None else round(block.map_size_nm / scale.pixel_nm)
    side = max(side - side % 2, LEAST_SIDE_PX)
    step = None if block.map_step_nm is None else max(1, round(block.map_step_nm / scale.pixel_nm))
    raster = raster_over(shape=(above.shape[0], above.shape[1]), size_px=side, step_px=step)
    if raster is None:
        return None
    fit = sliding_fit(
        cleaned(above),
        raster,
        k_limit=min(ORDERS / float(periods_px[:, 0].min()), 0.5),
        workers=os.cpu_count() or 1,
    )
    return SemMap(
        maps=sliding_maps(fit, scale=scale),
        grid=raster.grid(pixel_nm=scale.pixel_nm),
        status=fit.status,
        size_px=side,
    )


def cleaned(image: Pixels) -> Pixels:
    """The image (rows, cols) without drawings burned into it; a copy only where there are any."""
    copy: Pixels | None = None
    white = float(image.max())
    for row in range(0, image.shape[0], BLOCK_PX):
        for col in range(0, image.shape[1], BLOCK_PX):
            part = image[row : row + BLOCK_PX, col : col + BLOCK_PX]
            if annotation_mask(part, white=white) is None:
                continue
            copy = np.array(image) if copy is None else copy
            filled, _ = without_annotations(part, white=white)
            copy[row : row + BLOCK_PX, col : col + BLOCK_PX] = np.rint(filled).astype(image.dtype)
    return image if copy is None else copy
