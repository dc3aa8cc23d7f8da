"""The pixel size that each microscope's file gives, real files and written ones; never dots per inch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from analysis.errors import InputError
from analysis.io.sample_file import SemBlock
from analysis.io.sem_tiff import choose_pixel_size, read_header, read_micrograph
from analysis.pipeline.sem import check_sem, reduce_sem, sem_inputs
from analysis.sem.bar import bar_row

GREY = np.random.default_rng(3).integers(0, 200, (96, 128), dtype=np.uint8)


def size_of(path: Path, override_nm: float | None = None) -> tuple[float, str]:
    found = choose_pixel_size(path, read_header(path).sizes, override_nm=override_nm)
    return found.nm, found.source


def written(folder: Path, *, values: np.ndarray = GREY, **options: object) -> Path:
    path = folder / "image.tif"
    tifffile.imwrite(path, values, photometric="minisblack", **{"metadata": None, **options})
    return path


REAL = {
    "zeiss_crossbeam550.tif": (593.3, "Zeiss", 708),
    "zeiss_ultra55_512.tif": (11.65, "Zeiss", 350),
    "fei_helios_8bit.tif": (3372.4, "FEI", 442),
    "tescan_mira3.tif": (2501.2, "TESCAN", 768),
    "jeol_jsm4700f.tif": (2000.0, "nominal", 960),
}


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(REAL))
def test_a_real_file_gives_its_pixel_size_and_its_bar(name: str, real_data: Path) -> None:
    nm, source, bar = REAL[name]
    path = real_data / "sem" / name
    found, said = size_of(path)
    assert found == pytest.approx(nm, rel=2e-4)
    assert source in said
    header, image = read_header(path), read_micrograph(path)
    assert image.shape == header.shape
    row = header.bar_row if header.bar_row is not None else bar_row(image)
    assert abs(row - bar) <= 1
    lines = check_sem(SemBlock(image=name), folder=path.parent)
    assert any("used" in line for line in lines)


@pytest.mark.real
def test_the_old_pixel_size_of_a_zeiss_file_is_listed_and_not_used(real_data: Path) -> None:
    path = real_data / "sem" / "zeiss_ultra55_512.tif"
    audit = choose_pixel_size(path, read_header(path).sizes, override_nm=None).audit
    assert any(nm == pytest.approx(5.825) and not used for _, nm, used in audit)


@pytest.mark.real
def test_the_text_beside_the_image_is_among_the_inputs(real_data: Path) -> None:
    folder = real_data / "sem"
    names = [path.name for path in sem_inputs(SemBlock(image="jeol_jsm4700f.tif"), folder=folder)]
    assert names == ["jeol_jsm4700f.tif", "jeol_jsm4700f.txt"]


@pytest.mark.real
def test_the_superlattice_has_the_spacing_that_others_found(real_data: Path) -> None:
    """Its authors' pair-distribution fit: 6.64 nm; a windowed transform by others: 6.63 nm."""
    side = 1032 * 0.34758
    block = SemBlock.model_validate(
        {
            "image": "square_superlattice_tem.tif",
            "pixel_size_nm": 0.34758,
            "rois": [{"label": "all", "x_nm": 0.0, "y_nm": 0.0, "size_nm": side}],
        }
    )
    (region,) = reduce_sem(block, index=0, folder=real_data / "particles").regions
    assert region.size_px == 1032
    assert region.status == "ok"
    assert region.lattice == "square"
    assert 6.58 <= region.spacing_nm <= 6.70
    assert 0.001 < region.spacing_err_nm < 0.05
    assert region.a_sc_sys_nm > region.a_sc_err_nm


# --- written files --------------------------------------------------------------------------------------


def zeiss(folder: Path, columns: int, width_um: float) -> Path:
    text = "\r\n".join(
        [
            "0",
            "AP_WIDTH",
            f"Width = {width_um:.4f} µm",
            "AP_PIXEL_SIZE",
            f"Pixel Size = {width_um * 1000 / 1024:.4f} nm",
            "",
        ]
    )
    tag = (34118, "s", 0, text.encode("latin-1"), True)
    return written(folder, values=np.zeros((64, columns), dtype=np.uint8), extratags=[tag])


