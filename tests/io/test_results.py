"""A result file gives back what was written, byte for byte the same each time, and is NeXus to others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from analysis.errors import ResultError
from analysis.io.results import read_header, read_pattern, read_result, write_result
from analysis.records import (
    PIXEL_VERDICTS,
    XRAY_STATUS,
    Measured,
    PatternStack,
    PixelGrid,
    Result,
    XrayReduction,
)
from tests.io.same import differences
from tests.synthetic_result import make_result


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return make_result(folder=tmp_path_factory.mktemp("made"), size=9)


@pytest.fixture(scope="module")
def written(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("written") / "synthetic.h5"
    write_result(path, result)
    return path


def test_everything_comes_back(result: Result, written: Path) -> None:
    assert differences(result, read_result(written)) == []


@pytest.mark.parametrize(
    "parts",
    [
        {"xray": False},
        {"sem": False, "afm": False},
        {"xray": False, "afm": False},
        {"xray": False, "sem": False, "afm": False},
    ],
    ids=["no scan", "scan alone", "image alone", "nothing"],
)
def test_any_set_of_instruments_comes_back(parts: dict[str, bool], tmp_path: Path) -> None:
    meant = make_result(size=7, **parts)
    write_result(tmp_path / "a.h5", meant)
    assert differences(meant, read_result(tmp_path / "a.h5")) == []


def test_odd_values_come_back(tmp_path: Path) -> None:
    meant = make_result(size=7, xray=False, sem=False)
    field = dataclasses.replace(
        meant.afm[0],
        file_path="µ/ü 晶體 \U0001f48e.gwy",
        metadata={"a/b . c": "=1+1", "": "x", "Model": "DMT\n2"},
        height_nm=np.where(meant.afm[0].height_nm > 0, np.nan, -np.inf),
        lines=(),
        excluded={},
        steps=(),
        outline=None,
        coordinate=None,
    )
    meant = dataclasses.replace(
        meant,
        title="<script>alert(1)</script> ümlaut ⟨a⟩",
        nanocrystal_size_nm=None,
        afm=(field,),
        profiles=(),
        correlations=(),
        summary={"modulus": None, "height": Measured(value=np.nan, unit="nm", err=np.inf)},
    )
    write_result(tmp_path / "odd.h5", meant)
    assert differences(meant, read_result(tmp_path / "odd.h5")) == []


def test_text_that_hdf5_cannot_hold_is_kept_as_near_as_can_be(tmp_path: Path) -> None:
    meant = dataclasses.replace(make_result(size=7, xray=False, sem=False, afm=False), title="a\0b\ud800c")
    write_result(tmp_path / "a.h5", meant)
    assert read_result(tmp_path / "a.h5").title == "a\ufffdb?c"


def test_the_header_alone_comes_back(result: Result, written: Path) -> None:
    assert differences(result.provenance, read_header(written)) == []


def test_the_same_result_makes_the_same_bytes(result: Result, written: Path, tmp_path: Path) -> None:
    write_result(tmp_path / "other.h5", result)
    assert (tmp_path / "other.h5").read_bytes() == written.read_bytes()


# --- layout ---------------------------------------------------------------------------------------------


def test_the_default_chain_leads_to_the_map_of_a_sc(result: Result, written: Path) -> None:
    with h5py.File(written) as file:
        place: h5py.Group = file
        while "default" in place.attrs:
            place = place[place.attrs["default"]]
        assert place.name == "/entry/xray/maps/a_sc"
        assert place.attrs["NX_class"] == "NXdata"
        assert place.attrs["signal"] == "data"
        assert list(place.attrs["axes"]) == ["y", "x"]
        np.testing.assert_array_equal(place["data"][()], result.xray[0].maps["a_sc"].values)
        np.testing.assert_array_equal(place["data_errors"][()], result.xray[0].maps["a_sc"].errors)
        assert place["data"].attrs["units"] == "nm"
        assert place["x"].attrs["units"] == "um"
        x, y = result.xray[0].grid.positions_um()
        np.testing.assert_allclose(place["x"][()], x[0])
        np.testing.assert_allclose(place["y"][()], y[:, 0])


def test_the_file_says_what_it_is(written: Path) -> None:
    with h5py.File(written) as file:
        assert file["entry"].attrs["triptych_format"] == 1
        assert file["entry"].attrs["NX_class"] == "NXentry"
        assert file["entry/process"].attrs["NX_class"] == "NXprocess"
        status = file["entry/xray/maps/status/data"]
        assert status.dtype == np.uint8
        assert tuple(status.attrs["codes"]) == XRAY_STATUS
        for name in ("average_pattern", "polar_average", "radial", "patterns"):
            assert "data" in file[f"entry/xray/{name}"]
        assert set(file["entry/sem"]) == {"0"}
        assert set(file["entry/afm"]) == {"0"}


def test_every_dataset_has_its_units(written: Path) -> None:
    bare = []

    def look(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and "units" not in item.attrs:
            bare.append(name)

    with h5py.File(written) as file:
        file.visititems(look)
        assert file["entry/xray/geometry/wavelength_nm"].attrs["units"] == "nm"
        assert file["entry/xray/q_per_nm"].attrs["units"] == "nm^-1"
        assert file["entry/sem/0/regions/delta_k_per_nm"].attrs["units"] == "1/nm"
        assert file["entry/sem/0/regions/spacing_err_nm"].attrs["units"] == "nm"
        assert file["entry/afm/0/maps/modulus/data"].attrs["units"] == "GPa"
    assert bare == []


def test_a_scan_whose_fast_axis_runs_down_names_its_axes_so(tmp_path: Path) -> None:
    made = make_result(size=7, sem=False, afm=False)
    grid = PixelGrid(shape=(7, 7), col_step_um=(0.0, -0.5), row_step_um=(0.25, 0.0), x0_um=1.0)
    turned = dataclasses.replace(made.xray[0], grid=grid)
    write_result(tmp_path / "a.h5", dataclasses.replace(made, xray=(turned,)))
    with h5py.File(tmp_path / "a.h5") as file:
        held = file["entry/xray/maps/a_sc"]
        assert list(held.attrs["axes"]) == ["x", "y"]
        np.testing.assert_allclose(held["x"][()], 1.0 + 0.25 * np.arange(7))
        np.testing.assert_allclose(held["y"][()], -0.5 * np.arange(7))
    assert read_result(tmp_path / "a.h5").xray[0].grid == grid


def test_a_second_scan_lies_beside_the_first(tmp_path: Path) -> None:
    made = make_result(size=7, sem=False, afm=False)
    second = dataclasses.replace(made.xray[0], index=1, crystal="B")
    write_result(tmp_path / "a.h5", dataclasses.replace(made, xray=(made.xray[0], second)))
    with h5py.File(tmp_path / "a.h5") as file:
        assert {"xray", "xray_1"} <= set(file["entry"])
    assert [scan.crystal for scan in read_result(tmp_path / "a.h5").xray] == ["A", "B"]


# --- patterns -------------------------------------------------------------------------------------------


def with_stack(
    made: XrayReduction, folder: Path, patterns: np.ndarray, *, rows_missing: int = 0, **packing: object
) -> XrayReduction:
    path = folder / "stack.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("scan/frames", patterns.shape, patterns.dtype, **packing)
        for row in range(patterns.shape[0] - rows_missing):
            for col in range(patterns.shape[1]):
                data[row, col] = patterns[row, col]
    shape = tuple(int(n) for n in patterns.shape)
    stack = PatternStack(
        path=str(path), dataset="scan/frames", shape=(shape[0], shape[1], shape[2], shape[3])
    )
    return dataclasses.replace(made, patterns=stack)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("shape", [(13, 17), (81, 81)])
def test_frames_are_copied_as_they_are_packed(
    dtype: type[np.unsignedinteger], shape: tuple[int, int], tmp_path: Path
) -> None:
    made = make_result(size=5, sem=False, afm=False)
    patterns = np.random.default_rng(5).poisson(3.0, (5, 5, *shape)).astype(dtype)
    scan = with_stack(
        made.xray[0], tmp_path, patterns, rows_missing=1, chunks=(1, 1, *shape), **hdf5plugin.Bitshuffle()
    )
    write_result(tmp_path / "a.h5", dataclasses.replace(made, xray=(scan,)))
    stack = read_result(tmp_path / "a.h5").xray[0].patterns
    assert stack is not None
    for row, col in np.ndindex(4, 5):
        np.testing.assert_array_equal(read_pattern(stack, row, col), patterns[row, col])
    np.testing.assert_array_equal(read_pattern(stack, 4, 0), np.zeros(shape, dtype))
    with h5py.File(tmp_path / "stack.h5") as source, h5py.File(tmp_path / "a.h5") as copy:
        one, other = source["scan/frames"].id, copy["entry/xray/patterns/data"].id
        assert one.get_num_chunks() == other.get_num_chunks() == 20
        assert one.read_direct_chunk((1, 2, 0, 0)) == other.read_direct_chunk((1, 2, 0, 0))


def test_frames_in_other_chunks_are_packed_anew(tmp_path: Path) -> None:
    made = make_result(size=5, sem=False, afm=False)
    patterns = np.random.default_rng(6).poisson(3.0, (5, 5, 8, 9)).astype(np.uint16)
    scan = with_stack(made.xray[0], tmp_path, patterns)
    write_result(tmp_path / "a.h5", dataclasses.replace(made, xray=(scan,)))
    stack = read_result(tmp_path / "a.h5").xray[0].patterns
    assert stack is not None
    np.testing.assert_array_equal(read_pattern(stack, 2, 1), patterns[2, 1])


def test_no_pattern_is_read_outside_of_the_grid(written: Path) -> None:
    stack = read_result(written).xray[0].patterns
    assert stack is not None
    for row, col in ((-1, 0), (0, -1), (9, 0), (0, 9)):
        with pytest.raises(IndexError):
            read_pattern(stack, row, col)


def test_a_pattern_of_a_file_that_was_replaced_is_refused(tmp_path: Path) -> None:
    made = make_result(size=5, sem=False, afm=False)
    small, large = np.zeros((5, 5, 8, 8), np.uint16), np.zeros((5, 5, 9, 9), np.uint16)
    write_result(
        tmp_path / "a.h5", dataclasses.replace(made, xray=(with_stack(made.xray[0], tmp_path, small),))
    )
    stack = read_result(tmp_path / "a.h5").xray[0].patterns
    assert stack is not None
    write_result(
        tmp_path / "a.h5", dataclasses.replace(made, xray=(with_stack(made.xray[0], tmp_path, large),))
    )
    with pytest.raises(ResultError, match="patterns of shape"):
        read_pattern(stack, 0, 0)
    (tmp_path / "a.h5").unlink()
    with pytest.raises(ResultError):
        read_pattern(stack, 0, 0)


def test_verdicts_on_pixels_are_named_in_the_file(result: Result, written: Path) -> None:
    verdict = result.xray[0].pixel_verdict
    assert verdict is not None
    with h5py.File(written) as file:
        stored = file["entry/xray/pixel_verdict"]
        assert stored.dtype == np.uint8
        assert list(stored.attrs["codes"]) == list(PIXEL_VERDICTS)
        np.testing.assert_array_equal(stored[()], verdict)


@pytest.mark.parametrize("fault", ["code", "shape"])
def test_verdicts_that_fit_no_pixel_are_refused(written: Path, tmp_path: Path, fault: str) -> None:
    spoilt = tmp_path / "spoilt.h5"
    spoilt.write_bytes(written.read_bytes())
    with h5py.File(spoilt, "r+") as file:
        verdict = file["entry/xray/pixel_verdict"][()]
        del file["entry/xray/pixel_verdict"]
        verdict[0, 0] = len(PIXEL_VERDICTS)
        file["entry/xray/pixel_verdict"] = verdict if fault == "code" else verdict[1:]
    with pytest.raises(ResultError, match="verdict"):
        read_result(spoilt)
