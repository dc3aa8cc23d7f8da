"""The beam's centre from pairs of peaks: found from a wrong start, with an error that is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.records import BeamCenter
from analysis.xray.beam_center import beam_of_scan, chosen_frames
from analysis.xray.frame_kernels import OK, STATUS
from tests.xray.frames import Crystal, Instrument, film, peaks
from tests.xray.scan_setups import geometry_of, reduced, setup_of

TRUE = Instrument()


def crystals(number: int, seed: int, photons: float) -> np.ndarray:
    """Frames of lattices that differ, on a detector with a gap through some of the peaks."""
    rng = np.random.default_rng(seed)
    frames = np.empty((number, *TRUE.shape), np.uint32)
    for k in range(number):
        crystal = Crystal(
            a1=rng.uniform(11.5, 15.0), a2=rng.uniform(11.5, 15.0), gamma=rng.uniform(80, 100),
            psi=rng.uniform(-40, 40), photons=photons, sigma_phi=4.0,
        )  # fmt: skip
        frames[k] = rng.poisson(film(TRUE) + peaks(replace(TRUE, finer=2), crystal))
    return frames


def found_from(
    frames: np.ndarray, offset: tuple[float, float], *, usable: np.ndarray | None = None
) -> BeamCenter | None:
    """The result when frames are reduced with the beam taken ``offset`` px (columns, rows) from its place."""
    believed = replace(TRUE, beam_px=(TRUE.beam_px[0] + offset[0], TRUE.beam_px[1] + offset[1]))
    geometry = geometry_of(believed)
    setup = setup_of(believed, background=film(TRUE), usable=usable, q_max=1.3)
    rows = reduced(frames, setup).rows
    return beam_of_scan(rows, lambda point: frames[point], setup, geometry, origin=(0, 0))


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.6, -0.4), (-1.2, 0.9)])
def test_the_true_centre_is_found(offset: tuple[float, float]) -> None:
    found = found_from(crystals(16, 3, 1500.0), offset)
    assert found is not None
    assert found.column_px == pytest.approx(TRUE.beam_px[0], abs=4.5 * found.column_err_px)
    assert found.row_px == pytest.approx(TRUE.beam_px[1], abs=4.5 * found.row_err_px)
    assert found.shift_px[0] == pytest.approx(-offset[0], abs=4.5 * found.column_err_px)
    assert max(found.column_err_px, found.row_err_px) < 0.03
    assert found.frames >= 14


def test_the_error_is_the_scatter() -> None:
    """Sixteen scans of five frames: pulls in both directions scatter by one and about zero."""
    frames = crystals(80, 5, 700.0)
    pulls = []
    for k in range(16):
        found = found_from(frames[5 * k : 5 * k + 5], (0.0, 0.0))
        assert found is not None
        pulls += [
            (found.column_px - TRUE.beam_px[0]) / found.column_err_px,
            (found.row_px - TRUE.beam_px[1]) / found.row_err_px,
        ]
    assert 0.7 < np.std(pulls) < 1.35
    assert abs(np.mean(pulls)) < 0.5


def test_too_few_frames_tell_nothing() -> None:
    frames = crystals(3, 6, 1500.0)
    assert found_from(frames, (0.0, 0.0)) is None
    assert found_from(np.random.default_rng(1).poisson(film(TRUE), (6, *TRUE.shape)), (0.0, 0.0)) is None


def test_peaks_cut_by_a_mask_shift_nothing() -> None:
    """A gap through some peaks, or half of the detector gone: less is known, and that is right."""
    frames = crystals(12, 7, 2500.0)
    gap, half = np.ones(TRUE.shape, bool), np.ones(TRUE.shape, bool)
    gap[58:61] = False
    half[:, :50] = False
    whole, *cut = (found_from(frames, (0.3, 0.2), usable=usable) for usable in (None, gap, half))
    assert whole is not None
    for found in cut:
        assert found is not None
        for name, truth in zip(("column", "row"), TRUE.beam_px, strict=True):
            error = getattr(found, f"{name}_err_px")
            assert getattr(found, f"{name}_px") == pytest.approx(truth, abs=4.5 * error)
            assert error > getattr(whole, f"{name}_err_px")


def test_frames_are_chosen_evenly_among_those_with_a_lattice() -> None:
    rows = np.zeros((40, 48))
    rows[:, STATUS] = np.where(np.arange(40) % 4 == 0, OK, 1)
    assert chosen_frames(rows, 100).tolist() == list(range(0, 40, 4))
    few = chosen_frames(rows, 4)
    assert few.tolist() == [0, 12, 24, 36]