@pytest.mark.parametrize("columns", [512, 1024, 2048])
def test_zeiss_at_any_number_of_columns(tmp_path: Path, columns: int) -> None:
    found, source = size_of(zeiss(tmp_path, columns, 2.0))
    assert found == pytest.approx(2000.0 / columns)
    assert "columns" in source


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_hitachi_text_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, resolution=(300, 300), resolutionunit="INCH")
    text = (
        "[SemImageFile]\r\nSampleName=bromür\r\nDataSize=128x96\r\nPixelSize=1.25\r\nMagnification=60000\r\n"
    )
    path.with_suffix(".txt").write_bytes(text.encode(encoding))
    found, source = size_of(path)
    assert (found, source) == (1.25, "Hitachi sidecar PixelSize")


def test_hitachi_without_pixel_size_is_nominal_from_its_magnification(tmp_path: Path) -> None:
    """The maker's own example: 99.21875 nm at 1000 times and 1280 columns is 127 mm across."""
    path = written(tmp_path, values=np.zeros((32, 1280), dtype=np.uint8))
    path.with_suffix(".txt").write_text("[SemImageFile]\nMagnification=1000\n", encoding="utf-8")
    found, source = size_of(path)
    assert found == pytest.approx(99.21875)
    assert "nominal" in source
    assert any("nominal" in line for line in check_sem(SemBlock(image=path.name), folder=tmp_path))


def test_hitachi_pixel_size_belongs_to_the_stored_columns(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.with_suffix(".txt").write_text("[SemImageFile]\nDataSize=256x192\nPixelSize=2.0\n", encoding="utf-8")
    assert size_of(path)[0] == pytest.approx(4.0)


def test_jeol_micron_bar_goes_before_the_magnification(tmp_path: Path) -> None:
    path = written(tmp_path)
    text = "$CM_MAG 100000\n$$SM_MICRON_BAR 200\n$$SM_MICRON_MARKER 100nm\n$CM_FULL_SIZE 128 96\n"
    path.with_suffix(".txt").write_text(text, encoding="utf-8")
    assert size_of(path) == (pytest.approx(0.5), "JEOL sidecar micron marker / bar")


def test_imagej_and_ome_give_theirs(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, GREY, imagej=True, resolution=(0.8, 0.8), metadata={"unit": "nm"})
    assert size_of(path) == (pytest.approx(1.25, rel=1e-5), "ImageJ resolution")
    ome = tmp_path / "image.ome.tif"
    tifffile.imwrite(ome, GREY, metadata={"axes": "YX", "PhysicalSizeX": 1.3, "PhysicalSizeXUnit": "nm"})
    assert size_of(ome) == (pytest.approx(1.3), "OME PhysicalSizeX")


def test_dots_per_inch_are_never_a_pixel_size(tmp_path: Path) -> None:
    path = written(tmp_path, resolution=(300, 300), resolutionunit="INCH")
    with pytest.raises(InputError, match="give pixel_size_nm"):
        size_of(path)
    tifffile.imwrite(path, GREY, imagej=True, resolution=(300, 300), metadata={"unit": "inch"})
    with pytest.raises(InputError, match="give pixel_size_nm"):
        size_of(path)


def test_the_override_wins_and_the_audit_keeps_what_the_file_said(tmp_path: Path) -> None:
    path = zeiss(tmp_path, 512, 2.0)
    found = choose_pixel_size(path, read_header(path).sizes, override_nm=3.0)
    assert found.nm == 3.0
    assert [used for _, _, used in found.audit].count(True) == 1
    assert len(found.audit) == 4
    assert found.disagreement == pytest.approx(2000.0 / 512 / 3.0 - 1.0, rel=1e-3)
    lines = check_sem(SemBlock(image=path.name, pixel_size_nm=3.0), folder=tmp_path)
    assert any("disagree" in line for line in lines)


@pytest.mark.parametrize("tag", [34118, 34682, 50431, 33560])
def test_tags_full_of_nonsense_are_as_good_as_none(tmp_path: Path, tag: int) -> None:
    junk = np.random.default_rng(tag).integers(0, 256, 400, dtype=np.uint8).tobytes()
    for content in (
        junk,
        b"\0" * 40,
        b"PixelSizeX=nan\r\nImageStripSize=999999\r\n",
        b"[Scan]\r\nPixelWidth=-1\r\n",
    ):
        path = written(tmp_path, extratags=[(tag, "B", len(content), content, True)])
        with pytest.raises(InputError) as caught:
            size_of(path)
        assert "pixel_size_nm" in str(caught.value)
