"""Calibrations: the same geometry as pyFAI takes from the file, and refusals in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyFAI
import pytest

from analysis.errors import InputError
from analysis.io.detector_setup import detector_geometry
from analysis.io.eiger import read_series
from analysis.io.poni import read_poni, write_poni
from analysis.io.sample_file import XrayBlock
from analysis.records import DetectorGeometry
from analysis.xray.geometry import flipped, pixel_directions
from tests.xray.frames import Instrument, write_series

NEW = """# Nota: C-Order, 1 refers to the Y axis, 2 to the X axis
poni_version: 2.1
Detector: Detector
Detector_config: {"pixel1": 0.000075, "pixel2": 0.00015, "max_shape": [12, 80], "orientation": 3}
Distance: 0.41
Poni1: 0.0004
Poni2: 0.0061
Rot1: 0.011
Rot2: -0.02
Rot3: 0.3
Wavelength: 9.54e-11
"""


def directions(path: Path, instrument: Instrument, folder: Path):
    series = read_series(
        write_series(folder, "scan", np.zeros((1, *instrument.shape), np.uint32), instrument=instrument)
    )
    block = XrayBlock(frames="scan_master.h5", poni=str(path), shape=(1, 1), step_um=(1.0, 1.0))
    return pixel_directions(detector_geometry(block, series, folder=folder))


def test_pyfai_reads_the_same_geometry(tmp_path: Path) -> None:
    path = tmp_path / "new.poni"
    path.write_text(NEW, encoding="utf-8")
    found = read_poni(path)
    assert found.pixel_size_um == pytest.approx((150.0, 75.0))
    assert found.beam_center_px((150.0, 75.0)) == pytest.approx((0.0061 / 150e-6 - 0.5, 0.0004 / 75e-6 - 0.5))
    ours = directions(path, Instrument(shape=(12, 80)), tmp_path)
    reference = pyFAI.load(str(path))
    np.testing.assert_allclose(ours.q_per_nm, reference.center_array((12, 80), unit="q_nm^-1"), rtol=1e-9)


@pytest.mark.real
def test_the_real_calibration_is_pyfais(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "xray" / "CeO2_Pilatus1M.poni"
    instrument = Instrument(shape=(50, 60))
    ours = directions(path, instrument, tmp_path)
    reference = pyFAI.load(str(path))
    np.testing.assert_allclose(ours.q_per_nm, reference.center_array((50, 60), unit="q_nm^-1"), rtol=1e-9)


def test_a_named_detector_has_its_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "x.poni"
    path.write_text("Detector: Eiger4M\nDistance: 0.4\nPoni1: 0\nPoni2: 0\n", encoding="utf-8")
    assert read_poni(path).pixel_size_um == pytest.approx((75.0, 75.0))
    path.write_text("Detector: Unheard\nDistance: 0.4\nPoni1: 0\nPoni2: 0\n", encoding="utf-8")
    assert read_poni(path).pixel_size_um is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Distance: 0.4\n", "poni1"),
        ("Distance: far\nPoni1: 0\nPoni2: 0\n", "distance"),
        ("Distance: nan\nPoni1: 0\nPoni2: 0\n", "distance"),
        ("Distance: -1\nPoni1: 0\nPoni2: 0\n", "distance"),
        (NEW.replace('"orientation": 3', '"orientation": 5'), "orientation"),
        (NEW + "Parallax: True\n", "parallax"),
        (NEW + "SplineFile: some.spline\n", "splinefile"),
        (NEW.replace("{", "["), "detector_config"),
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.poni"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_poni(path)


@pytest.mark.parametrize("mirrored", [None, "horizontal", "vertical"])
@pytest.mark.parametrize("rotations", [(0.0, 0.0, 0.0), (0.11, -0.2, 0.3), (-0.02, 0.4, -2.5)])
def test_pyfai_reads_back_what_is_written(
    tmp_path: Path, mirrored: str | None, rotations: tuple[float, float, float]
) -> None:
    """The same q and phi at every pixel of the frames as they are in their file."""
    geometry = DetectorGeometry(
        wavelength_nm=0.0954,
        distance_mm=398.123456789,
        pixel_size_um=(75.0, 172.0),
        beam_center_px=(31.4159, -7.25),
        shape=(40, 56),
        rotations_rad=rotations,
    )
    used = geometry if mirrored is None else flipped(geometry, mirrored)
    write_poni(tmp_path / "out.poni", used)
    reference = pyFAI.load(str(tmp_path / "out.poni"))
    view = {None: np.s_[:], "horizontal": np.s_[:, ::-1], "vertical": np.s_[::-1]}[mirrored]
    ours = pixel_directions(used)
    q = reference.center_array(geometry.shape, unit="q_nm^-1")
    np.testing.assert_allclose(ours.q_per_nm[view], q, rtol=1e-9)
    chi = reference.center_array(geometry.shape, unit="chi_rad")
    np.testing.assert_allclose(np.angle(np.exp(1j * (ours.phi_rad[view] + chi))), 0.0, atol=1e-9)
    solid = reference.solidAngleArray(geometry.shape) * reference.polarization(geometry.shape, factor=0.98)
    np.testing.assert_allclose(ours.efficiency[view], solid, rtol=1e-6)
    # and this program reads it back as the frames' own geometry
    found = read_poni(tmp_path / "out.poni")
    assert found.shape == geometry.shape
    assert found.mirrors == (() if mirrored is None else (mirrored,))
    assert found.rotations_rad == used.rotations_rad
    assert found.beam_center_px((75.0, 172.0)) == pytest.approx(used.beam_center_px, abs=1e-9)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_each_orientation_of_a_detector_is_pyfais(tmp_path: Path, orientation: int) -> None:
    """q is the same at every pixel; phi is as displayed, and so is mirrored as the orientation mirrors."""
    path = tmp_path / "turned.poni"
    path.write_text(NEW.replace('"orientation": 3', f'"orientation": {orientation}'), encoding="utf-8")
    ours = directions(path, Instrument(shape=(12, 80)), tmp_path)
    reference = pyFAI.load(str(path))
    np.testing.assert_allclose(ours.q_per_nm, reference.center_array((12, 80), unit="q_nm^-1"), rtol=1e-9)
    chi = reference.center_array((12, 80), unit="chi_rad")
    expected = {1: np.pi - chi, 2: chi, 3: -chi, 4: np.pi + chi}[orientation]
    np.testing.assert_allclose(np.angle(np.exp(1j * (ours.phi_rad - expected))), 0.0, atol=1e-9)


def test_a_mirrored_scan_has_the_phi_of_its_calibration(tmp_path: Path) -> None:
    """With the flip that the orientation names, phi is pyFAI's: the mirror of the frames undoes its own."""
    path = tmp_path / "turned.poni"
    path.write_text(NEW.replace('"orientation": 3', '"orientation": 4'), encoding="utf-8")
    instrument = Instrument(shape=(12, 80))
    series = read_series(
        write_series(tmp_path, "scan", np.zeros((1, 12, 80), np.uint32), instrument=instrument)
    )
    block = XrayBlock(frames="scan_master.h5", poni=str(path), shape=(1, 1), step_um=(1.0, 1.0))
    geometry = detector_geometry(block, series, folder=tmp_path)
    assert geometry.mirrored is None
    used = flipped(geometry, "horizontal")
    chi = pyFAI.load(str(path)).center_array((12, 80), unit="chi_rad")
    turn = pixel_directions(used).phi_rad[:, ::-1] + chi
    np.testing.assert_allclose(np.angle(np.exp(1j * turn)), 0.0, atol=1e-9)
    moved = block.model_copy(update={"beam_center_px": (3.0, 4.0)})
    assert detector_geometry(moved, series, folder=tmp_path).beam_center_px == (3.0, 4.0)


def test_the_calibration_of_another_detector_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.poni"
    path.write_text(NEW, encoding="utf-8")
    with pytest.raises(InputError, match="12 x 81"):
        directions(path, Instrument(shape=(12, 81)), tmp_path)
