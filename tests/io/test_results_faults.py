"""Damaged, hostile and foreign result files are refused with one sentence; a failed write harms nothing."""

from __future__ import annotations

import dataclasses
import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import h5py
import hdf5plugin
import numpy as np
import pytest

from analysis.errors import InputError, ResultError
from analysis.io import results
from analysis.io.results import read_header, read_pattern, read_result, write_result
from analysis.records import PatternStack
from tests.io.same import differences
from tests.synthetic_result import make_result


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write_result(folder / "good.h5", make_result(size=5, folder=folder))
    return folder / "good.h5"


def assert_refused(path: Path) -> str:
    with pytest.raises(ResultError) as caught:
        read_result(path)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    assert "expected" in text
    return text


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(400)])
def test_a_foreign_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    assert_refused(path)
    with pytest.raises(ResultError):
        read_header(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path / "absent.h5")
    (tmp_path / "folder.h5").mkdir()
    assert_refused(tmp_path / "folder.h5")


def test_a_file_cut_short_is_refused(good: Path, tmp_path: Path) -> None:
    whole = good.read_bytes()
    for share in (0.05, 0.3, 0.6, 0.95, 0.999):
        path = tmp_path / "cut.h5"
        path.write_bytes(whole[: int(len(whole) * share)])
        assert_refused(path)


def external_link(file: h5py.File) -> None:
    del file["entry/summary"]
    file["entry/summary"] = h5py.ExternalLink("other.h5", "/entry/summary")


def external_storage(file: h5py.File) -> None:
    del file["entry/title"]
    file["entry"].create_dataset("title", (64,), np.uint8, external=[("/etc/hostname", 0, 64)])


