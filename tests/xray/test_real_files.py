"""Every real file of frames and of scans: read, or refused with the reason that is true of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import InputError
from analysis.io.detector_files import read_frames
from analysis.io.sample_file import XrayBlock
from analysis.io.scan_positions import read_raster

pytestmark = pytest.mark.real

READ = {
    "xray/eiger4m_one_frame.h5": ((2167, 2070), 1, "EIGER"),
    "xray/arina/test_00_master.h5": ((192, 192), 16, "EIGER"),
    "xray/arina": ((192, 192), 16, "EIGER"),
    "xray/CeO2_Pilatus1M.tif": ((1043, 981), 1, "TIFF images"),
}
"""Frames that are there: shape, how many, layout."""

REFUSED = {
    "xray/xrc_209_master.h5": r"none of the files that hold them is there \(xrc_209_000001\.h5",
    "xray/arina/test_00.h5": r"one dataset of frames \(n, rows, cols\) of whole numbers, found none",
    "xray/CeO2_Pilatus1M.poni": "begins with b'# Nota: '",
    "scan/33id_spec.dat": "begins with b'#F sampl'",
    "scan/spec_from_spock.spc": "begins with b'",
    "scan/mys0_13_1_00190.fio": r"a \*_master\.h5, as in e4m/, found none",
}
"""Files that hold no frames, and why."""

POSITIONS_REFUSED = {
    "scan/33id_spec.dat#27": r"0\.26 pitch on the slow axis, most in row 5 \(0\.51\), .* in 5 of 11 rows",
    "scan/33id_spec.dat#29": r"0\.28 pitch on the fast axis, most in row 2 \(0\.46\), .* in 3 of 8 rows",
    "scan/33id_spec.dat": "meshes 22, 24, 25",
    "scan/spec_from_spock.spc": "no mesh in the file",
    "scan/mys0_13_1_00190.fio": "one-dimensional 'ascan br1_mono",
    "xray/eiger4m_one_frame.h5": "two translations that move, found 0",
    "xray/CeO2_Pilatus1M.poni": "with its unit",
    "xray/CeO2_Pilatus1M.tif": "binary content",
}


@pytest.mark.parametrize("name", READ)
def test_frames_are_read(real_data: Path, name: str) -> None:
    shape, count, layout = READ[name]
    series = read_frames(real_data, name)
    assert (series.shape, series.present, series.layout) == (shape, count, layout)


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_no_frames_says_why(real_data: Path, name: str) -> None:
    with pytest.raises(InputError, match=REFUSED[name]):
        read_frames(real_data, name)


@pytest.mark.parametrize("name", POSITIONS_REFUSED)
def test_what_is_no_grid_says_why(real_data: Path, name: str) -> None:
    with pytest.raises(InputError, match=POSITIONS_REFUSED[name]):
        read_raster(XrayBlock(frames="none", positions=name, step_um=(10.0, 10.0)), folder=real_data)


def test_no_real_file_is_left_out(real_data: Path) -> None:
    """Every file in both folders is named above, or is a data file of a master that is."""
    named = {name.split("#")[0] for name in (*READ, *REFUSED, *POSITIONS_REFUSED)}
    files = {
        path.relative_to(real_data).as_posix()
        for folder in ("xray", "scan")
        for path in (real_data / folder).rglob("*")
        if path.is_file()
    }
    data_files = {name for name in files if "_data_" in name}
    assert files - data_files <= named
    for name in data_files:
        assert read_frames(real_data, name).present > 0
