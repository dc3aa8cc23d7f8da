"""What an image adds to a result comes back: maps, sizes, facets, large images as maps of the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from analysis.errors import ResultError
from analysis.io import result_pixels
from analysis.io.results import read_result, write_result
from analysis.io.sample_file import SemBlock
from analysis.io.sem_tiff import MAPPED_FROM_BYTES, read_micrograph
from analysis.pipeline.sem import reduce_sem
from analysis.records import Result, SemReduction
from tests.io.same import differences
from tests.sem import forward
from tests.sem.forward import square
from tests.synthetic_result import make_result


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> SemReduction:
    folder = tmp_path_factory.mktemp("sem")
    array = forward.array_image(square(10.0), (300, 400), seed=2)
    tifffile.imwrite(folder / "plain.tif", array, photometric="minisblack", metadata=None)
    block = SemBlock(
        image="plain.tif",
        pixel_size_nm=0.9,
        view="side",
        tilt_deg=10.0,
        tilt_axis_deg=90.0,
        foot_nm=((0.0, 270.0), (360.0, 270.0)),
        bar_row=290,
    )
    return reduce_sem(block, index=0, folder=folder)


def result_of(image: SemReduction) -> Result:
    return replace(make_result(xray=False, afm=False), sem=(image,))


def test_maps_sizes_and_facets_come_back(image: SemReduction, tmp_path: Path) -> None:
    assert set(image.maps) == {"a_sc", "spacing", "gamma", "psi", "order"}
    assert image.sizes is not None
    write_result(tmp_path / "a.h5", result_of(image))
    found = read_result(tmp_path / "a.h5")
    assert differences(result_of(image), found) == []
    assert found.sem[0].map_grid is not None
    assert found.sem[0].map_status.shape == found.sem[0].map_grid.shape


def test_the_given_bar_is_used_and_told(image: SemReduction) -> None:
    assert (image.bar_row, image.bar_source) == (290, "bar_row of the sample file")
    assert all(region.row0 + region.size_px <= 290 for region in image.regions)


def test_height_is_counted_from_the_foot(image: SemReduction) -> None:
    for region in image.regions:
        middle = region.y_nm + 0.5 * region.size_nm
        assert region.height_um == pytest.approx((270.0 - middle) * 1e-3)


def test_an_image_without_maps_comes_back(image: SemReduction, tmp_path: Path) -> None:
    bare = replace(image, maps={}, map_grid=None, map_status=np.empty((0, 0), np.uint8), sizes=None)
    write_result(tmp_path / "a.h5", result_of(bare))
    assert differences(result_of(bare), read_result(tmp_path / "a.h5")) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_large_image_is_mapped_from_the_result(
    image: SemReduction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: type
) -> None:
    monkeypatch.setattr(result_pixels, "MAPPED_FROM_BYTES", 1000)
    meant = replace(image, image=image.image.astype(dtype))
    write_result(tmp_path / "a.h5", result_of(meant))
    found = read_result(tmp_path / "a.h5").sem[0].image
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    assert np.array_equal(found, meant.image)


def test_a_mapped_image_that_was_cut_is_refused(
    image: SemReduction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_pixels, "MAPPED_FROM_BYTES", 1000)
    write_result(tmp_path / "a.h5", result_of(image))
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(ResultError):
        read_result(tmp_path / "a.h5")


def test_a_large_plain_tiff_is_mapped_and_another_is_read(tmp_path: Path) -> None:
    side = int(np.sqrt(MAPPED_FROM_BYTES)) + 16
    pixels = np.zeros((side, side), dtype=np.uint8)
    pixels[5, 7] = 9
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=None)
    found = read_micrograph(path)
    assert isinstance(found, np.memmap)
    assert found[5, 7] == 9
    tifffile.imwrite(path, pixels[:100, :100], photometric="minisblack", metadata=None)
    assert not isinstance(read_micrograph(path), np.memmap)
