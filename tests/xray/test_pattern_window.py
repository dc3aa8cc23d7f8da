"""Maps of windows of q and phi from the patterns of a result: against masks on the patterns themselves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from analysis.errors import ResultError
from analysis.io.pattern_packing import storage
from analysis.io.pattern_rows import over_patterns
from analysis.records import PatternStack
from analysis.xray.geometry import PixelDirections
from analysis.xray.pattern_window import COARSE, MANY, ScanCells, Window, cell_plan, scan_cells, window_counts

SHAPE, FRAME = (3, 4), (41, 37)
Q_MAX = 2.0


def directions() -> PixelDirections:
    """Pixels of 0.1 nm^-1 about a beam that lies off their centres."""
    row, col = np.indices(FRAME) - np.array([19.3, 18.6])[:, None, None]
    q, phi = 0.1 * np.hypot(row, col), np.arctan2(-row, col)
    return PixelDirections(q_per_nm=q, phi_rad=phi, efficiency=np.ones(FRAME), step_per_nm=0.1)


@pytest.fixture(scope="module")
def valid() -> np.ndarray:
    inside = directions().q_per_nm > 0.2
    inside[:, 20:22] = False
    return inside


@pytest.fixture(scope="module")
def patterns() -> np.ndarray:
    return np.random.default_rng(7).poisson(0.4, (*SHAPE, *FRAME)).astype(np.uint32)


@pytest.fixture(params=["packed", "plain"])
def stack(request: pytest.FixtureRequest, patterns: np.ndarray, tmp_path: Path) -> PatternStack:
    """The patterns in a file, one of them missing, packed as results are or otherwise."""
    plain = {"dtype": "<u4", "compression": "gzip"}
    packing = storage(FRAME, 2) if request.param == "packed" else plain
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        made = file.create_dataset("scan/frames", (*SHAPE, *FRAME), chunks=(1, 1, *FRAME), **packing)
        for row, col in np.ndindex(SHAPE):
            if (row, col) != (1, 2):
                made[row, col] = patterns[row, col]
    return PatternStack(path=str(tmp_path / "stack.h5"), dataset="scan/frames", shape=(*SHAPE, *FRAME))


def cells_of(stack: PatternStack, valid: np.ndarray, *, counts: float = 1e4) -> ScanCells:
    plan = cell_plan(directions(), valid, q_max_per_nm=Q_MAX, points=12, counts=counts)
    rows = over_patterns(stack, plan.gather, workers=2)
    return scan_cells(plan, [one for row in rows for one in row], SHAPE)


def masked(patterns: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Counts in a mask, the missing frame empty."""
    total = patterns[..., chosen].sum(axis=-1).astype(float)
    total[1, 2] = 0.0
    return total


@pytest.mark.parametrize("window", [(0.5, 0.9), (0.2, 2.0), (1.37, 1.38)])
def test_a_range_of_q_is_the_sum_of_its_pixels(
    stack: PatternStack, patterns: np.ndarray, valid: np.ndarray, window: tuple[float, float]
) -> None:
    found, pixels = window_counts(cells_of(stack, valid), Window(q_per_nm=window))
    # 0.01 nm^-1 is the extent of a cell, of which these ranges are whole numbers.
    q = np.floor(directions().q_per_nm / 0.01) * 0.01 + 0.005
    chosen = valid & (q > window[0]) & (q < window[1])
    assert pixels == chosen.sum()
    np.testing.assert_array_equal(found, masked(patterns, chosen))


@pytest.mark.parametrize(
    ("low", "high", "opposite"),
    [(10.0, 50.0, False), (170.0, 200.0, False), (-30.0, 20.0, True), (-180.0, 180.0, False)],
)
def test_a_range_of_phi_may_cross_half_a_turn_and_take_its_opposite(
    stack: PatternStack, patterns: np.ndarray, valid: np.ndarray, low: float, high: float, opposite: bool
) -> None:
    window = Window(q_per_nm=(0.5, 1.5), phi_deg=(low, high), opposite=opposite)
    found, pixels = window_counts(cells_of(stack, valid), window)
    q, phi = directions().q_per_nm, np.degrees(directions().phi_rad)
    turns = (-360.0, 0.0, 360.0, *((-180.0, 180.0) if opposite else ()))
    chosen = valid & (q >= 0.5) & (q < 1.5)
    chosen &= np.any([(phi + turn >= low) & (phi + turn < high) for turn in turns], axis=0)
    assert pixels == chosen.sum()
    np.testing.assert_array_equal(found, masked(patterns, chosen))


def test_windows_that_share_nothing_add_up(stack: PatternStack, valid: np.ndarray) -> None:
    cells = cells_of(stack, valid)
    whole, pixels = window_counts(cells, Window(q_per_nm=(0.0, Q_MAX)))
    parts = [
        window_counts(cells, Window(q_per_nm=ring, phi_deg=turn))
        for ring in ((0.0, 0.7), (0.7, Q_MAX))
        for turn in ((-180.0, -40.0), (-40.0, 180.0))
    ]
    assert sum(number for _, number in parts) == pixels
    np.testing.assert_array_equal(sum(found for found, _ in parts), whole)


def test_bright_scans_take_coarse_cells(valid: np.ndarray) -> None:
    fine = cell_plan(directions(), valid, q_max_per_nm=Q_MAX, points=12, counts=1e4).cells
    coarse = cell_plan(directions(), valid, q_max_per_nm=Q_MAX, points=10_000, counts=2.0 * MANY).cells
    assert coarse.q_step_per_nm == pytest.approx(Q_MAX / COARSE[0])
    assert coarse.pixels.sum() == fine.pixels.sum()
    assert coarse.pixels.size < fine.pixels.size


@pytest.mark.parametrize(
    "window", [((0.5, 0.5), (0.0, 1.0)), ((0.5, 0.6), (1.0, 0.0)), ((np.nan, 1.0), (0.0, 1.0))]
)
def test_a_window_without_an_extent_is_refused(
    stack: PatternStack, valid: np.ndarray, window: tuple[tuple[float, float], tuple[float, float]]
) -> None:
    with pytest.raises(ValueError, match="extent"):
        window_counts(cells_of(stack, valid), Window(q_per_nm=window[0], phi_deg=window[1]))


def test_a_damaged_pattern_is_refused(patterns: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "stack.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("d", data=patterns, chunks=(1, 1, *FRAME), **hdf5plugin.Bitshuffle())
        packed = made.id.read_direct_chunk((1, 1, 0, 0))[1]
    stack = PatternStack(path=str(path), dataset="d", shape=(*SHAPE, *FRAME))
    assert len(list(over_patterns(stack, np.sum))) == 3
    for lie in (packed[:-5], packed[:12] + b"\x7f\xff\xff\xff" + packed[16:], packed[:6]):
        with h5py.File(path, "r+") as file:
            file["d"].id.write_direct_chunk((1, 1, 0, 0), lie)
        with pytest.raises(ResultError, match="packed frame"):
            list(over_patterns(stack, np.sum))
    with pytest.raises(ResultError):
        list(over_patterns(dataclasses.replace(stack, dataset="other"), np.sum))
