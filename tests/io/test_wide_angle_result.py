"""Wide-angle scattering of a scan comes back from a result file as it was written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from analysis.io.results import read_result, write_result
from analysis.records import SPOT_COLUMNS, Measured, WideAngle
from tests.io.same import differences
from tests.synthetic_result import make_result

RINGS = ("saxs", "100", "110")


def wide_angle(shape: tuple[int, int], counts: type[np.unsignedinteger]) -> WideAngle:
    """Rings, spots and a correlation of random numbers."""
    rng = np.random.default_rng(1)
    spots = rng.normal(size=(*shape, 2, len(SPOT_COLUMNS))).astype(np.float32)
    spots[0, 0] = np.nan
    return WideAngle(
        q_per_nm=np.linspace(8.0, 16.0, 33),
        radial=rng.normal(size=(*shape, 33)).astype(np.float32),
        average_radial=rng.normal(size=33),
        average_radial_err=rng.random(33),
        ring_names=RINGS,
        ring_q_per_nm=np.array([0.4, 10.76, 15.22]),
        ring_half_width_per_nm=np.array([0.1, 0.6, 0.6]),
        azimuthal=rng.integers(0, 60000, (*shape, 3, 360)).astype(counts),
        ring_pixels=rng.random((3, 360)),
        ring_background=rng.random((3, 360)),
        reflections=("100", "110"),
        spot_names=("1 0 0", "-1 0 0"),
        spots=spots,
        status=rng.integers(0, 6, shape).astype(np.uint8),
        half_integer=("3/2 1/2 0",),
        quantities={"a_al": Measured(value=0.584, unit="nm", err=1e-4, n=12), "nc_size_scherrer": None},
        systematic={"a_al.distance": 0.0015},
        notes=("one",),
    )


@pytest.mark.parametrize("counts", [np.uint16, np.uint32])
def test_rings_and_spots_come_back(counts: type[np.unsignedinteger], tmp_path: Path) -> None:
    made = make_result(size=7, sem=False, afm=False)
    scan = dataclasses.replace(made.xray[0], wide_angle=wide_angle((7, 7), counts))
    meant = dataclasses.replace(made, xray=(scan,))
    write_result(tmp_path / "a.h5", meant)
    found = read_result(tmp_path / "a.h5")
    assert found.xray[0].wide_angle is not None
    assert differences(meant, found) == []


def test_a_scan_without_wide_angle_scattering_says_so(tmp_path: Path) -> None:
    made = make_result(size=7, sem=False, afm=False)
    write_result(tmp_path / "a.h5", made)
    assert read_result(tmp_path / "a.h5").xray[0].wide_angle is None
