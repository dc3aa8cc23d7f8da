"""The setup that tests of fits share: the small instrument with its film known, or unknown."""

from __future__ import annotations

import numpy as np

from analysis.records import DetectorGeometry
from analysis.xray.geometry import pixel_directions
from analysis.xray.reduction import Batch, Plan, reduce_batch
from analysis.xray.setup import ScanSetup, scan_setup
from tests.xray.frames import Instrument, film


def geometry_of(instrument: Instrument) -> DetectorGeometry:
    return DetectorGeometry(
        wavelength_nm=instrument.wavelength_nm,
        distance_mm=instrument.distance_mm,
        pixel_size_um=(instrument.pixel_um, instrument.pixel_um),
        beam_center_px=instrument.beam_px,
        shape=instrument.shape,
    )


def setup_of(
    instrument: Instrument,
    *,
    background: np.ndarray | None = None,
    share: float = 0.0,
    usable: np.ndarray | None = None,
    limit: int = 2**32 - 1,
    q_max: float = 1.9,
) -> ScanSetup:
    """A setup with the film as background unless another is given."""
    return scan_setup(
        pixel_directions(geometry_of(instrument)),
        usable=np.ones(instrument.shape, bool) if usable is None else usable,
        background=film(instrument) if background is None else background,
        background_share=share,
        beam_px=instrument.beam_px,
        limit=limit,
        q_min_per_nm=6.0 * instrument.q_per_px,
        q_max_per_nm=q_max,
        first_order_q_per_nm=None,
    )


class Frames:
    """A source of frames held in memory; image numbers are indices."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames = frames

    def read(self, number: int, out: np.ndarray) -> bool:
        out[...] = self.frames[number]
        return True


def reduced(frames: np.ndarray, setup: ScanSetup) -> Batch:
    plan = Plan(
        source=Frames(frames.astype(np.uint32)), setup=setup, pack=lambda patterns: [b""] * len(patterns)
    )
    return reduce_batch(plan, range(len(frames)))
