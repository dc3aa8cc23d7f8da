"""The beam's centre of a scan from its pairs of peaks: told always, applied before the reduction if asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.io.frames import FrameReader
from analysis.io.pattern_packing import packed, unpacked
from analysis.pipeline.xray_scan import Scan
from analysis.pipeline.xray_setup import region_of, region_origin, setup_of
from analysis.pipeline.xray_stream import Streamed
from analysis.records import BeamCenter, DetectorGeometry
from analysis.xray.beam_center import NearPeaks, beam_from_pairs, beam_of_scan, chosen_frames, near_peaks_of
from analysis.xray.geometry import flipped
from analysis.xray.reduction import Plan, reduce_batch
from analysis.xray.setup import ScanSetup

SAMPLED_FRAMES, AT_ONCE = 160, 16
PASSES = 2
"""The first finds the place; the second the remainder, from fits that a wrong one no longer smears."""

WORTH_PX, WORTH_SIGMA = 0.05, 3.0
"""A shift is worth a word of advice where it is larger than both."""


def with_refined_center(scan: Scan, *, folder: Path) -> Scan:
    """The scan with the beam where the pairs of peaks of some of its frames put it, if they do."""
    if not scan.block.refine_beam_center:
        return scan
    for _ in range(PASSES):
        beam = _beam_of_sample(scan, folder=folder)
        if beam is None:
            break
        geometry = scan.geometry
        col, row = _as_in_file(beam.shift_px, scan.block.detector_flip)
        source = str(geometry.sources.get("beam_center_px", "?")).removesuffix(REFINED)
        geometry = replace(
            geometry,
            beam_center_px=(geometry.beam_center_px[0] + col, geometry.beam_center_px[1] + row),
            sources={**geometry.sources, "beam_center_px": source + REFINED},
        )
        scan = replace(scan, geometry=geometry)
    return scan


REFINED = ", refined from pairs of peaks"


def is_refined(geometry: DetectorGeometry) -> bool:
    """Whether the beam's centre was moved by :func:`with_refined_center`."""
    return REFINED in geometry.sources.get("beam_center_px", "")


def checked_beam(
    streamed: Streamed, setup: ScanSetup, geometry: DetectorGeometry, origin: tuple[int, int]
) -> BeamCenter | None:
    """The beam's place from the scan as it was reduced."""
    numbers = np.concatenate([np.asarray(batch, dtype=np.int64) for batch in streamed.batches])
    return beam_of_scan(
        streamed.rows,
        streamed.pattern,
        setup,
        geometry,
        origin=origin,
        exposures=setup.exposures_of(numbers),
        applied=is_refined(geometry),
    )


def _as_in_file(shift_px: tuple[float, float], flip: str) -> tuple[float, float]:
    """A shift on the mirrored detector as one on the frames in their file."""
    col, row = shift_px
    return -col if flip == "horizontal" else col, -row if flip == "vertical" else row


def _beam_of_sample(scan: Scan, *, folder: Path) -> BeamCenter | None:
    """The beam's place from frames evenly over the scan, reduced with the geometry as it is."""
    region = region_of(scan)
    origin = region_origin(region, scan.series.shape)
    geometry = flipped(scan.geometry, scan.block.detector_flip)
    pairs: list[NearPeaks] = []
    with FrameReader(scan.series, region) as reader:
        setup = setup_of(scan, reader, region, geometry, origin, folder).setup
        plan = Plan(source=reader, setup=setup, pack=packed)
        there = np.intersect1d(reader.numbers(), scan.numbers)
        some = there[np.unique(np.linspace(0, there.size - 1, SAMPLED_FRAMES).astype(np.int64))]
        for first in range(0, some.size, AT_ONCE):
            numbers = some[first : first + AT_ONCE]
            batch = reduce_batch(plan, [int(number) for number in numbers])
            chosen = chosen_frames(batch.rows)
            patterns = [unpacked(batch.patterns[k], batch.item_bytes[k], shape=region.shape) for k in chosen]
            exposures = setup.exposures_of(numbers[chosen])
            pairs += near_peaks_of(batch.rows[chosen], patterns, setup, exposures)
    return beam_from_pairs(pairs, setup, geometry, origin=origin)


def center_note(beam: BeamCenter | None, geometry: DetectorGeometry, flip: str) -> str:
    """What the pairs of peaks say of the beam's centre, in pixels of the frames in their file."""
    if beam is None:
        return "beam centre: too few pairs of peaks to check it"
    d_col, d_row = _as_in_file(beam.shift_px, flip)
    col, row = flipped(geometry, flip).beam_center_px
    text = (
        f"beam centre from the pairs of peaks of {beam.frames} frames: column {col + d_col:.3f} ± "
        f"{beam.column_err_px:.3f}, row {row + d_row:.3f} ± {beam.row_err_px:.3f}, "
        f"({d_col:+.3f}, {d_row:+.3f}) px from the one that is used"
    )
    if beam.applied:
        return f"{text}, which was refined in that way"
    errors = (beam.column_err_px, beam.row_err_px)
    worth = any(
        abs(shift) > max(WORTH_PX, WORTH_SIGMA * error)
        for shift, error in zip(beam.shift_px, errors, strict=True)
    )
    return f"{text}; refine_beam_center = true applies it" if worth else text
