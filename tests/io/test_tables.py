"""The tables hold what the result holds, in columns that scripts rely on, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.io.tables import TABLES, export_tables, table_csv, tables
from analysis.records import InputFile, Measured, Result
from tests.synthetic_result import make_result


@pytest.fixture(scope="module")
def result() -> Result:
    return make_result(size=9)


def rows_of(text: str) -> list[list[str]]:
    """Rows below the ``#`` lines, the header first."""
    body = [line for line in text.splitlines(keepends=True) if not line.startswith("#")]
    return list(csv.reader(io.StringIO("".join(body))))


def frame_of(text: str) -> pd.DataFrame:
    rows = rows_of(text)
    return pd.DataFrame(rows[1:], columns=rows[0])


def test_there_is_a_table_for_each_name_in_the_contract() -> None:
    assert set(TABLES) == {
        "xray_maps", "xray_radial", "sem_rois", "afm_lines", "afm_summary", "afm_maps",
        "afm_parts", "profiles", "correlation", "trends", "agreement",
    }  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_every_table_begins_with_sample_and_crystal(name: str, result: Result) -> None:
    frame = frame_of(table_csv(result, name))
    assert list(frame.columns[:2]) == ["sample", "crystal"]
    assert set(frame["sample"]) == {"synthetic"}
    assert len(frame) == len(tables(result)[name]) > 0


def test_a_map_has_one_line_for_every_cell_with_its_values(result: Result) -> None:
    frame = frame_of(table_csv(result, "xray_maps"))
    scan = result.xray[0]
    assert len(frame) == 81
    names = {
        0: "ok",
        1: "no_signal",
        2: "masked_peak",
        3: "no_convergence",
        5: "partial_beam",
        7: "frame_missing",
    }
    x, y = scan.grid.positions_um()
    for number, line in enumerate(frame.to_dict("records")):
        row, col = divmod(number, 9)
        assert (int(line["row"]), int(line["col"])) == (row, col)
        assert line["status"] == names[int(scan.status[row, col])]
        for column, value in (
            ("x_um", x[row, col]),
            ("y_um", y[row, col]),
            ("a1_nm", scan.maps["a1"].values[row, col]),
            ("gamma_deg", scan.maps["gamma"].values[row, col]),
            ("psi_deg", scan.maps["psi"].values[row, col]),
            ("a_sc_nm_err", scan.maps["a_sc"].errors[row, col]),
            ("a_al_nm", np.nan),
        ):
            assert (line[column] == "") == bool(np.isnan(value))
            if line[column]:
                assert float(line[column]) == pytest.approx(float(value), rel=1e-9, abs=1e-9)


def test_radial_profiles_are_those_of_the_positions_and_the_average(result: Result) -> None:
    frame = frame_of(table_csv(result, "xray_radial"))
    assert list(dict.fromkeys(frame["position"])) == ["Pos1", "Pos2", "Pos3", "Pos4", "Pos5", "average"]
    third = frame[frame["position"] == "Pos3"]["intensity"].astype(float).to_numpy()
    np.testing.assert_allclose(third, result.xray[0].positions[2].intensity, rtol=1e-9)


def test_regions_and_fields_and_lines_are_told(result: Result) -> None:
    rois = frame_of(table_csv(result, "sem_rois"))
    assert list(rois["label"]) == [region.label for region in result.sem[0].regions]
    failed = rois[rois["status"] == "no_peak"]
    assert list(failed["a_sc_nm"]) == [""]
    field = frame_of(table_csv(result, "afm_summary")).iloc[0]
    statistics = result.afm[0].statistics
    assert float(field["modulus_mad_gpa"]) == pytest.approx(statistics["modulus_mad"].value, rel=1e-9)
    assert int(field["n_px"]) == statistics["modulus_mean"].n
    assert int(field["excluded_px"]) == sum(result.afm[0].excluded.values())
    assert "clipped 6" in field["excluded_why"]
    lines = frame_of(table_csv(result, "afm_lines"))
    assert len(lines) == sum(len(line.distance_um) for line in result.afm[0].lines)
    assert set(lines["convention"]) == {"gwyddion", "exact"}


def test_every_pixel_of_a_field_is_told(result: Result) -> None:
    frame = frame_of(table_csv(result, "afm_maps"))
    field = result.afm[0]
    assert len(frame) == field.status.size
    rows = frame.iloc[[0, 35 * 64 + 25, 31 * 64 + 20]].to_dict("records")
    assert [row["status"] for row in rows] == ["outside", "ok", "clipped"]
    assert rows[0]["s"] == ""
    assert float(rows[0]["depth_um"]) < 0
    assert float(rows[1]["modulus_gpa"]) == pytest.approx(field.modulus_gpa[35, 25], rel=1e-9)
    assert float(rows[1]["x_um"]) == pytest.approx(25.5 * 0.2)
    assert float(rows[1]["y_um"]) == pytest.approx(35.5 * 0.2)
    assert float(rows[1]["s"]) == pytest.approx(field.coordinate.s["rectangle"][35, 25], rel=1e-9)


def test_every_part_of_a_field_is_told(result: Result) -> None:
    frame = frame_of(table_csv(result, "afm_parts"))
    told = {(row["part"], row["quantity"]): row for row in frame.to_dict("records")}
    for part in result.afm[0].parts:
        row = told[part.part, part.quantity]
        assert (int(row["n"]), float(row["mad"])) == (part.n, pytest.approx(part.mad, rel=1e-9))
    assert told["centre", "height"]["lognormal_sigma"] == ""


