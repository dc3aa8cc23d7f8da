"""Folders of single images: written by fabio (CBF) and tifffile, read by number, region by region."""

from __future__ import annotations

from pathlib import Path

import fabio.cbfimage
import numpy as np
import pytest
import tifffile

from analysis.errors import InputError
from analysis.io.detector_files import read_frames
from analysis.io.frames import FrameReader, Region
from analysis.io.series import Series
from tests.xray.layouts import little_memory

PILATUS = """# Detector: PILATUS 300K, S/N 3-0101
# Pixel_size 172e-6 m x 172e-6 m
# Exposure_time 0.0950000 s
# Exposure_period 0.1000000 s
# Count_cutoff 1048500 counts
# Wavelength 0.9540 A
# Detector_distance 0.39800 m
# Beam_xy (40.25, 31.50) pixels
"""
SHAPE = (60, 80)


def images(count: int) -> np.ndarray:
    frames = np.random.default_rng(3).poisson(4.0, (count, *SHAPE)).astype(np.int32)
    frames[:, 10:13] = -1
    frames[:, 20, 5] = -2
    frames[:, 30, 7] = 70_000
    return frames


def write_cbf(path: Path, frame: np.ndarray, text: str = PILATUS) -> None:
    image = fabio.cbfimage.CbfImage(
        data=frame, header={"_array_data.header_contents": text.replace("\n", "\r\n")}
    )
    image.write(str(path))


def write_tiff(path: Path, frame: np.ndarray, text: str = PILATUS, **options: object) -> None:
    tifffile.imwrite(path, frame, description=text, metadata=None, **options)


WRITERS = {".cbf": write_cbf, ".tif": write_tiff}


@pytest.fixture(params=sorted(WRITERS))
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    for number, frame in enumerate(images(12)):
        WRITERS[request.param](tmp_path / f"scan7_{number:05d}{request.param}", frame)
    return tmp_path, request.param


def read_all(series: Series, count: int, region: Region) -> dict[int, np.ndarray]:
    found = {}
    with FrameReader(series, region) as reader:
        for number in range(1, count + 1):
            out = np.zeros(region.shape, np.uint32)
            if reader.read(number, out):
                found[number] = out
        assert reader.numbers().tolist() == list(found)
    return found


def test_images_are_read_by_region_with_what_the_detector_writes(folder: tuple[Path, str]) -> None:
    series = read_frames(*folder[:1], ".")
    assert (series.shape, series.present, series.expected) == (SHAPE, 12, None)
    found = series.metadata
    assert found.pixel_size_um == pytest.approx((172.0, 172.0))
    assert found.wavelength_nm == pytest.approx(0.0954)
    assert found.distance_mm == pytest.approx(398.0)
    assert found.beam_center_px == (40.25, 31.5)
    assert (found.exposure_s, found.saturation) == (0.095, 1_048_500)
    assert set(found.sources.values()) == {f"scan7_00000{folder[1]}"}
    assert series.rejected.sum() == 3 * 80 + 1
    region = Region(rows=(5, 45), cols=(3, 33), flip="horizontal")
    frames = read_all(series, 13, region)
    assert list(frames) == list(range(1, 13))
    for number, out in frames.items():
        expected = images(12)[number - 1, 5:45, 3:33][:, ::-1].astype(np.uint32)
        np.testing.assert_array_equal(out, expected)
        assert ((out >= found.masked_value) == (expected >= 2**31)).all()


def test_whole_frames_are_read_beside_their_region(folder: tuple[Path, str]) -> None:
    region = Region(rows=(15, 40), cols=(3, 33), flip="vertical")
    out, again = (np.zeros(region.shape, np.uint32) for _ in range(2))
    whole = np.zeros(SHAPE, np.uint16)
    with FrameReader(read_frames(folder[0], "."), region) as reader:
        assert reader.read_whole(2, out, whole)
        assert reader.read(2, again)
    np.testing.assert_array_equal(out, images(12)[1, 15:40, 3:33][::-1].astype(np.uint32))
    np.testing.assert_array_equal(again, out)
    clipped = np.minimum(images(12)[1][::-1].astype(np.uint32), 65_535)
    np.testing.assert_array_equal(whole, clipped)


def test_an_image_missing_in_the_middle_moves_none(folder: tuple[Path, str]) -> None:
    path, suffix = folder
    (path / f"scan7_00004{suffix}").unlink()
    (path / f"scan7_00005{suffix}").unlink()
    series = read_frames(path.parent, path.name)
    assert series.present == 10
    assert any("2 numbers" in note for note in series.notes)
    frames = read_all(series, 12, Region(rows=(0, 60), cols=(0, 80)))
    assert list(frames) == [1, 2, 3, 4, 7, 8, 9, 10, 11, 12]
    np.testing.assert_array_equal(frames[7], images(12)[6].astype(np.uint32))


def test_a_cut_image_is_a_missing_frame(folder: tuple[Path, str]) -> None:
    path, suffix = folder
    damaged = path / f"scan7_00003{suffix}"
    damaged.write_bytes(damaged.read_bytes()[:-2000])
    other = path / f"scan7_00006{suffix}"
    WRITERS[suffix](other, images(1)[0][:40])
    with FrameReader(read_frames(path, "."), Region(rows=(0, 60), cols=(0, 80))) as reader:
        out = np.zeros(SHAPE, np.uint32)
        assert [reader.read(number, out) for number in (3, 4, 5, 6, 7, 8)] == [1, 0, 1, 1, 0, 1]


