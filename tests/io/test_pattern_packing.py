"""Patterns come back to the count; packed they stay close to what Poisson counts hold."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.stats import entropy, poisson

from analysis.io.pattern_packing import packed, storage, unpacked
from analysis.io.pattern_store import PatternStore
from analysis.xray.reduction import Batch

RNG = np.random.default_rng(20)


def batch_of(patterns: np.ndarray, item_bytes: tuple[int, ...]) -> Batch:
    n = len(patterns)
    chunks = [
        packed(pattern[None].astype(f"<u{width}"))[0]
        for pattern, width in zip(patterns, item_bytes, strict=True)
    ]
    return Batch(
        rows=np.zeros((n, 3)),
        rings=np.zeros((n, 2)),
        patterns=tuple(chunks),
        item_bytes=item_bytes,
        total=np.zeros(patterns.shape[1:], np.uint64),
        summed=0,
    )


@pytest.mark.parametrize("item_bytes", [2, 4])
@pytest.mark.parametrize("shape", [(1, 5), (13, 21), (600, 700)])
def test_packing_loses_nothing(shape: tuple[int, int], item_bytes: int) -> None:
    patterns = RNG.poisson(0.7, (3, *shape)).astype(f"<u{item_bytes}")
    patterns[1, 0, :3] = (0, 1, np.iinfo(patterns.dtype).max)[: shape[1]]
    patterns[2] = 0
    for pattern, chunk in zip(patterns, packed(patterns), strict=True):
        np.testing.assert_array_equal(unpacked(chunk, item_bytes, shape=shape), pattern)


def test_a_scan_of_half_a_count_a_pixel_takes_under_60_mb() -> None:
    """The region of a 4M detector at 398 mm: 323 x 322 pixels, 82,000 of them within 2 nm^-1, counts that
    fall with q as scattering does; what such counts hold (their entropy) is 44 MB."""
    row, col = np.indices((323, 322))
    q = np.hypot(row - 161, col - 161) / 80.75
    mean = np.where(q < 2.0, 0.03 + np.exp(-q / 0.35), 0.0)
    mean *= 0.5 / mean[q < 2.0].mean()
    chunks = packed(RNG.poisson(mean, (4, 323, 322)).astype(np.uint16))
    bytes_a_pattern = np.mean([len(chunk) for chunk in chunks])
    assert bytes_a_pattern * 3721 < 60e6
    share = poisson.pmf(np.arange(60)[:, None], mean[mean > 0][::100])
    bits = 100.0 * entropy(share, base=2.0).sum()
    assert 1.0 < 8 * bytes_a_pattern / bits < 1.3


def test_one_wide_pattern_widens_the_stack(tmp_path: Path) -> None:
    patterns = RNG.poisson(2.0, (6, 11, 9)).astype(np.uint32)
    patterns[4, 3, 3] = 70_000
    store = PatternStore(tmp_path, (2, 3, 11, 9))
    store.keep(0, batch_of(patterns[:3], (2, 2, 2)))
    store.keep(1, batch_of(patterns[3:], (2, 4, 2)))
    for point in range(6):
        np.testing.assert_array_equal(store.pattern(*divmod(point, 3)), patterns[point])
    stack = store.assemble(2)
    with h5py.File(stack.path) as file:
        assert file[stack.dataset].dtype == np.uint32
        assert file[stack.dataset].chunks == (1, 1, 11, 9)
        np.testing.assert_array_equal(file[stack.dataset][()], patterns.reshape(2, 3, 11, 9))


def test_narrow_patterns_stay_narrow(tmp_path: Path) -> None:
    patterns = RNG.poisson(2.0, (6, 11, 9)).astype(np.uint32)
    store = PatternStore(tmp_path, (2, 3, 11, 9))
    store.keep(0, batch_of(patterns, (2,) * 6))
    stack = store.assemble(1)
    with h5py.File(stack.path) as file:
        assert file[stack.dataset].dtype == np.uint16
        np.testing.assert_array_equal(file[stack.dataset][()], patterns.reshape(2, 3, 11, 9))


def test_what_is_packed_is_what_the_filter_itself_reads(tmp_path: Path) -> None:
    pattern = RNG.poisson(1.0, (40, 30)).astype(np.uint16)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        made = file.create_dataset("x", shape=(1, 40, 30), chunks=(1, 40, 30), **storage((40, 30), 2))
        made.id.write_direct_chunk((0, 0, 0), packed(pattern[None])[0])
    with h5py.File(tmp_path / "x.h5") as file:
        assert list(file["x"]._filters) == ["32008"]
        np.testing.assert_array_equal(file["x"][0], pattern)
