"""A scan with the whole detector: simulated raw files to maps of the atomic lattice, against the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from analysis.io.results import read_result
from analysis.io.wide_angle_events import read_photons
from analysis.pipeline.sample import check_sample, reduce_sample
from analysis.records import SPOT_COLUMNS, WIDE_ANGLE_STATUS, WideAngle, XrayReduction
from analysis.simulate import sample as simulation
from analysis.simulate.presets import PRESETS
from tests.simulate.reading import frames, pixel_mask

PRESET = "cspbbr3-evaporation"
OK = WIDE_ANGLE_STATUS.index("ok")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of 6 x 6 points over the crystal, all pixels of the detector."""
    extent = replace(simulation.EXTENTS["small"], points=6, whole_detector=True, background_frames=12)
    folder = tmp_path_factory.mktemp("wide") / "sample"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(simulation.EXTENTS, "small", extent)
        simulation.simulate_sample(folder, preset=PRESET)
    return folder


@pytest.fixture(scope="module")
def scan(folder: Path) -> XrayReduction:
    outcome = reduce_sample(folder, workers=2, only=("xray",))
    return read_result(outcome.path).xray[0]


@pytest.fixture(scope="module")
def wide(scan: XrayReduction) -> WideAngle:
    assert scan.wide_angle is not None
    return scan.wide_angle


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, np.ndarray]:
    with h5py.File(folder / "truth.h5") as file:
        return {name: np.asarray(values[()], dtype=float) for name, values in file["xray"].items()}


def test_checks_say_which_reflections_lie_on_the_detector(folder: Path) -> None:
    lines = "\n".join(check_sample(folder))
    assert "the detector reaches q = 25.2 nm^-1; on it lie of 100, 110, 200: 100, 110, 200" in lines


def test_points_on_the_crystal_have_an_atomic_lattice_and_others_have_none(
    wide: WideAngle, truth: dict[str, np.ndarray]
) -> None:
    assert np.all(wide.status[truth["coverage"] > 0.5] == OK)
    assert not np.any(wide.status[truth["coverage"] < 0.001] == OK)


def test_the_lattice_constant_comes_back_with_its_errors(
    scan: XrayReduction, wide: WideAngle, truth: dict[str, np.ndarray]
) -> None:
    inside = truth["coverage"] > 0.5
    shown = scan.maps["a_al"]
    error = (shown.values - truth["a_al_nm"])[inside]
    found = wide.quantities["a_al"]
    assert found is not None
    # The Ewald sphere and the curvature of spots pull by what is stated; the statistical part stays.
    shift = wide.systematic["a_al.ewald"] + wide.systematic["a_al.curvature"]
    assert abs(np.mean(error) - shift) < 0.0004
    assert np.std(error) < 1.6 * np.median(shown.errors[inside])
    assert found.value == pytest.approx(0.584, abs=0.001)
    assert found.err is not None
    assert found.err < 0.001
    assert found.sys is not None
    assert found.sys == pytest.approx(0.584 / 398.0, rel=0.3)


def test_the_orientation_and_its_angle_to_the_superlattice_come_back(
    scan: XrayReduction, truth: dict[str, np.ndarray]
) -> None:
    inside = truth["coverage"] > 0.5
    for name, true in (
        ("atomic_orientation", truth["atomic_psi_deg"]),
        ("atomic_angle", truth["atomic_psi_deg"] - truth["psi_deg"]),
    ):
        shown = scan.maps[name]
        error = (shown.values - true)[inside]
        assert np.sqrt(np.mean(error**2)) < 0.7
        assert abs(np.mean(error)) < 0.25


def test_mosaic_and_size_come_back(scan: XrayReduction, truth: dict[str, np.ndarray]) -> None:
    inside = truth["coverage"] > 0.5
    assert np.median(scan.maps["mosaic"].values[inside]) == pytest.approx(
        PRESETS[PRESET].xray.atomic_mosaic_deg, rel=0.08
    )
    size, spread = PRESETS[PRESET].nanocrystal_size_nm
    assert np.median(scan.maps["nc_size_scherrer"].values[inside]) == pytest.approx(size + spread, abs=0.6)


def test_spots_are_fitted_singly_and_those_off_the_detector_are_not(wide: WideAngle) -> None:
    status = wide.spots[..., SPOT_COLUMNS.index("status")]
    centre = dict(zip(wide.spot_names, status[3, 3], strict=True))
    assert centre["1 0 0"] == centre["0 1 0"] == centre["1 1 0"] == OK
    assert centre["-2 0 0"] == centre["0 -1 0"] == WIDE_ANGLE_STATUS.index("masked_peak")


def test_rings_hold_the_counts_of_their_pixels(scan: XrayReduction, wide: WideAngle, folder: Path) -> None:
    """The 100 ring of one frame, summed from the raw file by hand."""
    place = wide.ring_names.index("100")
    q, half = wide.ring_q_per_nm[place], wide.ring_half_width_per_nm[place]
    row, col = np.indices((2167, 2070))
    radius = np.hypot(col - 1034.5, row - 1883.0) * 0.075
    found = 4.0 * np.pi / scan.geometry.wavelength_nm * np.sin(0.5 * np.arctan(radius / 398.0))
    near = (np.abs(found - q) < half) & (pixel_mask(folder) == 0)
    counted = frames(folder)[3 * 6 + 3][near].sum()
    assert wide.azimuthal[3, 3, place].sum() == pytest.approx(counted, rel=0.1)
    assert wide.ring_names[0] == "saxs"
    assert wide.azimuthal[3, 3, 0].sum() > 500


def test_every_photon_is_kept(wide: WideAngle, folder: Path) -> None:
    assert wide.events is not None
    pixels = read_photons(wide.events, 3, 3)
    frame = frames(folder)[3 * 6 + 3].ravel()
    number = np.bincount(pixels, minlength=frame.size)
    kept = number > 0
    np.testing.assert_array_equal(number[kept], frame[kept])
    good = (pixel_mask(folder).ravel() == 0) & (frame < 8)  # hot pixels are left out
    row, col = np.indices((2167, 2070))
    far = (np.hypot(col - 1034.5, row - 1883.0) > 200).ravel()
    missed = frame[good & far & ~kept].sum()
    assert missed < 0.01 * frame[good & far].sum()


def test_wide_angles_are_left_alone_where_the_sample_file_says_so(folder: Path, tmp_path: Path) -> None:
    text = (folder / "sample.toml").read_text(encoding="utf-8")
    for name in ("xray", "sem", "afm"):
        (tmp_path / name).symlink_to(folder / name)
    asked = text.replace("[xray]\n", "[xray]\nwaxs = false\n")
    (tmp_path / "sample.toml").write_text(asked, encoding="utf-8")
    assert any("not measured (waxs = false)" in line for line in check_sample(tmp_path))
