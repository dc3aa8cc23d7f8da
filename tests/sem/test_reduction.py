"""From a sample file's block to regions: line, bar, given regions, views, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from analysis.errors import InputError
from analysis.io.sample_file import SemBlock
from analysis.pipeline.sem import check_sem, reduce_sem, sem_inputs
from analysis.sem.bar import bar_row
from analysis.sem.distortion import common_distortion
from tests.sem import forward
from tests.sem.forward import Cell, square

LENGTH = 1024
LEFT, RIGHT = 9.0, 13.0


def with_bar(image: np.ndarray, rows: int) -> np.ndarray:
    """The image over an information bar: a ruled line, black ground, blocks of white letters."""
    bar = np.zeros((rows, image.shape[1]), dtype=np.uint8)
    bar[0] = 255
    for start in range(10, image.shape[1] // 2, 12):
        bar[rows // 3 : rows // 3 + 9, start : start + 6 : 2] = 255
    bar[rows // 2, -200:-50] = 255
    return np.vstack([image, bar])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("sem")
    image = forward.widening_image((240, LENGTH), a_left=LEFT, a_right=RIGHT, length=LENGTH, seed=1)
    tifffile.imwrite(path / "wide.tif", with_bar(image, 40), photometric="minisblack", metadata=None)
    (path / "wide.txt").write_text("[SemImageFile]\nPixelSize=1.5\n", encoding="utf-16")
    tifffile.imwrite(
        path / "plain.tif",
        forward.array_image(square(10.0), (220, 430), seed=2),
        photometric="minisblack",
        metadata=None,
    )
    return path


def block(**keys: object) -> SemBlock:
    return SemBlock.model_validate({"image": "wide.tif", **keys})


def test_regions_follow_the_line_and_the_law(folder: Path) -> None:
    found = reduce_sem(
        block(edge_nm=(0.0, 180.0), center_nm=(1.5 * LENGTH, 180.0), view="bottom"), index=2, folder=folder
    )
    assert (found.index, found.crystal, found.image_path, found.view) == (2, "A", "wide.tif", "bottom")
    assert (found.pixel_size_nm, found.bar_row, found.image.shape) == (1.5, 240, (280, LENGTH))
    assert found.pixel_size_audit == (("Hitachi sidecar PixelSize", 1.5, True),)
    assert len(found.regions) >= 4
    for region in found.regions:
        assert region.status == "ok"
        assert region.n_periods > 14
        assert region.x_nm == pytest.approx(1.5 * region.col0)
        assert region.size_nm == pytest.approx(1.5 * region.size_px)
        assert region.s == pytest.approx((region.x_nm + 0.5 * region.size_nm) / (1.5 * LENGTH), abs=1e-9)
        assert region.spacing_nm == pytest.approx(1.5 * (LEFT + (RIGHT - LEFT) * region.s), abs=0.03)
    assert np.all(np.diff([region.s for region in found.regions]) > 0)
    assert any("below" in note for note in found.notes)


def test_the_order_along_the_line_turns_with_the_line(folder: Path) -> None:
    found = reduce_sem(block(edge_nm=(1.5 * LENGTH, 180.0), center_nm=(0.0, 180.0)), index=0, folder=folder)
    first, last = found.regions[0], found.regions[-1]
    assert first.s < last.s
    assert first.x_nm > last.x_nm
    assert first.spacing_nm > last.spacing_nm


def test_given_regions_are_used_and_those_in_the_bar_say_so(folder: Path) -> None:
    rois = [
        {"label": "clear", "x_nm": 150.0, "y_nm": 15.0, "size_nm": 300.0},
        {"label": "low", "x_nm": 150.0, "y_nm": 100.0, "size_nm": 300.0},
    ]
    clear, low = reduce_sem(block(rois=rois), index=0, folder=folder).regions
    assert (clear.label, clear.row0, clear.col0, clear.size_px, clear.status) == ("clear", 10, 100, 200, "ok")
    assert np.isnan(clear.s)
    assert low.status == "bar"
    assert np.isnan([low.spacing_nm, low.delta_k_per_nm, low.a_sc_nm]).all()


def test_without_a_line_the_image_is_tiled_and_s_is_left_open(folder: Path) -> None:
    found = reduce_sem(SemBlock(image="plain.tif", pixel_size_nm=0.9), index=0, folder=folder)
    assert found.bar_row == 220
    assert len(found.regions) == 2
    assert all(np.isnan(region.s) for region in found.regions)
    assert [region.spacing_nm for region in found.regions] == pytest.approx([9.0, 9.0], rel=2e-3)
    assert found.pixel_size_source.startswith("pixel_size_nm")


def test_twice_the_same_is_the_same(folder: Path) -> None:
    one, two = (
        reduce_sem(SemBlock(image="plain.tif", pixel_size_nm=0.9), index=0, folder=folder) for _ in range(2)
    )
    assert [r.spacing_nm for r in one.regions] == [r.spacing_nm for r in two.regions]
    assert np.array_equal(one.regions[0].spectrum, two.regions[0].spectrum)


def test_check_says_what_a_reduction_would_use(folder: Path) -> None:
    text = "\n".join(check_sem(block(), folder=folder))
    assert "1024 x 280 px" in text
    assert "Hitachi sidecar PixelSize: 1.5 nm (used)" in text
    assert "regions tiled" in text
    assert [path.name for path in sem_inputs(block(), folder=folder)] == ["wide.tif", "wide.txt"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"image": "plain.tif"}, "give pixel_size_nm"),
        ({"image": "missing.tif"}, "no such file"),
        ({"rois": [{"label": "out", "x_nm": 1500.0, "y_nm": 0.0, "size_nm": 300.0}]}, "'out'"),
        ({"rois": [{"label": "tiny", "x_nm": 15.0, "y_nm": 0.0, "size_nm": 3.0}]}, "'tiny'"),
    ],
)
def test_what_cannot_be_reduced_is_refused_by_check_and_by_reduce(
    folder: Path, keys: dict[str, object], words: str
) -> None:
    for run in (
        lambda: check_sem(block(**keys), folder=folder),
        lambda: reduce_sem(block(**keys), index=0, folder=folder),
    ):
        with pytest.raises(InputError, match=words):
            run()


def test_a_line_that_misses_the_image_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="crosses the image"):
        reduce_sem(block(edge_nm=(90_000.0, 0.0), center_nm=(99_000.0, 0.0)), index=0, folder=folder)


def test_a_stretched_image_is_told_with_its_size(tmp_path: Path, folder: Path) -> None:
    stretched = forward.array_image(
        Cell(a1=10.0, a2=10.2, gamma_deg=91.0, psi_deg=3.0), (440, 440), seed=3, noise=5.0
    )
    tifffile.imwrite(tmp_path / "stretched.tif", stretched, photometric="minisblack", metadata=None)
    found = reduce_sem(SemBlock(image="stretched.tif", pixel_size_nm=1.0), index=0, folder=tmp_path)
    distortion = common_distortion(found.regions)
    assert distortion is not None
    assert (distortion.lattice, distortion.n) == ("square", len(found.regions))
    assert distortion.stretch == pytest.approx(0.02, abs=0.002)
    assert distortion.shear_deg == pytest.approx(1.0, abs=0.15)
    assert any("drift, tilt, astigmatism" in note for note in found.notes)
    plain = reduce_sem(SemBlock(image="plain.tif", pixel_size_nm=0.9), index=0, folder=folder)
    assert not any("drift" in note for note in plain.notes)


# --- information bar -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [24, 60])
def test_the_bar_is_found_in_the_image(rows: int) -> None:
    image = forward.array_image(square(11.0), (300, 400), seed=4)
    assert bar_row(with_bar(image, rows)) == 300
    white = with_bar(image, rows)
    white[300:] = 255 - white[300:]
    assert bar_row(white) == 300


def test_an_image_without_a_bar_keeps_all_its_rows() -> None:
    image = forward.array_image(square(11.0), (300, 400), seed=4)
    assert bar_row(image) == 300
    assert bar_row(np.zeros((100, 100), dtype=np.uint8)) == 100
    dark = image.copy()
    dark[250:280] = 0  # a black band that does not reach the end
    assert bar_row(dark) == 300
