"""Results compared: each crystal's own numbers, groups by method or by hand, CSV and JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.io.results import write_result
from analysis.pipeline.comparison import (
    compared,
    comparison_json,
    comparison_table,
    crystals_of,
    export_comparison,
)
from analysis.records import Measured, Result
from tests.command import triptych
from tests.synthetic_result import make_result


def sample(sample_id: str, method: str, modulus: float, **words: str) -> Result:
    made = make_result(sample_id, method=method, xray=False, sem=False)
    numbers = dict(made.summary) | {"modulus": Measured(value=modulus, unit="GPa", err=0.1, std=1.0, n=900)}
    return replace(made, summary=numbers, preparation=words)


@pytest.fixture(scope="module")
def six() -> list[Result]:
    stiff = [sample(f"stiff{k}", "diffusion", 3.0 + 0.2 * k, solvent="toluene") for k in range(3)]
    soft = [sample(f"soft{k}", "evaporation", 0.12 + 0.02 * k, solvent="toluene") for k in range(3)]
    return stiff + soft


def test_groups_by_method_have_means_over_crystals_and_a_test(six: list[Result]) -> None:
    table = comparison_table(compared(six))
    table = table[table["quantity"] == "modulus"].set_index(["level", "group"])
    stiff = table.loc[("group", "diffusion")]
    assert stiff["value"] == pytest.approx(3.2)
    assert stiff["n"] == 3
    pair = table.loc[("pair", "diffusion")]
    assert pair["other_group"] == "evaporation"
    assert pair["difference"] == pytest.approx(0.14 - 3.2)
    assert pair["ratio"] == pytest.approx(0.14 / 3.2)
    # Twenty exchanges of three and three, two of which part them wholly.
    assert pair["permutation_p"] == pytest.approx(0.1)
    assert pair["hedges_g"] < -5.0


def test_below_three_crystals_only_numbers_and_a_sentence(six: list[Result]) -> None:
    found = comparison_json(compared(six[1:4]), six[1:4])
    pairs = [row for row in found["rows"] if row["level"] == "pair"]
    assert pairs
    assert not any("permutation_p" in row or "hedges_g" in row for row in pairs)
    assert "without a test" in found["conclusion"]
    assert found["confounded"] == ["synthesis", "substrate", "thickness"]


def test_hand_picked_groups_leave_the_others_out(six: list[Result]) -> None:
    found = compared(six, groups={"stiff0": "one", "soft0": "other"})
    assert {name: [c.sample for c in held] for name, held in found.groups.items()} == {
        "one": ["stiff0"],
        "other": ["soft0"],
    }


def test_crystals_of_one_sample_count_each(six: list[Result]) -> None:
    field = six[0].afm[0]
    two = replace(
        six[0], afm=(field, replace(field, index=1, crystal="B", modulus_gpa=field.modulus_gpa + 1.0))
    )
    assert [crystal.label for crystal in crystals_of(two)] == ["A", "B"]
    assert compared([two]).groups["diffusion"] == crystals_of(two)


def test_files_hold_the_same_numbers(six: list[Result], tmp_path: Path) -> None:
    csv, text = export_comparison(compared(six), six, tmp_path / "out")
    lines = csv.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    assert any("crystals" in line for line in head)
    assert any("synthesis; substrate" in line for line in head)
    frame = pd.read_csv(io.StringIO("\n".join(line for line in lines if not line.startswith("#"))))
    assert list(frame.columns[:2]) == ["sample", "crystal"]
    crystals = frame[(frame["level"] == "crystal") & (frame["quantity"] == "modulus")]
    assert sorted(crystals["sample"]) == sorted(result.sample_id for result in six)
    found = json.loads(text.read_text())
    assert found["version"] == 1
    assert {sample["id"] for sample in found["samples"]} == {result.sample_id for result in six}


def test_the_command_writes_both_and_says_what_they_allow(six: list[Result], tmp_path: Path) -> None:
    paths = []
    for result in (six[0], six[3]):
        paths.append(tmp_path / f"{result.sample_id}.h5")
        write_result(paths[-1], result)
    done = triptych("compare", *map(str, paths), "--to", str(tmp_path / "out"))
    assert done.code == 0
    assert "without a test" in done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["compare.csv", "compare.json"]
    picked = triptych(
        "compare",
        *map(str, paths),
        "--to",
        str(tmp_path / "two"),
        "--group",
        "a=stiff0",
        "--group",
        "b=soft0",
    )
    assert picked.code == 0
    assert set(json.loads((tmp_path / "two" / "compare.json").read_text())["groups"]) == {"a", "b"}
    wrong = triptych("compare", str(paths[0]), "--to", str(tmp_path / "three"), "--group", "a=nobody")
    assert wrong.code == 2
    gone = triptych("compare", str(tmp_path / "none.h5"), "--to", str(tmp_path / "four"))
    assert gone.code == 1
    assert "none.h5" in gone.stderr