def test_a_profile_is_told_bin_by_bin(result: Result) -> None:
    frame = frame_of(table_csv(result, "profiles"))
    chosen = frame[(frame["quantity"] == "modulus") & (frame["coordinate"] == "depth")]
    meant = next(p for p in result.profiles if (p.quantity, p.coordinate) == ("modulus", "depth"))
    np.testing.assert_allclose(chosen["mid"].astype(float), meant.mid, rtol=1e-9)
    np.testing.assert_allclose(chosen["mean"].astype(float), meant.mean, rtol=1e-9)
    assert list(chosen["n"].astype(int)) == list(meant.n)


def test_a_co_trend_has_no_p(result: Result) -> None:
    frame = frame_of(table_csv(result, "correlation"))
    by_pairing = dict(zip(frame["pairing"], frame["p_block_bootstrap"], strict=True))
    assert by_pairing == {"coordinate": "", "pixel": "0.4"}


def test_what_stands_above_the_header_is_provenance(result: Result) -> None:
    many = tuple(InputFile(path=f"data_{k}.h5", size=k, mtime_ns=k, sha256="ab" * 32) for k in range(30))
    told = dataclasses.replace(result, provenance=dataclasses.replace(result.provenance, inputs=many))
    text = table_csv(told, "sem_rois")
    above = [line for line in text.splitlines() if line.startswith("#")]
    assert text.startswith("#")
    assert any("[simulated]" in line for line in above)
    assert any("triptych 0" in line for line in above)
    assert any("data_0.h5" in line and "ab" * 32 in line for line in above)
    assert any("10 more inputs" in line for line in above)
    assert any("without 2 pi" in line for line in above)


HOSTILE = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
)


@settings(max_examples=40, deadline=None)
@given(text=st.tuples(st.sampled_from(["=", "+", "-", "@", "\t", "\r", "", '"', ","]), HOSTILE).map("".join))
def test_no_text_becomes_a_formula_and_none_is_lost(text: str) -> None:
    made = FIELD_ALONE
    field = dataclasses.replace(made.afm[0], file_path=text, crystal=text)
    hostile = dataclasses.replace(made, afm=(field,), title=text, sample_id="x")
    above, below = table_csv(hostile, "afm_summary").split("\nsample,")
    assert all(line.startswith("# ") and "," not in line for line in above.split("\n"))
    cell = next(csv.DictReader(io.StringIO("sample," + below, newline="")))["file"]
    meant = text.replace("\r\n", "\n").replace("\r", "\n")
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert (cell[1:] if meant.startswith(("=", "+", "-", "@", "\t", "\n")) else cell) == meant


FIELD_ALONE = make_result(size=5, xray=False, sem=False)


def test_negative_numbers_stay_numbers(result: Result) -> None:
    frame = frame_of(table_csv(result, "xray_maps"))
    assert float(frame["depth_um"].iloc[0]) < 0
    assert "'-" not in table_csv(result, "xray_maps")


def test_everything_is_exported_into_the_folder_itself(result: Result, tmp_path: Path) -> None:
    paths = export_tables(result, tmp_path / "new" / "tables")
    others = {"summary.json", "registration.json"}
    assert {path.name for path in paths} == {f"{name}.csv" for name in TABLES} | others
    laid = json.loads((tmp_path / "new" / "tables" / "registration.json").read_text())["transforms"][0]
    assert (laid["from"], laid["to"], laid["units"]) == ("afm.0", "xray.0", "um")
    assert laid["matrix"][0] == [1.0, 0.0, 1.0]
    assert {path.name for path in (tmp_path / "new" / "tables").iterdir()} == {path.name for path in paths}
    assert (tmp_path / "new" / "tables" / "profiles.csv").read_text(encoding="utf-8") == table_csv(
        result, "profiles"
    )


def test_a_folder_that_is_a_file_is_told(result: Result, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="folder that can be written"):
        export_tables(result, tmp_path / "file")


def test_the_summary_holds_numbers_lists_and_nulls(result: Result, tmp_path: Path) -> None:
    numbers = dict(result.summary) | {"height": Measured(value=float("nan"), unit="nm")}
    export_tables(dataclasses.replace(result, summary=numbers), tmp_path)
    text = (tmp_path / "summary.json").read_text(encoding="utf-8")
    summary = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert summary["version"] == 1
    assert (summary["id"], summary["method"], summary["simulated"]) == ("synthetic", "diffusion", True)
    assert summary["a_al"] is None
    assert summary["height"] is None
    assert summary["a_sc_edge"] == {
        "value": pytest.approx(12.32), "err": 0.02, "sys": 0.04, "std": 0.3, "n": 30, "unit": "nm",
    }  # fmt: skip
    for name in (
        "a_sc_centre", "a_sc_change", "a_sc_gradient_per_um", "a_sc_gradient_per_s", "gamma", "psi",
        "modulus", "modulus_median", "modulus_mad", "modulus_gradient_per_s",
    ):  # fmt: skip
        assert set(summary[name]) == {"value", "err", "sys", "std", "n", "unit"}
    assert [at["name"] for at in summary["positions"]] == ["Pos1", "Pos2", "Pos3", "Pos4", "Pos5"]
    assert {"name", "q_per_nm", "a_sc_nm"} <= set(summary["positions"][0])
    assert {"delta_k_per_nm", "a_sc_nm", "s"} <= set(summary["sem"][0])
    assert summary["sem"][3]["a_sc_nm"] is None
    assert summary["correlation"][0]["p_block_bootstrap"] is None
    assert sum(summary["points"].values()) == 81
    assert summary["points"]["frame_missing"] == int((result.xray[0].status == 7).sum())


def test_a_result_without_anything_makes_empty_tables() -> None:
    empty = make_result(size=5, xray=False, sem=False, afm=False)
    for name in TABLES:
        assert len(rows_of(table_csv(empty, name))) == 1
