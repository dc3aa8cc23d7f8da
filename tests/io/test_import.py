"""``triptych import``: files are told by their content, and the sample file that is written can be used."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

from analysis.io.sample_file import read_sample
from app.cli import main
from tests.bad_input.tiny_sample import write_gwy
from tests.xray.frames import Instrument, write_series
from tests.xray.layouts import SHAPE, numbered, write_bliss, write_lambda
from tests.xray.test_image_files import images, write_cbf
from tests.xray.test_scan_positions_grid import scan


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def imported(*paths: Path, to: Path) -> str:
    told = run("import", *paths, "--to", to)
    assert told.exit_code == 0, told.output
    return told.output


def filled(folder: Path, **lines: str) -> None:
    """Take the comment sign from keys that were left open, with the values given."""
    path = folder / "sample.toml"
    text = path.read_text(encoding="utf-8")
    for key, value in lines.items():
        start = text.index(f"# {key} = ")
        stop = text.index("\n", start)
        text = text[:start] + f"{key} = {value}" + text[stop:]
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder of raw files: scan, background, calibration, mask, picture, force map and what is no use."""
    raw = tmp_path / "w" / "crystal-7"
    instrument = Instrument(shape=SHAPE)
    write_series(raw / "xray", "scan", numbered(20), instrument=instrument, per_file=8)
    write_series(raw / "xray", "kapton", numbered(3), instrument=instrument)
    fast, slow, _ = scan((4, 5), (0.5, 0.25), serpentine=False)
    rows = "\n".join(f"{x},{y}" for x, y in zip(fast, slow, strict=True))
    (raw / "places.csv").write_text("x_um,y_um\n" + rows + "\n")
    np.save(raw / "dead.npy", np.zeros(SHAPE, bool))
    (raw / "c.poni").write_text("PixelSize1: 75e-6\nPixelSize2: 75e-6\nDistance: 0.4\nPoni1: 0\nPoni2: 0\n")
    tifffile.imwrite(raw / "picture.tif", np.zeros((64, 64), np.uint8), metadata=None)
    write_gwy(raw / "map.gwy")
    (raw / "notes.txt").write_text("measured in the rain")
    return raw


def test_a_folder_becomes_a_sample_that_can_be_checked(workspace: Path) -> None:
    told = imported(workspace, to=workspace)
    for words in (
        "scan_master.h5: EIGER: 20 frames of 24 x 40",
        "kapton_master.h5: EIGER: 3 frames of 24 x 40, a background by its name",
        "places.csv: CSV: 20 positions of x and y",
        "c.poni: pyFAI calibration: 400 mm",
        "dead.npy: mask of 24 x 40",
        "picture.tif: SEM image: 64 x 64 px, pixel size not in the file",
        "map.gwy: AFM file: 2 channels (Height, DMT Modulus)",
        "fill in sem.pixel_size_nm",
    ):
        assert words in told
    assert "_data_" not in told
    assert "notes.txt" not in told
    sample = read_sample(workspace / "sample.toml")
    assert sample.title == "crystal-7"
    block = sample.xray[0]
    assert (block.frames, block.background) == ("xray/scan_master.h5", "xray/kapton_master.h5")
    assert (block.positions, block.poni, block.mask) == ("places.csv", "c.poni", "dead.npy")
    assert (sample.sem[0].image, sample.afm[0].file) == ("picture.tif", "map.gwy")
    assert run("check", workspace).exit_code == 1
    filled(workspace, pixel_size_nm="1.2")
    check = run("check", workspace)
    assert check.exit_code == 0, check.output
    assert "20 expected (4 x 5), 20 present" in check.output


def test_what_files_do_not_say_is_left_to_be_filled_in(workspace: Path, tmp_path: Path) -> None:
    target = tmp_path / "w" / "other"
    told = imported(workspace / "xray" / "scan_master.h5", to=target)
    assert "fill in xray.shape, xray.step_um" in told
    refused = run("check", target)
    assert refused.exit_code == 1
    assert "shape and step_um, or positions" in refused.output
    filled(target, shape="[4, 5]", step_um="[0.5, 0.25]")
    assert run("check", target).exit_code == 0
    assert read_sample(target / "sample.toml").xray[0].frames == str(workspace / "xray" / "scan_master.h5")


def test_nothing_is_written_over_or_from_nothing(workspace: Path, tmp_path: Path) -> None:
    imported(workspace, to=workspace)
    before = (workspace / "sample.toml").read_bytes()
    for paths, to, words in (
        ([workspace], workspace, "expected no sample file yet"),
        ([workspace], tmp_path / "bad id", "letters, digits"),
        ([workspace / "gone"], tmp_path / "new", "nothing there"),
        ([workspace / "notes.txt"], tmp_path / "new", "no file of a known kind"),
        ([workspace / "places.csv"], tmp_path / "new", "detector frames, SEM images or AFM files"),
    ):
        told = run("import", *paths, "--to", to)
        assert told.exit_code == 1
        assert words in told.output
        assert "Traceback" not in told.output
    assert (workspace / "sample.toml").read_bytes() == before
    assert not (tmp_path / "new").exists()
    assert run("import", workspace).exit_code == 2


