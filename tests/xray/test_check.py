"""The completeness report: frames cell by cell, the order of rows, residuals as text and as a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from analysis.errors import InputError
from analysis.io.sample_file import XrayBlock
from analysis.pipeline.xray_check import check_xray
from analysis.pipeline.xray_scan import open_scan
from app.cli import main
from tests.xray.frames import Instrument, write_series
from tests.xray.test_scan_positions_grid import scan

SHAPE = (8, 10)
DETECTOR = Instrument(shape=(24, 30), beam_px=(12.3, 11.8))
KEYS = {"frames": "scan_master.h5", "step_um": (0.5, 0.25), "saxs_q_max_per_nm": 0.5}


def frames(*, serpentine: bool = False, seed: int = 1) -> np.ndarray:
    """Frames in scan order whose brightness shows a crystal on the left side of the scan."""
    rng = np.random.default_rng(seed)
    bright = np.ones(SHAPE)
    bright[1:7, 0:4] = 40.0
    bright[2:6, 2:7] = 40.0
    if serpentine:
        bright[1::2] = bright[1::2, ::-1]
    return rng.poisson(bright.reshape(-1, 1, 1), (80, *DETECTOR.shape)).astype(np.uint32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_series(tmp_path, "scan", frames(), instrument=DETECTOR, per_file=10)
    return tmp_path


def report(folder: Path, **keys: object) -> list[str]:
    return check_xray(XrayBlock(**({"shape": SHAPE} | KEYS | keys)), folder=folder)


def line(lines: list[str], start: str) -> str:
    return next((text for text in lines if text.startswith(start)), "")


def test_missing_frames_are_named_by_their_cells(folder: Path) -> None:
    assert line(report(folder), "frames:").endswith("80 present, 0 missing, 0 extra")
    (folder / "scan_data_000003.h5").unlink()
    with h5py.File(folder / "scan_data_000006.h5", "r+") as file:
        stack = file["entry/data/data"]
        kept = stack[:7]
        del file["entry/data/data"]
        file["entry/data/data"] = kept
        file["entry/data/data"].attrs["image_nr_low"] = 51
        file["entry/data/data"].attrs["image_nr_high"] = 57
    lines = report(folder)
    assert lines[0] == "frames: 80 expected (8 x 10), 67 present, 13 missing, 0 extra"
    assert line(lines, "missing") == "missing, (row, column): row 2 whole, (5, 7-9)"
    assert "scan_data_000003.h5" in line(lines, "files that are not there")
    back = report(folder, serpentine=True)
    assert line(back, "missing") == "missing, (row, column): row 2 whole, (5, 0-2)"


def test_frames_beyond_the_grid_are_extra(folder: Path) -> None:
    fast, slow, _ = scan(SHAPE, (0.5, 0.25), serpentine=False)
    rows = [f"{x},{y}" for x, y in zip(fast[:74], slow[:74], strict=True)]
    (folder / "p.csv").write_text("\n".join(["x_um,y_um", *rows]) + "\n")
    lines = report(folder, positions="p.csv")
    assert lines[0] == "frames: 74 expected (8 x 10), 74 present, 0 missing, 6 extra"
    assert line(lines, "extra") == "extra: image numbers 75-80 belong to no cell"


@pytest.mark.parametrize("really", [False, True])
@pytest.mark.parametrize("said", [False, True])
def test_the_order_of_rows_is_confirmed_or_contradicted(tmp_path: Path, really: bool, said: bool) -> None:
    write_series(tmp_path, "scan", frames(serpentine=really), instrument=DETECTOR)
    told = line(report(tmp_path, serpentine=said), "row order")
    assert f"serpentine = {str(said).lower()} is" in told
    if really == said:
        assert "confirmed by the frames" in told
    else:
        assert "contradicted by the frames" in told
        assert told.endswith(f"set serpentine = {str(really).lower()}")


def test_positions_of_another_order_than_the_frames_are_told(folder: Path) -> None:
    fast, slow, _ = scan(SHAPE, (0.5, 0.25), serpentine=True)
    rows = [f"{x},{y}" for x, y in zip(fast, slow, strict=True)]
    (folder / "p.csv").write_text("\n".join(["x_um,y_um", *rows]) + "\n")
    told = line(report(folder, positions="p.csv"), "row order")
    assert "serpentine = true, from p.csv, is contradicted by the frames" in told


def test_frames_stored_alike_tell_nothing(tmp_path: Path) -> None:
    write_series(tmp_path, "scan", np.zeros((80, 24, 30), np.uint32), instrument=DETECTOR)
    assert "neither confirmed nor contradicted" in line(report(tmp_path), "row order")


def test_residuals_are_drawn_as_text_and_as_a_picture(folder: Path) -> None:
    fast, slow, _ = scan(SHAPE, (0.5, 0.25), serpentine=False, noise=0.03)
    fast[30:40] += 0.05  # a fifth of a pitch off, in row 3 alone
    rows = [f"{x},{y}" for x, y in zip(fast, slow, strict=True)]
    (folder / "p<&.csv").write_text("\n".join(["x_um,y_um", *rows]) + "\n")
    keys = "\n".join(['frames = "scan_master.h5"', 'positions = "p<&.csv"', "saxs_q_max_per_nm = 0.5"])
    (folder / "sample.toml").write_text(f'format = 1\ntitle = "t"\n[xray]\n{keys}\n', encoding="utf-8")
    picture = folder / "residuals.svg"
    told = CliRunner().invoke(main, ["check", str(folder), "--plot", str(picture)])
    assert told.exit_code == 0, told.output
    assert told.output.isascii()
    bars = {text.split("[")[0].strip(): text for text in told.output.splitlines() if "] 0." in text}
    assert len(bars) == 8
    lengths = {name: text.split("[")[1].split("]")[0].count("#") for name, text in bars.items()}
    assert max(lengths, key=lambda name: lengths[name]) == "positions: row 3 x"
    tree = ET.parse(picture)
    text = "".join(tree.getroot().itertext())
    assert "p<&.csv: residual" in text
    dots = [each.get("d") for each in tree.iter("{http://www.w3.org/2000/svg}path")]
    assert max(path.count("M") for path in dots if path) == 80
    no_place = CliRunner().invoke(main, ["check", str(folder), "--plot", str(folder / "no" / "a.svg")])
    assert no_place.exit_code == 1
    assert "can be written" in no_place.output


# --- monitor ----------------------------------------------------------------------------------------------


def opened(folder: Path, **keys: object):
    return open_scan(XrayBlock(**({"shape": SHAPE} | KEYS | keys)), folder=folder)


def write_fio(path: Path, current: np.ndarray) -> None:
    fast, slow, _ = scan(SHAPE, (0.5, 0.25), serpentine=False)
    rows = "\n".join(f" {a} {b} {c}" for a, b, c in zip(fast, slow, current, strict=True))
    columns = "\n".join(f" Col {n} {name} DOUBLE" for n, name in enumerate(("pix", "piy", "ipetra"), start=1))
    # steps of 0.25 fast, 0.5 slow
    path.write_text(f"%c\nmesh pix 0 2.25 9 piy 0 3.5 7 0.1\n%p\n%d\n{columns}\n{rows}\n")


def test_a_monitor_is_a_channel_of_the_scan_or_a_file(folder: Path) -> None:
    current = 100.0 + np.arange(80.0) % 7
    relative = current / np.median(current)
    write_fio(folder / "scan.fio", current)
    np.savetxt(folder / "one.csv", current, header="current", comments="")
    (folder / "two.csv").write_text("t,current\n" + "\n".join(f"{n},{v}" for n, v in enumerate(current)))
    with h5py.File(folder / "m.h5", "w") as file:
        file["scan/ic1"] = current
    for keys in (
        {"monitor": "ipetra", "positions": "scan.fio"},
        {"monitor": "scan.fio#ipetra"},
        {"monitor": "one.csv"},
        {"monitor": "two.csv#current"},
        {"monitor": "m.h5#/scan/ic1"},
    ):
        found = opened(folder, **keys)
        assert found.monitor is not None
        np.testing.assert_allclose(found.monitor, relative)
    assert opened(folder).monitor is None
    assert "0.971 to 1.03 of its median" in line(report(folder, monitor="one.csv"), "monitor: the one column")


def test_a_monitor_without_a_value_is_unknown_there(folder: Path) -> None:
    current = np.full(80, 5.0)
    current[[3, 9]] = 0.0, np.nan
    np.savetxt(folder / "one.csv", current, header="current", comments="")
    found = opened(folder, monitor="one.csv").monitor
    assert np.flatnonzero(np.isnan(found)).tolist() == [3, 9]
    assert np.nanmax(found) == np.nanmin(found) == 1.0
    assert "2 points without" in line(report(folder, monitor="one.csv"), "monitor")


def test_a_stopped_scan_needs_a_monitor_for_its_frames_alone(folder: Path) -> None:
    for number in (7, 8):
        (folder / f"scan_data_{number:06d}.h5").unlink()
    np.savetxt(folder / "one.csv", np.full(60, 5.0), header="current", comments="")
    found = opened(folder, monitor="one.csv").monitor
    assert np.flatnonzero(np.isnan(found)).tolist() == list(range(60, 80))
    np.savetxt(folder / "one.csv", np.full(59, 5.0), header="current", comments="")
    with pytest.raises(InputError, match="a value for each of the 80 points, found 59"):
        opened(folder, monitor="one.csv")


@pytest.mark.parametrize(
    ("monitor", "words"),
    [
        ("ion", r"xray\.monitor: expected a file, or a channel"),
        ("scan.fio#ion", "column 'ion': expected one of that name, found 0 among pix, piy, ipetra"),
        ("scan.fio", "the name of a channel"),
        ("two.csv", "2: 't,current'"),
        ("short.csv", "a value for each of the 80 points, found 3"),
        ("dark.csv", "positive numbers at most points, found 0"),
        ("m.h5#/scan/ic1", "a value a frame"),
    ],
)
def test_a_monitor_that_is_none_is_refused(folder: Path, monitor: str, words: str) -> None:
    write_fio(folder / "scan.fio", np.ones(80))
    (folder / "two.csv").write_text("t,current\n1,2\n")
    (folder / "short.csv").write_text("current\n1\n2\n3\n")
    np.savetxt(folder / "dark.csv", np.zeros(80), header="current", comments="")
    with h5py.File(folder / "m.h5", "w") as file:
        file["scan/ic1"] = np.ones((3, 3, 3))
    with pytest.raises(InputError, match=words):
        opened(folder, monitor=monitor)
