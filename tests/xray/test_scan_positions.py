"""Positions files: every format, units, agreement with the keys, real and hostile files, the whole recipe."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from analysis.errors import InputError
from analysis.io.sample_file import XrayBlock
from analysis.io.scan_positions import ScanRaster, raster_lines, read_raster
from analysis.pipeline.xray import reduce_xray
from analysis.pipeline.xray_check import check_xray
from analysis.pipeline.xray_scan import open_scan, xray_inputs
from tests.xray.frames import SmallScan
from tests.xray.test_scan_positions_grid import scan


def read(folder: Path, positions: str, **keys: object) -> ScanRaster:
    return read_raster(XrayBlock(frames="none.h5", positions=positions, **keys), folder=folder)


def refusal(folder: Path, positions: str, **keys: object) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, positions, **keys)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def columns(fast: np.ndarray, slow: np.ndarray) -> str:
    return "".join(f" {a!r} {b!r} 1.0\n" for a, b in zip(fast.tolist(), slow.tolist(), strict=True))


def fio(fast: np.ndarray, slow: np.ndarray, command: str = "dmesh piy -1 1 4 pix 0 1.5 3 0.1") -> str:
    return (
        f"!\n! Comments\n!\n%c\n{command}\nuser someone\n!\n%p\nlist = [1, 2, nan]\nbad = NaN\nworse = inf\n"
        " [3, 4]\n!\n%d\n Col 1 piy DOUBLE\n Col 2 pix DOUBLE\n Col 3 t DOUBLE\n"
        f"{columns(fast, slow)}! Acquisition ended\n"
    )


def spec(fast: np.ndarray, slow: np.ndarray, *, number: int = 1, header: bool = True) -> str:
    top = "#F somewhere\n#E 1\n\n" if header else ""
    spectrum = "@A 0 0 0\\\n 1 2 3\n"
    lines = "".join(spectrum + line + "\n" for line in columns(fast, slow).splitlines())
    return (
        f"{top}#S {number}  mesh  piy -1 1 4  pix 0 1.5 3  0.1\n#N 3\n#L piy  pix  time in s\n{lines}"
        "#C Scan aborted after 18 points.\n\n#S 99  ascan  piy 0 1 2  1\n#L piy  t\n0 1\n1 1\n2 1\n"
    )


@pytest.fixture
def grid() -> tuple[np.ndarray, np.ndarray]:
    """4 x 5 points in steps of 0.5 (fast), 0.5 (slow) mm, read back with noise."""
    fast, slow, _ = scan((4, 5), (0.5, 0.5), serpentine=False, noise=0.03)
    return fast, slow


def test_fio_gives_the_grid_of_its_command(tmp_path: Path, grid: tuple[np.ndarray, np.ndarray]) -> None:
    (tmp_path / "scan.fio").write_text(fio(*grid))
    found = read(tmp_path, "scan.fio", step_um=(500.0, 500.0))
    assert (found.format, found.names, found.shape, found.serpentine) == (
        "fio",
        ("piy", "pix"),
        (4, 5),
        False,
    )
    assert found.step_um == pytest.approx((500.0, 500.0), rel=0.03)
    assert found.axes == ("+x", "+y")
    np.testing.assert_array_equal(found.image_numbers(), np.arange(1, 21).reshape(4, 5))


@pytest.mark.parametrize("header", [True, False])
def test_spec_scans_are_named_and_may_be_stopped(
    tmp_path: Path, grid: tuple[np.ndarray, np.ndarray], header: bool
) -> None:
    fast, slow = grid
    text = spec(fast[:18], slow[:18], header=header)
    (tmp_path / "log.dat").write_text(text)
    found = read(tmp_path, "log.dat#1", step_um=(500.0, 500.0))
    assert found.shape == (4, 5)
    assert found.image_numbers()[3].tolist() == [16, 17, 18, -1, -1]
    assert found.in_order
    told = "\n".join(raster_lines(found))
    assert "2 of 20 cells without a frame, (row, col) (3, 3), (3, 4)" in told
    assert "aborted after 18 points" in told
    assert read(tmp_path, "log.dat", step_um=(500.0, 500.0)).shape == (4, 5)
    assert "without it" in refusal(tmp_path, "log.dat#7")
    assert "one-dimensional" in refusal(tmp_path, "log.dat#99")
    assert "number of a scan" in refusal(tmp_path, "log.dat#first")
    (tmp_path / "log.dat").write_text(text + text)
    assert "#1.1 to #1.2" in refusal(tmp_path, "log.dat#1")
    assert read(tmp_path, "log.dat#1.2", step_um=(500.0, 500.0)).shape == (4, 5)
    assert "up to 2 times" in refusal(tmp_path, "log.dat#1.3")


def test_motors_without_a_unit_need_step_um(tmp_path: Path, grid: tuple[np.ndarray, np.ndarray]) -> None:
    (tmp_path / "scan.fio").write_text(fio(*grid))
    assert "give step_um too" in refusal(tmp_path, "scan.fio")
    for step, unit_um in ((0.5, 1.0), (500.0, 1e3), (5e5, 1e6), (5e-4, 1e-3)):
        found = read(tmp_path, "scan.fio", step_um=(step, step))
        assert found.step_um == pytest.approx((0.5 * unit_um, 0.5 * unit_um), rel=0.03)
    assert "signs included" in refusal(tmp_path, "scan.fio", step_um=(400.0, 400.0))
    assert "signs included" in refusal(tmp_path, "scan.fio", step_um=(500.0, -500.0))


@pytest.mark.parametrize(
    ("header", "unit_um"),
    [("x_um,y_um", 1.0), ("x (mm);y (mm)", 1e3), ("X [nm]\tY [nm]", 1e-3), ("x_µm,y_µm", 1.0)],
)
def test_tables_say_their_unit(tmp_path: Path, header: str, unit_um: float) -> None:
    fast, slow, truth = scan((4, 5), (-0.5, 0.25), serpentine=True, noise=0.02)
    separator = next(mark for mark in ",;\t" if mark in header)
    lines = [f"{a!r}{separator}{b!r}" for a, b in zip(fast.tolist(), slow.tolist(), strict=True)]
    (tmp_path / "p.csv").write_text("# a remark\n" + "\n".join([header, *lines]), encoding="utf-8")
    found = read(tmp_path, "p.csv", serpentine=True)
    assert found.step_um == pytest.approx((-0.5 * unit_um, 0.25 * unit_um), rel=0.03)
    assert found.serpentine is True
    np.testing.assert_array_equal(found.cells, truth)
    assert "correct it" in refusal(tmp_path, "p.csv", serpentine=False)


def test_named_axes_run_along_themselves_unless_told(tmp_path: Path) -> None:
    fast, slow, _ = scan((4, 5), (0.5, 0.25), serpentine=False)
    rows = "\n".join(f"{y},{x}" for x, y in zip(slow, fast, strict=True))
    (tmp_path / "p.csv").write_text("y_um,x_um\n" + rows + "\n")
    assert read(tmp_path, "p.csv").names == ("y", "x")
    assert read(tmp_path, "p.csv").axes == ("+y", "+x")
    told = read(tmp_path, "p.csv", scan_axes=("-x", "+y"))
    assert told.axes == ("-x", "+y")
    assert not any("scan_axes" in note for note in told.notes)
    assert any("scan_axes" in note for note in read(tmp_path, "p.csv").notes)


def test_keys_must_agree(tmp_path: Path) -> None:
    fast, slow, _ = scan((4, 5), (0.5, 0.25), serpentine=False)
    rows = "\n".join(f"{x},{y}" for x, y in zip(fast, slow, strict=True))
    (tmp_path / "p.csv").write_text("x_um,y_um\n" + rows + "\n")
    assert read(tmp_path, "p.csv", shape=(4, 5), step_um=(0.5, 0.25)).shape == (4, 5)
    assert read(tmp_path, "p.csv", shape=(5, 5)).image_numbers()[4].tolist() == [-1] * 5
    assert "5 x 4" in refusal(tmp_path, "p.csv", shape=(5, 4))
    assert "step_um" in refusal(tmp_path, "p.csv", step_um=(0.25, 0.5))


def nexus(path: Path, *, unit: str = "mm", serpentine: bool = True) -> None:
    fast, slow, _ = scan((4, 5), (0.02, 0.01), serpentine=serpentine, noise=0.02)
    with h5py.File(path, "w") as file:
        data = file.create_group("entry/data")
        data.attrs["axes"] = "omega"
        for name, values, units in (("omega", np.linspace(0, 1, 20), "deg"), ("sam_x", slow, unit),
                                    ("sam_y", fast, unit), ("sam_z", np.zeros(20), unit)):  # fmt: skip
            data.create_dataset(name, data=values).attrs["units"] = units
        file["entry/sample"] = h5py.SoftLink("/entry/data")
        detector = file.create_group("entry/detector")
        detector.attrs["NX_class"] = "NXdetector"
        detector.create_dataset("x_offset", data=np.arange(20.0)).attrs["units"] = "mm"
        file["loop"] = file["entry"]


def test_nexus_takes_the_two_axes_that_move(tmp_path: Path) -> None:
    nexus(tmp_path / "a.h5")
    found = read(tmp_path, "a.h5")
    assert (found.names, found.axes, found.shape) == (("sam_y", "sam_x"), ("+y", "+x"), (4, 5))
    assert found.step_um == pytest.approx((20.0, 10.0), rel=0.03)
    assert found.serpentine is True
    named = read(tmp_path, "a.h5#/entry/data/sam_x, /entry/sample/sam_y")
    np.testing.assert_array_equal(named.cells, found.cells)
    assert read(tmp_path, "a.h5#/entry/data").shape == (4, 5)
    assert "two translations that move" in refusal(tmp_path, "a.h5#/entry/detector")
    assert "none there" in refusal(tmp_path, "a.h5#/entry/nothing")
    assert "none there" in refusal(tmp_path, "a.h5#/entry/data/sam_x,/entry/sam_y")
    assert "a position a frame" in refusal(tmp_path, "a.h5#/entry/data/sam_x,/entry/data/omega")


def test_nexus_refuses_what_leads_elsewhere_or_reads_zeros(tmp_path: Path) -> None:
    nexus(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["entry/data/more"] = 5.0 * np.arange(20)
        file["entry/data/more"].attrs["units"] = "mm"
    assert "name them in positions" in refusal(tmp_path, "a.h5")
    layout = h5py.VirtualLayout(shape=(20,), dtype="f8")
    layout[:] = h5py.VirtualSource("gone.h5", "x", shape=(20,))
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
        file["y"] = np.arange(20.0)
        file["short"] = np.arange(9.0)
    assert "plainly stored" in refusal(tmp_path, "v.h5#x,y")
    assert "as many values" in refusal(tmp_path, "v.h5#short,y")
    with h5py.File(tmp_path / "out.h5", "w") as file:
        file["x"] = h5py.ExternalLink("../elsewhere.h5", "x")
    assert "below its own folder" in refusal(tmp_path, "out.h5")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.fio", b"", "%c"),
        ("a.fio", b"%c\nmesh a 0 1 2 b 0 1\n%d\n", "intervals"),
        ("a.fio", b"%c\nmesh a 0 1 999999999 b 0 1 9 1\n", "intervals"),
        ("a.fio", b"%c\nmesh a 0 1 2 b 0 1 2 1\n%d\n1 2\n", "columns"),
        ("a.fio", b"%c\nmesh a 0 1 2 b 0 1 2 1\n%d\n Col 1 a DOUBLE\n", "points"),
        ("a.fio", b"%c\nmesh a 0 1 2 b 0 1 2 1\n%d\n Col 1 a DOUBLE\n1\n", "a column of this motor"),
        ("a.fio", b"%c\nmesh a 0 1 1 b 0 1 1 1\n%d\n Col 1 a DOUBLE\n Col 2 b DOUBLE\n1\n2 3\n", "2 columns"),
        ("a.fio", b"%c\nmesh a 0 1 1 b 0 1 1 1\n%d\n Col 1 a DOUBLE\n Col 2 b DOUBLE\n1 x\n2 3\n", "numbers"),
        ("a.fio", b"%c\ntimescan 3\n", "one-dimensional"),
        ("a.fio", b"%c\nrm -rf *\n", "mesh"),
        ("a.spc", b"#S 1 mesh a 0 1 1 b 0 1 1 1\n1 2\n", "#L"),
        ("a.spc", b"nothing\n", "no mesh"),
        ("a.csv", b"", "a header"),
        ("a.csv", b"# only\n", "a header"),
        ("a.csv", b"x,y\n1,2\n", "with its unit"),
        ("a.csv", b"x_um,x_um,y_um\n1,2,3\n", "with its unit"),
        ("a.csv", b"x_um,y_um\n1,2\n3,4\n", "four points"),
        ("a.csv", b"x_um,y_um\n1,2\nx,4\n", "numbers"),
        ("a.csv", b"x_um,y_um\n1,2\n3\n5,6\n", "2 columns"),
        ("a.csv", b"x_um,y_um\n" + b"9" * 200_000 + b",1\n", "text that is not"),
        ("a.csv", b"x_um,y_um\n\0\0\n", "binary"),
        ("a.csv", bytes(range(1, 256)) * 9, "header"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + b"\xff" * 99, "HDF5"),
    ],
)  # fmt: skip
def test_what_is_no_positions_file_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in refusal(tmp_path, name)


def test_absent_huge_and_wrongly_named_files_are_refused(tmp_path: Path) -> None:
    assert "no file there" in refusal(tmp_path, "gone.fio")
    assert "no file there" in refusal(tmp_path, "gone#\0")
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(65_000_000)
    assert "65000000 bytes" in refusal(tmp_path, "huge.csv")
    (tmp_path / "a.fio").write_text("%c\n")
    (tmp_path / "a.csv").write_text("x_um,y_um\n")
    assert "nothing after '#'" in refusal(tmp_path, "a.fio#3")
    assert "nothing after '#'" in refusal(tmp_path, "a.csv#3")


def test_files_cut_anywhere_or_with_a_byte_changed_never_break(
    tmp_path: Path, grid: tuple[np.ndarray, np.ndarray]
) -> None:
    rng = np.random.default_rng(5)
    table = "x_um,y_um\n" + "\n".join(f"{a},{b}" for a, b in zip(*grid, strict=True))
    outcomes = set()
    for name, text in (("a.fio", fio(*grid)), ("a.spc", spec(*grid)), ("a.csv", table)):
        whole = text.encode()
        for number in range(150):
            at = int(rng.integers(1, len(whole)))
            spoilt = bytearray(whole[:at] if number % 3 == 0 else whole)
            spoilt[min(at, len(spoilt) - 1)] = int(rng.integers(1, 256))
            (tmp_path / name).write_bytes(bytes(spoilt))
            try:
                outcomes.add(read(tmp_path, name, step_um=(500.0, 500.0)).shape)
            except InputError as error:
                outcomes.add("lines" if "\n" in str(error) else "sentence")
    assert {(4, 5), "sentence"} <= outcomes
    assert "lines" not in outcomes


def test_a_line_cut_short_is_told(tmp_path: Path, grid: tuple[np.ndarray, np.ndarray]) -> None:
    text = fio(*grid).split("! Acquisition")[0].rstrip()
    (tmp_path / "scan.fio").write_text(text[: text.rindex(" ") - 6])
    found = read(tmp_path, "scan.fio", step_um=(500.0, 500.0))
    assert len(found.cells) == 19
    assert any("cut short" in note for note in found.notes)


MESHES = {22: 121, 24: 121, 25: 121, 26: 121, 30: 97, 31: 121, 32: 121, 64: 121}


@pytest.mark.real
@pytest.mark.parametrize(("number", "points"), MESHES.items())
def test_real_meshes_are_placed(real_data: Path, number: int, points: int) -> None:
    found = read(real_data / "scan", f"33id_spec.dat#{number}", step_um=(10.0, 10.0))
    assert found.shape == (11, 11)
    assert found.step_um == pytest.approx((10.0, 10.0), rel=0.03)
    numbers = found.image_numbers()
    np.testing.assert_array_equal(numbers.ravel()[:points], np.arange(1, points + 1))
    assert np.all(numbers.ravel()[points:] == -1)
    assert found.residual_rms > 0.1
    assert any("over half a pitch" in note for note in found.notes) == (found.residual_max > 0.5)


@pytest.mark.real
@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ("33id_spec.dat#27", "found 0.26 pitch on the slow axis"),
        ("33id_spec.dat#29", "found 0.28 pitch on the fast axis"),
        ("33id_spec.dat#28", "one-dimensional 'ascan"),
        ("33id_spec.dat", "meshes 22, 24, 25"),
        ("33id_spec.dat#103", "one-dimensional 'hklscan"),
        ("spec_from_spock.spc", "no mesh in the file"),
        ("spec_from_spock.spc#2", "one-dimensional 'dscan th"),
        ("mys0_13_1_00190.fio", "one-dimensional 'ascan br1_mono"),
    ],
)
def test_real_scans_that_are_no_grid_are_refused(real_data: Path, positions: str, words: str) -> None:
    assert words in refusal(real_data / "scan", positions, step_um=(10.0, 10.0))


@pytest.mark.real
def test_the_real_serpentine_raster_is_found(real_data: Path) -> None:
    found = read(real_data / "xray", "xrc_209_master.h5", serpentine=True)
    assert (found.names, found.shape, found.serpentine) == (("sam_x", "sam_y"), (8, 30), True)
    assert found.step_um == pytest.approx((20.0, 20.0), rel=1e-6)
    assert found.image_numbers()[1, 0] == 60
    assert found.image_numbers()[1, 29] == 31
    assert "false" in refusal(real_data / "xray", "xrc_209_master.h5", serpentine=False)


def test_the_recipe_uses_positions_in_place_of_the_keys(tmp_path: Path) -> None:
    SmallScan().write(tmp_path)
    fast, slow, _ = scan((4, 5), (0.5, 0.25), serpentine=False, noise=0.02)
    rows = [f"{x},{y}" for x, y in zip(fast, slow, strict=True)]
    (tmp_path / "p.csv").write_text("\n".join(["x_um,y_um", *rows]) + "\n")
    keys = {"frames": "scan_master.h5", "background": "film_master.h5", "saxs_q_max_per_nm": 1.2}
    block = XrayBlock(**keys, positions="p.csv")
    plain = XrayBlock(**keys, shape=(4, 5), step_um=(0.5, 0.25))
    assert (tmp_path / "p.csv").resolve() in xray_inputs(block, folder=tmp_path)
    lines = "\n".join(check_xray(block, folder=tmp_path))
    assert "20 expected (4 x 5), 20 present, 0 missing" in lines
    assert "positions: residual" in lines
    (tmp_path / "scratch").mkdir()
    maps = [
        reduce_xray(one, index=0, folder=tmp_path, workers=1, scratch=tmp_path / "scratch" / name)
        for one, name in ((block, "a"), (plain, "b"))
    ]
    np.testing.assert_array_equal(maps[0].maps["a_sc"].values, maps[1].maps["a_sc"].values)
    assert maps[0].grid.cell_um == pytest.approx(maps[1].grid.cell_um, rel=0.03)
    assert any(note.startswith("positions:") for note in maps[0].notes)
    shutil.rmtree(tmp_path / "scratch")


def test_as_many_positions_as_frames(tmp_path: Path) -> None:
    SmallScan().write(tmp_path)
    fast, slow, _ = scan((4, 5), (0.5, 0.25), serpentine=False)
    block = XrayBlock(frames="scan_master.h5", positions="p.csv", shape=(4, 5), saxs_q_max_per_nm=1.2)

    def write(kept: np.ndarray) -> None:
        rows = [f"{x},{y}" for x, y in zip(fast[kept], slow[kept], strict=True)]
        (tmp_path / "p.csv").write_text("\n".join(["x_um,y_um", *rows]) + "\n")

    write(np.arange(17))
    assert "17 expected (4 x 5), 17 present, 0 missing, 3 extra" in check_xray(block, folder=tmp_path)[0]
    assert open_scan(block, folder=tmp_path).numbers[3].tolist() == [16, 17, -1, -1, -1]
    write(np.delete(np.arange(20), 8))
    with pytest.raises(InputError, match=r"as many positions as scan_master\.h5 has frames, 20"):
        open_scan(block, folder=tmp_path)