def test_folders_of_other_detectors_are_one_scan_each(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for folder in ("cbf", "lambda"):
        (raw / folder).mkdir(parents=True)
    for number, frame in enumerate(images(6)):
        write_cbf(raw / "cbf" / f"s_{number:05d}.cbf", frame)
    for module in (1, 2):
        write_lambda(raw / "lambda" / f"l_m{module:02d}.nxs", numbered(4), at=(0, 24 * (module - 1)))
    folder = raw / "wafer_00012"
    write_series(folder / "e4m", "wafer_00012", numbered(6), instrument=Instrument(shape=SHAPE))
    (folder / "wafer_00012.fio").write_text(
        "%c\nmesh piy 0 1 2 pix 0 1 1 0.5\n%p\n%d\n Col 1 piy DOUBLE\n Col 2 pix DOUBLE\n"
        + "".join(f" {0.5 * (n % 3)} {n // 3}\n" for n in range(6))
    )
    told = imported(raw, to=tmp_path / "sample")
    assert "cbf: CBF images: 6 frames of 60 x 80" in told
    assert "l_m01.nxs: Lambda: 4 frames of 48 x 40" in told
    assert "l_m02.nxs" not in told
    assert "wafer_00012: EIGER: 6 frames of 24 x 40" in told
    text = (tmp_path / "sample" / "sample.toml").read_text(encoding="utf-8")
    assert text.count("[[xray]]") == 3
    assert f'positions = "{folder}/wafer_00012.fio"' in text
    assert text.count("positions = ") == 1
    assert "the positions have no unit" in text


def test_scans_of_an_esrf_file_are_told_apart(tmp_path: Path) -> None:
    fast, slow, _ = scan((4, 5), (0.5, 0.5), serpentine=True)
    path = write_bliss(tmp_path, 20, positions=(fast, slow))
    write_bliss(tmp_path, 6, scan="2.1")
    told = imported(path, to=tmp_path / "sample")
    assert "sample_dataset.h5#1.1: ESRF scan 1.1, eiger: 20 frames" in told
    text = (tmp_path / "sample" / "sample.toml").read_text(encoding="utf-8")
    assert text.count(f'frames = "{path}#') == 2
    assert text.count(f'positions = "{path}#1.1"') == 1
    for key in ("energy_kev", "distance_mm", "beam_center_px"):
        assert text.count(f"# {key} = ") == 2


def test_names_and_metadata_put_no_line_into_the_file(tmp_path: Path) -> None:
    name = 'a"b\\c\n[[afm]]\x7f é.h5'
    with h5py.File(tmp_path / name, "w") as file:
        file["x\n[evil]\n"] = numbered(3)
    told = imported(tmp_path / name, to=tmp_path / "sample")
    assert len(told.splitlines()) == 3
    filled(tmp_path / "sample", shape="[1, 3]", step_um="[1.0, 1.0]")
    sample = read_sample(tmp_path / "sample" / "sample.toml")
    assert sample.xray[0].frames == str(tmp_path / name)
    assert not sample.afm


def test_damaged_files_are_told_and_left_out(workspace: Path) -> None:
    for path in (workspace / "xray").glob("scan_data_*.h5"):
        path.unlink()
    gwy = workspace / "map.gwy"
    gwy.write_bytes(gwy.read_bytes()[:900])
    shutil.copy(workspace / "notes.txt", workspace / "broken.h5")
    told = imported(workspace, to=workspace)
    for words in (
        "scan_master.h5: not used: expected detector frames",
        "map.gwy: not used",
        "broken.h5: not used",
    ):
        assert words in told
    sample = read_sample(workspace / "sample.toml")
    assert not sample.afm
    assert [block.frames for block in sample.xray] == ["xray/kapton_master.h5"]


@pytest.mark.real
def test_real_files_are_recognised(real_data: Path, tmp_path: Path) -> None:
    told = imported(real_data, to=tmp_path / "real")
    for words in (
        "pfqnm_8_channels.gwy: AFM file: 8 channels",
        "bad_24_bytes.gwy: not used",
        "33id_spec.dat#22: SPEC: 121 positions of eta and chi, in units that the file does not say",
        "mys0_13_1_00190.fio: not used: expected a mesh over two motors, found the one-dimensional",
        "spec_from_spock.spc: a SPEC file without a mesh",
        "zeiss_ultra55_512.tif: SEM image: 512 x 384 px, 11.65",
        "CeO2_Pilatus1M.tif: TIFF images: 1 frames of 1043 x 981",
        "CeO2_Pilatus1M.poni: pyFAI calibration: 208.651 mm",
        "eiger4m_one_frame.h5: EIGER: 1 frames of 2167 x 2070",
        "test_00_master.h5: EIGER: 16 frames of 192 x 192",
        "xrc_209_master.h5: not used: expected detector frames, found none of the files",
    ):
        assert words in told
