"""A small scan from files to maps: truth, order of points, faults, resuming; workers change nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest

from analysis.errors import InputError, NotServedError, TriptychError
from analysis.io.sample_file import XrayBlock
from analysis.pipeline.xray import reduce_xray
from analysis.pipeline.xray_check import check_xray
from analysis.pipeline.xray_scan import xray_inputs
from analysis.records import PIXEL_VERDICTS, XRAY_STATUS, XrayReduction
from tests.xray.frames import MASKED, SmallScan, film, peaks, write_series

SCAN = SmallScan()
BLOCK = {
    "frames": "scan_master.h5",
    "background": "film_master.h5",
    "shape": (4, 5),
    "step_um": (0.5, 0.25),
    "saxs_q_max_per_nm": 1.2,
}
OK = XRAY_STATUS.index("ok")


def block(**changes: object) -> XrayBlock:
    return XrayBlock(**(BLOCK | changes))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scan")
    SCAN.write(folder)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    for path in written.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def reduce(folder: Path, scratch: Path, *, workers: int = 1, **changes: object) -> XrayReduction:
    return reduce_xray(
        block(**changes), index=0, folder=folder, workers=workers, scratch=scratch,
        nanocrystal_size_nm=(7.45, 0.89), progress=lambda _done, _total: None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def reduction(written: Path, tmp_path_factory: pytest.TempPathFactory) -> XrayReduction:
    return reduce(written, tmp_path_factory.mktemp("scratch"), distance_err_mm=2.0, pixel_size_err_pct=0.3)


def arrays(value: object, name: str = "") -> dict[str, np.ndarray]:
    """Every array that hangs on a record, by its path."""
    if isinstance(value, np.ndarray):
        return {name: value}
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        found: dict[str, np.ndarray] = {}
        for key, part in value.items():
            found |= arrays(part, f"{name}/{key}")
        return found
    return {}


def assert_same_bits(one: XrayReduction, other: XrayReduction) -> None:
    first, second = arrays(one), arrays(other)
    assert first.keys() == second.keys()
    assert len(first) > 20
    for name, values in first.items():
        assert values.tobytes() == second[name].tobytes(), name
    with h5py.File(one.patterns.path) as left, h5py.File(other.patterns.path) as right:
        np.testing.assert_array_equal(left[one.patterns.dataset][()], right[other.patterns.dataset][()])


def test_points_on_the_crystal_have_its_lattice_and_others_none(reduction: XrayReduction) -> None:
    assert (reduction.status[:, 1:4] == OK).all()
    assert not np.isin(reduction.status[:, (0, 4)], OK).any()
    for row in range(4):
        truth = SCAN.lattice(row)
        for name, value in (
            ("a1", truth.a1),
            ("a2", truth.a2),
            ("a_sc", truth.a_sc),
            ("gamma", truth.gamma),
            ("psi", truth.psi),
        ):
            found = reduction.maps[name]
            pull = (found.values[row, 1:4] - value) / found.errors[row, 1:4]
            assert np.abs(pull).max() < 4.5, name
    assert np.isnan(reduction.maps["a_sc"].values[:, (0, 4)]).all()
    assert np.isnan(reduction.maps["a_al"].values).all()


def test_maps_say_what_they_are(reduction: XrayReduction) -> None:
    units = {
        "intensity": "counts", "a1": "nm", "a2": "nm", "gamma": "deg", "psi": "deg", "a_sc": "nm",
        "a_sc_shift": "nm", "q1": "nm^-1", "q2": "nm^-1", "sigma_q": "nm^-1", "photons": "counts",
        "goodness": "", "a_al": "nm",
    }  # fmt: skip
    assert {name: each.unit for name, each in reduction.maps.items()} == units
    q1, a1 = reduction.maps["q1"].values, reduction.maps["a1"].values
    sine = np.sin(np.radians(reduction.maps["gamma"].values))
    np.testing.assert_allclose((a1 * q1 * sine)[:, 1:4], 2 * np.pi, rtol=1e-9)
    assert (reduction.maps["a_sc_shift"].values[:, 1:4] > 0).all()
    relative = np.hypot(2.0 / 400.0, 0.003)
    expected = relative * np.nanmedian(reduction.maps["a_sc"].values)
    assert reduction.systematic["a_sc"] == pytest.approx(expected)


def test_the_background_is_scaled_by_exposure(
    written: Path, reduction: XrayReduction, tmp_path: Path
) -> None:
    """The film was exposed twice as long: off the crystal nothing is left, in sum and ring by ring."""
    empty = reduction.maps["intensity"]
    assert np.abs(empty.values[:, (0, 4)] / empty.errors[:, (0, 4)]).max() < 4.0
    off = reduction.radial[:, (0, 4)].reshape(-1, reduction.q_per_nm.size)
    error = reduction.radial_err[:, (0, 4)].reshape(off.shape)
    pull = (off / error)[:, np.isfinite(off).all(axis=0)]
    assert abs(pull.mean()) < 0.3
    assert 0.8 < pull.std() < 1.2
    wrong = reduce(written, tmp_path, background_exposure_s=1.0)
    assert (np.abs(wrong.maps["intensity"].values[:, 0]) > 20 * wrong.maps["intensity"].errors[:, 0]).all()


def test_pixels_that_do_not_count(reduction: XrayReduction) -> None:
    row0, col0 = reduction.region
    hot = SCAN.hot[0] - row0, SCAN.hot[1] - col0
    assert not reduction.valid[hot]
    assert not reduction.valid[:, 70 - col0 : 72 - col0].any()
    assert reduction.valid[30 - row0, 30 - col0]  # bit 31: virtual, usable
    beam = round(SCAN.instrument.beam_px[1]) - row0, round(SCAN.instrument.beam_px[0]) - col0
    assert not reduction.valid[beam[0] - 3 : beam[0] + 4, beam[1] - 3 : beam[1] + 4].any()
    assert reduction.valid.mean() > 0.6
    name = np.array(PIXEL_VERDICTS)[reduction.pixel_verdict]
    np.testing.assert_array_equal(name == "counted", reduction.valid)
    assert (name[hot], name[beam], name[0, 70 - col0]) == ("hot", "beamstop", "file_mask")


def test_patterns_hold_the_counts(reduction: XrayReduction) -> None:
    row0, col0 = reduction.region
    height, width = reduction.valid.shape
    frames = SCAN.frames().reshape(4, 5, *SCAN.instrument.shape)
    expected = frames[:, :, row0 : row0 + height, col0 : col0 + width] * reduction.valid
    with h5py.File(reduction.patterns.path) as file:
        stack = file[reduction.patterns.dataset]
        assert stack.chunks == (1, 1, height, width)
        np.testing.assert_array_equal(stack[()], expected)
    assert np.isfinite(reduction.average_pattern[reduction.valid]).all()
    inside = expected[:, 1:4].mean(axis=(0, 1))[reduction.valid]
    got = reduction.average_pattern[reduction.valid]
    assert np.corrcoef(inside, got)[0, 1] > 0.99


def test_profiles_peak_where_the_lattice_says(reduction: XrayReduction) -> None:
    for row in range(4):
        profile = reduction.radial[row, 2]
        top = reduction.q_per_nm[np.nanargmax(np.where(reduction.q_per_nm > 0.35, profile, np.nan))]
        q = (reduction.maps["q1"].values[row, 2], reduction.maps["q2"].values[row, 2])
        assert min(q) - 0.05 < top < max(q) + 0.05
    polar = reduction.polar
    at = np.unravel_index(
        np.nanargmax(polar.intensity * (polar.q_per_nm[:, None] > 0.35)), polar.intensity.shape
    )
    angle = polar.phi_deg[at[1]] % 90.0
    assert min(abs(angle - 11.0), abs(angle - 5.0), abs(angle - 95.0)) < 8.0


def test_the_fit_can_be_drawn_on_the_pattern(reduction: XrayReduction) -> None:
    values = dict(zip(reduction.fit_names, reduction.fit_parameters[1, 2], strict=True))
    assert values["q1_per_nm"] == pytest.approx(reduction.maps["q1"].values[1, 2], rel=1e-5)
    gamma, psi = (float(reduction.maps[name].values[1, 2]) for name in ("gamma", "psi"))
    assert (values["phi1_deg"] - (psi + gamma - 90.0) + 90.0) % 180.0 - 90.0 == pytest.approx(0.0, abs=1e-3)
    assert (values["phi2_deg"] - (psi + 90.0) + 90.0) % 180.0 - 90.0 == pytest.approx(0.0, abs=1e-3)
    assert 4.0 < values["sigma_phi1_deg"] < 8.0
    assert values["sigma_q1_per_nm"] > 0.02
    assert values["amplitude1"] > 5.0


@pytest.mark.parametrize("workers", [2, 4])
def test_the_number_of_workers_changes_no_bit(
    written: Path, reduction: XrayReduction, tmp_path: Path, workers: int
) -> None:
    again = reduce(written, tmp_path, workers=workers, distance_err_mm=2.0, pixel_size_err_pct=0.3)
    assert_same_bits(reduction, again)


def test_an_interrupted_run_is_taken_up_to_the_same_bits(
    written: Path, reduction: XrayReduction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis.pipeline import xray_stream as recipe

    monkeypatch.setattr(recipe, "BATCH_POINTS", 5)
    whole = reduce(written, tmp_path / "whole", distance_err_mm=2.0, pixel_size_err_pct=0.3)
    assert_same_bits(reduction, whole)
    steps: list[int] = []

    def interrupted(done: int, _total: int) -> None:
        steps.append(done)
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reduce_xray(
            block(), index=0, folder=written, workers=1, scratch=tmp_path / "cut",
            nanocrystal_size_nm=None, progress=interrupted,
        )  # fmt: skip
    kept = sorted((tmp_path / "cut").glob("batch_*.h5"))
    assert len(kept) == 2
    kept[1].write_bytes(kept[1].read_bytes()[:900])  # a damaged checkpoint is made anew
    before = kept[0].stat().st_mtime_ns
    again = reduce(written, tmp_path / "cut", distance_err_mm=2.0, pixel_size_err_pct=0.3)
    assert kept[0].stat().st_mtime_ns == before
    assert_same_bits(reduction, again)


def test_a_missing_file_leaves_its_points_empty(
    folder: Path, tmp_path: Path, reduction: XrayReduction
) -> None:
    (folder / "scan_data_000002.h5").unlink()
    report = "\n".join(check_xray(block(), folder=folder))
    assert "20 expected" in report
    assert "13 present, 7 missing, 0 extra" in report
    assert "scan_data_000002.h5" in report
    cut = reduce(folder, tmp_path / "scratch")
    lost = cut.status == XRAY_STATUS.index("frame_missing")
    assert np.flatnonzero(lost.ravel()).tolist() == list(range(7, 14))
    assert (cut.frame_numbers[lost] == -1).all()
    for name in ("intensity", "a_sc"):
        assert np.isnan(cut.maps[name].values[lost]).all()
        kept, whole = cut.maps[name].values[~lost], reduction.maps[name].values[~lost]
        np.testing.assert_array_equal(kept, whole)
    assert np.isnan(cut.radial[lost]).all()
    assert any("7 of 20 frames" in note for note in cut.notes)


def test_serpentine_rows_run_back(folder: Path, tmp_path: Path, reduction: XrayReduction) -> None:

    frames = SCAN.frames().reshape(4, 5, *SCAN.instrument.shape)
    frames[1::2] = frames[1::2, ::-1]
    write_series(
        folder, "scan", frames.reshape(20, *SCAN.instrument.shape), instrument=SCAN.instrument, per_file=7
    )
    back = reduce(folder, tmp_path / "scratch", serpentine=True, scan_axes=("-y", "+x"))
    np.testing.assert_array_equal(back.status, reduction.status)
    np.testing.assert_allclose(back.maps["a1"].values, reduction.maps["a1"].values)
    assert back.frame_numbers[1].tolist() == [10, 9, 8, 7, 6]
    x, y = back.grid.positions_um()
    assert (x[2, 3], y[2, 3]) == pytest.approx((1.0, -0.75))


@pytest.mark.parametrize("flip", ["horizontal", "vertical"])
def test_a_mirrored_detector_gives_the_mirrored_lattice(
    written: Path, tmp_path: Path, reduction: XrayReduction, flip: str
) -> None:
    turned = reduce(written, tmp_path, detector_flip=flip)
    gamma, psi = (reduction.maps[name].values[:, 2] for name in ("gamma", "psi"))
    # A mirror sends every axis to its negative (mod 180) and swaps no length.
    a1 = turned.maps["a1"].values[:, 2]
    np.testing.assert_allclose(a1, reduction.maps["a1"].values[:, 2], rtol=1e-6)
    found = turned.maps["psi"].values[:, 2] + 0.5 * (turned.maps["gamma"].values[:, 2] - 90.0)
    expected = -(psi + 0.5 * (gamma - 90.0))
    np.testing.assert_allclose((found - expected + 45.0) % 90.0 - 45.0, 0.0, atol=1e-6)


def test_a_user_mask_takes_pixels_out(written: Path, tmp_path: Path) -> None:
    mask = np.zeros(SCAN.instrument.shape, bool)
    mask[:, :40] = True
    np.save(written / "mask.npy", mask)
    cut = reduce(written, tmp_path, mask="mask.npy")
    assert not cut.valid[:, : 40 - cut.region[1]].any()
    assert (cut.status[:, 1:4] == OK).all()  # the mates on the other side are left
    assert written / "mask.npy" in xray_inputs(block(mask="mask.npy"), folder=written)


def test_saturated_peaks_are_told(folder: Path, tmp_path: Path) -> None:
    with h5py.File(folder / "scan_master.h5", "r+") as file:
        file["entry/instrument/detector/saturation_value"] = 20
    cut = reduce(folder, tmp_path / "scratch")
    assert (cut.status[:, 1:4] == XRAY_STATUS.index("saturated")).all()


def test_without_a_background_the_offset_is_fitted(written: Path, tmp_path: Path) -> None:
    plain = reduce(written, tmp_path, background=None)
    assert (plain.status[:, 1:4] == OK).all()
    for row in range(4):
        values, errors = plain.maps["a_sc"].values[row, 1:4], plain.maps["a_sc"].errors[row, 1:4]
        assert np.abs((values - SCAN.lattice(row).a_sc) / errors).max() < 5.0


def test_inputs_are_every_file_that_is_read(written: Path) -> None:
    names = {path.name for path in xray_inputs(block(), folder=written)}
    assert names == {
        "scan_master.h5", "scan_data_000001.h5", "scan_data_000002.h5", "scan_data_000003.h5",
        "film_master.h5", "film_data_000001.h5", "film_data_000002.h5",
    }  # fmt: skip


def test_the_report_says_where_each_value_came_from(written: Path) -> None:
    report = "\n".join(check_xray(block(distance_mm=401.0), folder=written))
    assert "distance 401 mm, from sample.toml" in report
    assert "wavelength 0.1 nm, from scan_master.h5" in report
    assert "0 missing" in report


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": (4, 6)}, ("shape", "24", "20")),
        ({"frames": "absent.h5"}, ("absent.h5",)),
        ({"background": "absent.h5"}, ("absent.h5",)),
        ({"mask": "absent.npy"}, ("absent.npy",)),
        ({"poni": "absent.poni"}, ("absent.poni",)),
        ({"positions": "scan.fio"}, ("positions",)),
        ({"beam_center_px": (9000.0, 9000.0)}, ("beam",)),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    written: Path, tmp_path: Path, changes: dict[str, object], words: tuple[str, ...]
) -> None:
    with pytest.raises(TriptychError) as caught:
        reduce(written, tmp_path / "scratch", **changes)
    assert isinstance(caught.value, InputError | NotServedError)
    for word in words:
        assert word in str(caught.value)


def test_geometry_that_nobody_gives_is_asked_for(folder: Path) -> None:
    with h5py.File(folder / "scan_master.h5", "r+") as file:
        file["entry/instrument/detector/beam_center_x"][()] = 0.0
    with pytest.raises(InputError, match=r"set xray\.beam_center_px"):
        check_xray(block(), folder=folder)


def test_a_mask_that_is_none_is_refused(folder: Path) -> None:
    np.save(folder / "mask.npy", np.zeros((3, 3), bool))
    with pytest.raises(InputError, match=r"mask\.npy"):
        check_xray(block(mask="mask.npy"), folder=folder)
    np.save(folder / "mask.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(InputError, match=r"mask\.npy"):
        check_xray(block(mask="mask.npy"), folder=folder)


def test_masked_pixels_of_the_frames_count_even_without_a_mask(folder: Path, tmp_path: Path) -> None:
    for name in ("scan", "film"):
        with h5py.File(folder / f"{name}_master.h5", "r+") as file:
            del file["entry/instrument/detector/detectorSpecific/pixel_mask"]
    cut = reduce(folder, tmp_path / "scratch")
    assert not cut.valid[:, 70 - cut.region[1] : 72 - cut.region[1]].any()
    assert (cut.status[:, 1:4] == OK).all()
    assert MASKED == 2**32 - 1


def test_a_wrong_beam_centre_is_told_and_refined_if_asked(written: Path, tmp_path: Path) -> None:
    col, row = SCAN.instrument.beam_px
    wrong = {"beam_center_px": (col + 0.8, row - 0.5)}
    told = reduce(written, tmp_path / "told", **wrong)
    assert told.geometry.beam_center_px == wrong["beam_center_px"]
    assert told.beam_center is not None
    assert not told.beam_center.applied
    assert told.beam_center.shift_px == pytest.approx((-0.8, 0.5), abs=0.1)
    assert any("refine_beam_center" in note for note in told.notes)
    for flip in ("none", "vertical"):
        refined = reduce(written, tmp_path / flip, **wrong, refine_beam_center=True, detector_flip=flip)
        beam = refined.beam_center
        assert beam is not None
        assert beam.applied
        expected = (col, row) if flip == "none" else (col, SCAN.instrument.shape[0] - 1 - row)
        assert refined.geometry.beam_center_px == pytest.approx(expected, abs=0.08)
        assert max(map(abs, beam.shift_px)) < 3 * max(beam.column_err_px, beam.row_err_px)
        assert "refined" in refined.geometry.sources["beam_center_px"]
        assert not any("refine_beam_center" in note for note in refined.notes)
        assert any(f"column {col:.0f}" in note or f"column {col:.1f}" in note for note in refined.notes)
        truth = SCAN.lattice(1)
        a_sc = refined.maps["a_sc"]
        assert np.abs((a_sc.values[1, 1:4] - truth.a_sc) / a_sc.errors[1, 1:4]).max() < 4.5


def test_a_monitor_multiplies_the_model(tmp_path: Path, reduction: XrayReduction) -> None:
    """Frames at 0.5 to 2 times the median intensity: maps are as they were, where without it they are not."""
    folder = tmp_path / "monitored"
    relative = np.resize([0.5, 1.0, 2.0, 1.0, 0.7], 20)
    empty = film(SCAN.instrument)
    bright = [empty + peaks(SCAN.instrument, SCAN.lattice(row)) for row in range(4)]
    expected = np.array([bright[k // 5] if k % 5 in (1, 2, 3) else empty for k in range(20)])
    rng = np.random.default_rng(12)
    frames = rng.poisson(relative[:, None, None] * expected).astype(np.uint32)
    SCAN.write(folder)
    write_series(folder, "scan", SCAN.finished(frames, rng), instrument=SCAN.instrument, per_file=7)
    np.savetxt(folder / "monitor.csv", 1e6 * relative, header="current", comments="")
    told = reduce(folder, tmp_path / "told", monitor="monitor.csv")
    blind = reduce(folder, tmp_path / "blind")
    assert any("monitor" in note for note in told.notes)
    off = told.maps["intensity"]
    assert np.abs(off.values[:, (0, 4)] / off.errors[:, (0, 4)]).max() < 4.0
    assert np.abs(blind.maps["intensity"].values[:, 0] / blind.maps["intensity"].errors[:, 0]).min() > 10.0
    photons = told.maps["photons"].values[:, 1:4]
    assert photons.mean() == pytest.approx(reduction.maps["photons"].values[:, 1:4].mean(), rel=0.03)
    assert np.ptp(photons.mean(axis=0)) < 0.1 * photons.mean()
    for row in range(4):
        a_sc = told.maps["a_sc"]
        pull = (a_sc.values[row, 1:4] - SCAN.lattice(row).a_sc) / a_sc.errors[row, 1:4]
        assert np.abs(pull).max() < 4.5
    level = np.nanmean(told.average_pattern) / np.nanmean(reduction.average_pattern)
    assert level == pytest.approx(1.0, abs=0.05)
