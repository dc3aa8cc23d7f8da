"""Why a pixel of the small-angle region is left out: one verdict for each, the first reason that holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.records import PIXEL_VERDICTS, Bytes
from analysis.xray.geometry import PixelDirections
from analysis.xray.pixel_quality import always_high, flickering, hot_pixels
from analysis.xray.shadow import arm_shadow, beamstop_q_per_nm, relative_to_ring, soft_edges

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]

COUNTED, FILE, USER, NEVER, HOT, FLICKERING, STOP, ARM, EDGE, OUTSIDE = range(len(PIXEL_VERDICTS))
UNFIT = (FILE, USER, NEVER, HOT, FLICKERING, ARM, EDGE)
"""Verdicts of pixels that tell nothing of the background either."""

LEAST_Q_PX = 4.0


@dataclass(frozen=True, kw_only=True)
class PixelVerdicts:
    """``verdict`` (h, w) indexes PIXEL_VERDICTS; nothing nearer to the beam than ``q_min_per_nm`` counts."""

    verdict: Bytes
    q_min_per_nm: float
    notes: tuple[str, ...]


def judge_pixels(
    *,
    file_mask: Mask,
    user_mask: Mask,
    sample: Counts,
    filled: int,
    background: Array | None,
    background_frames: int,
    directions: PixelDirections,
    beam_px: tuple[float, float],
    q_range_per_nm: tuple[float | None, float],
) -> PixelVerdicts:
    """Judge every pixel from the masks, a sample of frames (n, h, w) and the sum of the background's (h, w).

    ``filled`` is the count that stands for a masked pixel. Without a background the darkest frames of the
    sample stand for it. ``q_range_per_nm`` is (q_min or None, q_max); ``beam_px`` (column, row).
    """
    verdict = np.zeros(file_mask.shape, dtype=np.uint8)
    verdict[np.all(sample >= filled, axis=0)] = NEVER
    if background is not None:
        verdict[background >= background_frames * filled] = NEVER
    verdict[user_mask] = USER
    verdict[file_mask] = FILE
    seen = np.where(sample >= filled, 0, sample)
    usable = verdict == COUNTED
    hot = always_high(seen, usable)
    if background is not None:
        hot |= hot_pixels(background, usable)
    verdict[hot & usable] = HOT
    usable &= ~hot
    verdict[flickering(seen, usable)] = FLICKERING
    usable = verdict == COUNTED
    total = _darkest(seen, usable) if background is None else background
    stop = beamstop_q_per_nm(total, usable, directions)
    relative = relative_to_ring(total, usable & (directions.q_per_nm >= stop), directions)
    shadow, arms = arm_shadow(relative, usable, directions, beam_px=beam_px, stop_q_per_nm=stop)
    usable &= ~shadow
    edges = soft_edges(total, usable, file_mask, relative)
    verdict[edges & usable] = EDGE
    verdict[shadow & np.isin(verdict, (COUNTED, EDGE))] = ARM
    q_min, q_max = q_range_per_nm
    least = max(stop, LEAST_Q_PX * directions.step_per_nm) if q_min is None else q_min
    near = np.isin(verdict, (COUNTED, ARM, EDGE)) & (directions.q_per_nm < least)
    verdict[near] = np.where(directions.q_per_nm[near] < stop, STOP, OUTSIDE)
    verdict[(verdict == COUNTED) & (directions.q_per_nm >= q_max)] = OUTSIDE
    return PixelVerdicts(
        verdict=verdict, q_min_per_nm=least, notes=tuple(_notes(verdict, arms=arms, q_min_per_nm=least))
    )


def _notes(verdict: Bytes, *, arms: int, q_min_per_nm: float) -> list[str]:
    number = np.bincount(verdict.ravel(), minlength=len(PIXEL_VERDICTS))
    lines = [
        f"{number[HOT]} hot and {number[FLICKERING]} flickering pixels of {verdict.size} are left out",
        f"nothing nearer to the beam than q = {q_min_per_nm:.4g} nm^-1 is used",
    ]
    if arms:
        lines.append(f"the beamstop's holder shades {number[ARM]} pixels, which are left out")
    if number[EDGE]:
        lines.append(f"{number[EDGE]} pixels beside gaps count otherwise than those around and are left out")
    return lines


def _darkest(sample: Counts, usable: Mask) -> Array:
    """Sum (h, w) of the quarter of the sampled frames with the fewest counts: those without a crystal."""
    order = np.argsort(np.where(usable, sample, 0).sum(axis=(1, 2)), kind="stable")
    return np.asarray(sample[order[: max(1, sample.shape[0] // 4)]].sum(axis=0), dtype=np.float64)
