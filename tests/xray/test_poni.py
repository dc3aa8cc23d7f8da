"""Calibrations: the same geometry as pyFAI takes from the file, and refusals in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyFAI
import pytest

from analysis.errors import InputError
from analysis.io.detector_setup import detector_geometry
from analysis.io.eiger import read_series
from analysis.io.poni import read_poni
from analysis.io.sample_file import XrayBlock
from analysis.xray.geometry import pixel_directions
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
        (NEW.replace('"orientation": 3', '"orientation": 2'), "orientation"),
        (NEW.replace("{", "["), "detector_config"),
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.poni"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_poni(path)
