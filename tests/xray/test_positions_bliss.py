"""Positions and channels of ESRF scans: the title's mesh, other scans by what moves, units."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from analysis.errors import InputError
from analysis.io.monitor import read_monitor
from analysis.io.sample_file import XrayBlock
from analysis.io.scan_positions import ScanRaster, read_raster
from analysis.pipeline.xray_check import check_xray
from tests.xray.layouts import write_bliss
from tests.xray.test_scan_positions_grid import scan


def read(folder: Path, positions: str, **keys: object) -> ScanRaster:
    block = XrayBlock(frames="none.h5", positions=positions, **keys)
    return read_raster(block, folder=folder)


@pytest.fixture
def positions() -> tuple[np.ndarray, np.ndarray]:
    """4 x 5 points in steps of 0.5 mm, serpentine, read back with noise."""
    fast, slow, _ = scan((4, 5), (0.5, 0.5), serpentine=True, noise=0.03)
    return fast, slow


def test_a_mesh_is_placed_by_its_title(tmp_path: Path, positions: tuple[np.ndarray, np.ndarray]) -> None:
    path = write_bliss(tmp_path, 20, positions=positions)
    found = read(tmp_path, f"{path.name}#1.1")
    assert (found.names, found.shape, found.serpentine) == (("sampx", "sampy"), (4, 5), True)
    assert found.step_um == pytest.approx((500.0, 500.0), rel=0.03)
    assert read(tmp_path, path.name).shape == (4, 5)
    with h5py.File(path, "r+") as file:
        file["1.1/title"][()] = "amesh sampx 0 4 4 sampy 0 3 3 0.1"
    with pytest.raises(InputError, match=r"steps of 1000 \(sampx\)"):
        read(tmp_path, path.name)
    with h5py.File(path, "r+") as file:
        file["1.1/title"][()] = "amesh sampx 0 2 4 other 0 1.5 3 0.1"
    with pytest.raises(InputError, match="other: expected a positioner"):
        read(tmp_path, path.name)


def test_scans_without_a_mesh_take_what_moves_as_it_was_read_back(
    tmp_path: Path, positions: tuple[np.ndarray, np.ndarray]
) -> None:
    path = write_bliss(tmp_path, 20, positions=positions, title="kmap.dkmap sampx 0 2 5 sampy 0 2 4 0.1")
    assert read(tmp_path, path.name).names == ("sampx", "sampy")
    rest = 5.0 + 1e-4 * np.arange(20)
    with h5py.File(path, "r+") as file:
        for name, values in (("sampz", rest), ("sampx_position", positions[0] + 0.001)):
            file[f"1.1/instrument/{name}/value"] = values
            file[f"1.1/instrument/{name}/value"].attrs["units"] = "mm"
            file[f"1.1/instrument/{name}"].attrs["NX_class"] = "NXpositioner"
    found = read(tmp_path, path.name)
    assert (found.names, found.shape) == (("sampx", "sampy"), (4, 5))
    assert read(tmp_path, f"{path.name}#/1.1/instrument/sampx/value,/1.1/instrument/sampy/value").shape == (
        4,
        5,
    )
    with h5py.File(path, "r+") as file:
        file["1.1/instrument/sampz/value"][...] = np.arange(20.0)
    with pytest.raises(InputError, match="name them in positions"):
        read(tmp_path, path.name)


def test_a_scan_of_several_must_be_named(tmp_path: Path, positions: tuple[np.ndarray, np.ndarray]) -> None:
    path = write_bliss(tmp_path, 20, positions=positions)
    write_bliss(tmp_path, 5, scan="2.1")
    with pytest.raises(InputError, match=r"scans 1\.1, 2\.1"):
        read(tmp_path, path.name)
    with pytest.raises(InputError, match=r"7\.1, and scans 1\.1, 2\.1"):
        read(tmp_path, f"{path.name}#7.1")
    assert read(tmp_path, f"{path.name}#1.1").shape == (4, 5)


def test_one_file_gives_frames_positions_and_monitor(
    tmp_path: Path, positions: tuple[np.ndarray, np.ndarray]
) -> None:
    path = write_bliss(tmp_path, 20, positions=positions)
    (tmp_path / "scan0001" / "eiger_0002.h5").unlink()
    block = XrayBlock(
        frames=f"{path.name}#1.1",
        positions=f"{path.name}#1.1",
        monitor="ct34",
        energy_kev=13.0,
        distance_mm=400.0,
        beam_center_px=(20.0, 12.0),
    )
    lines = check_xray(block, folder=tmp_path)
    assert lines[0] == "frames: 20 expected (4 x 5), 15 present, 5 missing, 0 extra"
    assert lines[1] == "missing, (row, column): row 2 whole"
    assert any("ct34 of sample_dataset.h5, 20 points" in line for line in lines)
    for monitor in ("sample_dataset.h5#1.1/ct34", "sample_dataset.h5#/1.1/measurement/ct34"):
        found = read_monitor(XrayBlock(**(block.model_dump() | {"monitor": monitor})), folder=tmp_path)
        assert found is not None
        np.testing.assert_allclose(found.values, (1000.0 + np.arange(20)) / 1009.5)
    with pytest.raises(InputError, match="none there"):
        read_monitor(XrayBlock(**(block.model_dump() | {"monitor": "ct99"})), folder=tmp_path)
