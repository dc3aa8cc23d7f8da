"""Putting a pattern away: unusable pixels emptied, counts narrowed, sums kept, the largest count told."""

from __future__ import annotations

import numpy as np

from analysis.xray.pattern_kernels import put_away


def test_a_pattern_is_put_away() -> None:
    rng = np.random.default_rng(3)
    usable = rng.random((5, 7)) < 0.7
    usable[0, :2] = False, True
    total = np.full((5, 7), 2**40, np.uint64)
    expected = total.copy()
    for largest, is_summed in ((9, True), (70_000, True), (8, False)):
        counts = rng.poisson(1.0, (5, 7)).astype(np.uint32)
        counts[0, :2] = 2**32 - 1, largest
        seen = np.where(usable, counts, 0)
        kept = np.zeros((5, 7), np.uint16)
        assert put_away(counts, usable, kept, total, is_summed) == largest
        np.testing.assert_array_equal(counts, seen)
        if largest < 2**16:
            np.testing.assert_array_equal(kept, seen)
        expected += (seen * is_summed).astype(np.uint64)
        np.testing.assert_array_equal(total, expected)