def virtual_source(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((5, 5), np.float64)
    layout[:] = h5py.VirtualSource("../other.h5", "data", (5, 5))
    del file["entry/xray/maps/a_sc/data"]
    file["entry/xray/maps/a_sc"].create_virtual_dataset("data", layout)


def another_format(file: h5py.File) -> None:
    file["entry"].attrs["triptych_format"] = 2


def no_entry(file: h5py.File) -> None:
    del file["entry"]


def map_of_another_shape(file: h5py.File) -> None:
    del file["entry/xray/maps/gamma/data"]
    file["entry/xray/maps/gamma/data"] = np.zeros((5, 6))


def map_of_text(file: h5py.File) -> None:
    del file["entry/xray/maps/gamma/data"]
    file["entry/xray/maps/gamma/data"] = "90"


def unknown_status(file: h5py.File) -> None:
    file["entry/xray/maps/status/data"][0, 0] = 99


def bomb(file: h5py.File) -> None:
    del file["entry/xray/maps/gamma/data"]
    file["entry/xray/maps/gamma"].create_dataset(
        "data", (1_000_000, 1_000_000), np.float64, chunks=(1000, 1000), compression="gzip"
    )


def column_too_short(file: h5py.File) -> None:
    del file["entry/sem/0/regions/s"]
    file["entry/sem/0/regions/s"] = np.zeros(2)


def lists_that_do_not_add_up(file: h5py.File) -> None:
    file["entry/profiles/mean"].attrs["lengths"] = [3, 4]


def number_as_group(file: h5py.File) -> None:
    del file["entry/xray/index"]
    file["entry/xray"].create_group("index")


def group_as_number(file: h5py.File) -> None:
    del file["entry/xray/grid"]
    file["entry/xray/grid"] = 1.0


def grid_without_area(file: h5py.File) -> None:
    file["entry/xray/grid/row_step_um"][...] = 0.0


def text_that_is_not_utf8(file: h5py.File) -> None:
    del file["entry/sample/title"]
    file["entry/sample"].create_dataset("title", data=b"\xff\xfe\xff", dtype=h5py.string_dtype("utf-8"))


def negative_number_of_images(file: h5py.File) -> None:
    file["entry/sem"].attrs["n"] = 3


FAULTS: list[Callable[[h5py.File], None]] = [
    external_link,
    external_storage,
    virtual_source,
    another_format,
    no_entry,
    map_of_another_shape,
    map_of_text,
    unknown_status,
    bomb,
    column_too_short,
    lists_that_do_not_add_up,
    number_as_group,
    group_as_number,
    grid_without_area,
    text_that_is_not_utf8,
    negative_number_of_images,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_file_with_one_fault_is_refused(
    fault: Callable[[h5py.File], None], good: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.h5"
    shutil.copyfile(good, path)
    with h5py.File(path, "r+") as file:
        fault(file)
    assert_refused(path)


def test_a_pattern_behind_a_link_is_refused(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.h5"
    stack = read_result(good).xray[0].patterns
    assert stack is not None
    shutil.copyfile(good, path)
    with h5py.File(path, "r+") as file:
        del file["entry/xray/patterns"]
        file["entry/xray/patterns"] = h5py.ExternalLink(str(good), "/entry/xray/patterns")
    with pytest.raises(ResultError):
        read_pattern(dataclasses.replace(stack, path=str(path)), 0, 0)


def test_a_packed_frame_that_lies_about_its_lengths_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    frame = np.random.default_rng(0).poisson(2.0, (1, 1, 40, 50)).astype(np.uint16)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("d", data=frame, chunks=(1, 1, 40, 50), **hdf5plugin.Bitshuffle())
        _, packed = data.id.read_direct_chunk((0, 0, 0, 0))
    stack = PatternStack(path=str(path), dataset="d", shape=(1, 1, 40, 50))
    np.testing.assert_array_equal(read_pattern(stack, 0, 0), frame[0, 0])
    lies = [
        packed[:7] + b"\xff" + packed[8:],
        packed[:8] + b"\x00\x00\x00\x00" + packed[12:],
        packed[:8] + b"\xff\xff\xff\xf0" + packed[12:],
        packed[:12] + b"\x7f\xff\xff\xff" + packed[16:],
        packed[:-5],
        packed + b"\0",
        packed[:6],
    ]
    for lie in lies:
        with h5py.File(path, "r+") as file:
            file["d"].id.write_direct_chunk((0, 0, 0, 0), lie)
        with pytest.raises(ResultError):
            read_pattern(stack, 0, 0)


# --- writing --------------------------------------------------------------------------------------------


@pytest.fixture
def kept(good: Path, tmp_path: Path) -> tuple[Path, bytes]:
    path = tmp_path / "kept" / "kept.h5"
    path.parent.mkdir()
    shutil.copyfile(good, path)
    return path, path.read_bytes()


def assert_kept(kept: tuple[Path, bytes]) -> None:
    path, before = kept
    assert path.read_bytes() == before
    assert [other.name for other in path.parent.iterdir()] == ["kept.h5"]


def test_without_room_nothing_is_written(kept: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(InputError, match="free space"):
        write_result(kept[0], make_result(size=5))
    assert_kept(kept)


@pytest.mark.parametrize("step", ["_put_result", "_verify", "_sync"])
def test_a_write_that_fails_leaves_the_old_result(
    step: str, kept: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(results, step, full)
    with pytest.raises(InputError, match="No space left"):
        write_result(kept[0], make_result(size=5))
    assert_kept(kept)


def test_what_is_read_back_otherwise_is_not_put_in_place(
    kept: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = results._put_result

    def forgetful(file: h5py.File, result: object) -> None:
        honest(file, result)  # type: ignore[arg-type]
        file["entry/xray/maps/a_sc/data"][2, 2] = 12.0

    monkeypatch.setattr(results, "_put_result", forgetful)
    with pytest.raises(InputError, match="not what is read back"):
        write_result(kept[0], make_result(size=5))
    assert_kept(kept)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder that can be written"):
        write_result(tmp_path / "absent" / "a.h5", make_result(size=5))


def test_what_a_killed_write_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".a.h5.part").write_bytes(b"half a result")
    meant = make_result(size=5)
    write_result(tmp_path / "a.h5", meant)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    assert differences(meant, read_result(tmp_path / "a.h5")) == []