def test_numbers_may_begin_anywhere_and_names_must_agree(folder: tuple[Path, str]) -> None:
    path, suffix = folder
    for number in range(12):
        (path / f"scan7_{number:05d}{suffix}").rename(path / f"scan8_{number + 4711}{suffix}")
    series = read_frames(path, f"scan8_*{suffix}")
    assert any("begin with 4711" in note for note in series.notes)
    assert list(read_all(series, 12, Region(rows=(0, 4), cols=(0, 4)))) == list(range(1, 13))
    WRITERS[suffix](path / f"other_00001{suffix}", images(1)[0])
    with pytest.raises(InputError, match="one series"):
        read_frames(path, ".")


def test_a_stack_in_one_tiff_is_a_series(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "stack.tif") as tiff:
        for frame in images(5).astype(np.uint16):
            tiff.write(frame, contiguous=False, metadata=None)
    series = read_frames(tmp_path, "stack.tif")
    assert (series.layout, series.present, series.metadata.masked_value) == ("TIFF stack", 5, 65535)
    frames = read_all(series, 6, Region(rows=(14, 60), cols=(0, 9)))
    np.testing.assert_array_equal(frames[5], images(5)[4, 14:, :9].astype(np.uint16))


def spoilt(path: Path, old: bytes, new: bytes) -> None:
    raw = path.read_bytes()
    assert old in raw
    path.write_bytes(raw.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"X-Binary-Size-Fastest-Dimension: 80", b"X-Binary-Size-Fastest-Dimension: 90000", "pixels a side"),
        (b"X-Binary-Size-Fastest-Dimension: 80", b"X-Binary-Size-Fastest-Dimension: 19999", "X-Binary-Size"),
        (b"X-Binary-Size: ", b"X-Binary-Size: 99", "cut short"),
        (b"X-Binary-Size: ", b"X-Binary-Size: -", "whole number"),
        (b"x-CBF_BYTE_OFFSET", b"x-CBF_PACKED", "x-CBF_BYTE_OFFSET"),
        (b"signed 32-bit integer", b"signed 32-bit real IEEE", "Element-Type"),
        (b"\x0c\x1a\x04\xd5", b"\x0c\x1a\x04\xd6", "binary section"),
        (b"###CBF", b"NOTCBF", "CBF image"),
    ],
)
def test_a_cbf_that_lies_is_refused_before_anything_is_allocated(
    tmp_path: Path, old: bytes, new: bytes, words: str
) -> None:
    write_cbf(tmp_path / "a.cbf", images(1)[0])
    spoilt(tmp_path / "a.cbf", old, new)
    with little_memory(), pytest.raises(InputError, match=words):
        read_frames(tmp_path, "a.cbf")


def overwritten(path: Path, **tags: int) -> None:
    with tifffile.TiffFile(path, mode="r+") as file:
        for name, value in tags.items():
            file.pages[0].tags[name].overwrite(value)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"ImageWidth": 1_000_000}, "pixels a side"),
        ({"ImageWidth": 19_999, "ImageLength": 19_999}, "pixels"),
        ({"BitsPerSample": 64}, "counts of 8, 16 or 32"),
        ({"SampleFormat": 3}, "counts of 8, 16 or 32"),
    ],
)
def test_a_tiff_that_lies_is_refused_before_anything_is_allocated(
    tmp_path: Path, tags: dict[str, int], words: str
) -> None:
    write_tiff(tmp_path / "a.tif", images(1)[0])
    overwritten(tmp_path / "a.tif", **tags)
    with little_memory(), pytest.raises(InputError, match=words):
        read_frames(tmp_path, "a.tif")


def test_other_tiffs_are_refused_with_the_reason(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", images(1)[0], compression="zlib")
    with pytest.raises(InputError, match="without compression"):
        read_frames(tmp_path, "a.tif")
    write_tiff(tmp_path / "b.tif", images(1)[0].astype(np.float32))
    with pytest.raises(InputError, match="float32"):
        read_frames(tmp_path, "b.tif")
    write_tiff(tmp_path / "c.tif", images(1)[0])
    (tmp_path / "c.tif").write_bytes((tmp_path / "c.tif").read_bytes()[:300])
    with pytest.raises(InputError, match=r"c\.tif"):
        read_frames(tmp_path, "c.tif")


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_images_with_any_byte_changed_or_cut_are_read_or_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path, images(1)[0])
    whole = path.read_bytes()
    rng = np.random.default_rng(11)
    outcomes = set()
    for number in range(120):
        at = int(rng.integers(0, min(len(whole), 4000)))
        raw = bytearray(whole[: int(rng.integers(1, len(whole)))] if number % 3 == 0 else whole)
        raw[min(at, len(raw) - 1)] = int(rng.integers(0, 256))
        path.write_bytes(bytes(raw))
        try:
            with FrameReader(read_frames(tmp_path, path.name), Region(rows=(0, 9), cols=(0, 9))) as reader:
                outcomes.add(reader.read(1, np.zeros((9, 9), np.uint32)))
        except InputError as error:
            outcomes.add("lines" if "\n" in str(error) else "sentence")
    assert {True, "sentence"} <= outcomes
    assert "lines" not in outcomes


@pytest.mark.real
def test_the_real_pilatus_image_is_read(real_data: Path) -> None:
    series = read_frames(real_data / "xray", "CeO2_Pilatus1M.tif")
    assert (series.shape, series.present, str(series.dtype)) == ((1043, 981), 1, "int32")
    assert series.metadata.pixel_size_um == pytest.approx((172.0, 172.0))
    assert (series.metadata.exposure_s, series.metadata.saturation) == (3.0, 1_097_223)
    reference = tifffile.imread(real_data / "xray" / "CeO2_Pilatus1M.tif")
    assert (series.rejected == (reference < 0)).all()
    frames = read_all(series, 1, Region(rows=(300, 700), cols=(250, 750)))
    np.testing.assert_array_equal(frames[1], reference[300:700, 250:750].astype(np.uint32))
