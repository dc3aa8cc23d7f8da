"""TIFF of every kind in reach as grey levels, and one sentence for what cannot be read."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from analysis.errors import InputError
from analysis.io.sem_tiff import read_header, read_micrograph

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 200, (40, 60), dtype=np.uint8)


def written(folder: Path, values: np.ndarray, **options: object) -> Path:
    path = folder / "image.tif"
    tifffile.imwrite(path, values, metadata=None, **options)
    return path


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_8_and_16_bits_come_back_as_they_are(tmp_path: Path, dtype: type, compression: str | None) -> None:
    values = GREY.astype(dtype) * (200 if dtype is np.uint16 else 1)
    found = read_micrograph(written(tmp_path, values, photometric="minisblack", compression=compression))
    assert found.dtype == dtype
    assert np.array_equal(found, values)


def test_big_endian_tiles_and_several_pages_are_read(tmp_path: Path) -> None:
    values = RNG.integers(0, 60000, (3, 64, 80), dtype=np.uint16)
    path = written(tmp_path, values, photometric="minisblack", byteorder=">", tile=(32, 32))
    assert np.array_equal(read_micrograph(path), values[0])
    assert read_header(path).pages == 3


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint32])
def test_other_types_are_spread_over_16_bits(tmp_path: Path, dtype: type) -> None:
    values = (GREY.astype(np.float64) - 50.0).clip(-50 if dtype is not np.uint32 else 0).astype(dtype)
    found = read_micrograph(written(tmp_path, values, photometric="minisblack"))
    assert found.dtype == np.uint16
    assert (found.min(), found.max()) == (0, 65535)
    assert np.corrcoef(found.ravel(), values.ravel().astype(float))[0, 1] > 0.999999


def test_colours_become_their_luminance(tmp_path: Path) -> None:
    same = np.repeat(GREY[:, :, None], 3, axis=2)
    assert np.array_equal(read_micrograph(written(tmp_path, same, photometric="rgb")), GREY)
    green = np.zeros_like(same)
    green[:, :, 1] = 200
    assert set(np.unique(read_micrograph(written(tmp_path, green, photometric="rgb")))) == {117}
    planes = np.moveaxis(same, 2, 0)
    path = written(tmp_path, planes, photometric="rgb", planarconfig="separate")
    assert np.array_equal(read_micrograph(path), GREY)


def test_a_grey_palette_keeps_its_indices_and_a_coloured_one_its_luminance(tmp_path: Path) -> None:
    ramp = np.tile((np.arange(256) * 257).astype(np.uint16), (3, 1))
    ramp[:, 3] = (65535, 0, 0)
    assert np.array_equal(
        read_micrograph(written(tmp_path, GREY, photometric="palette", colormap=ramp)), GREY
    )
    turned = np.zeros((3, 256), dtype=np.uint16)
    turned[1] = ramp[0][::-1]
    found = read_micrograph(written(tmp_path, GREY, photometric="palette", colormap=turned))
    assert np.abs(found - 0.587 * (255.0 - GREY)).max() < 1.0


def test_white_is_zero_is_turned_round(tmp_path: Path) -> None:
    path = written(tmp_path, GREY, photometric="miniswhite")
    assert np.array_equal(read_micrograph(path), 255 - GREY)


def test_packbits_is_what_other_software_wrote(tmp_path: Path) -> None:
    path = tmp_path / "packbits.tif"
    Image.fromarray(GREY).save(path, compression="packbits")
    assert np.array_equal(read_micrograph(path), GREY)


def test_lzw_is_what_other_software_wrote(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(300), np.arange(400)).astype(np.uint8)
    noisy = RNG.integers(0, 256, (300, 400), dtype=np.uint8)
    for values in (smooth, noisy):
        path = tmp_path / "lzw.tif"
        Image.fromarray(values).save(path, compression="tiff_lzw")
        assert np.array_equal(read_micrograph(path), values)
        Image.fromarray(values).save(path, compression="tiff_lzw", tiffinfo={317: 2})
        assert np.array_equal(read_micrograph(path), values)


def read_whole(path: Path) -> np.ndarray:
    read_header(path)
    return read_micrograph(path)


def refused(path: Path) -> str:
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        read_micrograph(path)
    with pytest.raises(InputError):
        read_whole(path)
    assert time.perf_counter() - start < 1.0
    text = str(caught.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    "content", [b"", b"II*\0not a picture", b"\x89PNG\r\n\x1a\n" + bytes(60), b"II*\0" + bytes(4)]
)
def test_what_is_no_tiff_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    assert "TIFF" in refused(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "nothing.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_cut_file_is_refused_at_every_length(tmp_path: Path, compression: str | None) -> None:
    whole = written(tmp_path, GREY, photometric="minisblack", compression=compression).read_bytes()
    path = tmp_path / "cut.tif"
    for length in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        refused(path)


def patched(path: Path, code: int, value: int) -> None:
    """Overwrite the value of a tag of a little-endian file with one inline value of 2 or 4 bytes."""
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages.first.tags[code]
        offset, size = tag.offset, 2 if tag.dtype == 3 else 4
    content = bytearray(path.read_bytes())
    content[offset + 8 : offset + 8 + size] = struct.pack("<H" if size == 2 else "<I", value)
    path.write_bytes(content)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize(
    ("code", "value"), [(256, 60000), (257, 60000), (256, 2), (278, 60000), (279, 10**8)]
)
def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, code: int, value: int, compression: str | None
) -> None:
    path = written(tmp_path, GREY, photometric="minisblack", compression=compression)
    patched(path, code, value)
    if (code, value) == (278, 60000):
        assert np.array_equal(read_micrograph(path), GREY)  # more rows a strip than rows is allowed
    else:
        refused(path)


def test_pages_without_end_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GREY, photometric="minisblack")
    content = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, first + 2 + 12 * count, first)
    path.write_bytes(content)
    assert "pages" in refused(path)


def test_random_damage_gives_pixels_or_one_sentence(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    whole = written(tmp_path, GREY, photometric="minisblack", compression="zlib").read_bytes()
    lzw = tmp_path / "lzw.tif"
    Image.fromarray(GREY).save(lzw, compression="tiff_lzw")
    path = tmp_path / "damaged.tif"
    for number in range(200):
        content = np.frombuffer(whole if number % 2 else lzw.read_bytes(), dtype=np.uint8).copy()
        places = rng.integers(0, content.size if number % 3 else 200, 4)
        content[places] = rng.integers(0, 256, 4)
        path.write_bytes(content.tobytes())
        text = ""
        try:
            assert read_whole(path).ndim == 2
        except InputError as error:
            text = str(error)
        assert "\n" not in text
