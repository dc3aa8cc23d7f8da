"""Results are read once a version; what cannot be shown says why and takes nothing with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from analysis.errors import TriptychError
from analysis.io.results import read_pattern, write_result
from analysis.records import PatternStack
from app import library as module
from app.library import Library, UnknownSampleError
from tests.synthetic_result import make_result


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A workspace with one small result."""
    (tmp_path / "results").mkdir()
    write_result(tmp_path / "results" / "one.h5", make_result("one", xray=False, sem=False))
    return tmp_path


def test_a_result_is_read_once_for_each_version_of_its_file(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    real = module.read_result
    monkeypatch.setattr(module, "read_result", lambda path: (reads.append(path), real(path))[1])
    shelf = Library(small)
    first = shelf.result("one")
    assert shelf.result("one") is first
    assert len(reads) == 1
    before = shelf.version("one")
    write_result(small / "results" / "one.h5", replace(first, title="again"))
    assert shelf.result("one").title == "again"
    assert len(reads) == 2
    assert shelf.version("one") != before


def test_what_was_made_from_a_result_is_kept_until_it_changes(small: Path) -> None:
    shelf = Library(small)
    made: list[str] = []
    for _ in range(2):
        assert shelf.derived("one", "title", lambda result: (made.append(result.title), len(made))[1]) == 1
    write_result(small / "results" / "one.h5", replace(shelf.result("one"), title="again"))
    assert shelf.derived("one", "title", lambda result: (made.append(result.title), len(made))[1]) == 2
    assert made[1] == "again"


def test_cards_tell_reduced_not_reduced_and_unreadable_apart(workspace: Path) -> None:
    cards = {card.sample_id: card for card in Library(workspace).cards()}
    assert list(cards) == sorted(cards)
    assert {name: card.status for name, card in cards.items()} == {
        "damaged": "error",
        "dif": "reduced",
        "evap": "reduced",
        "hostile": "reduced",
        "waiting": "not reduced",
        "xonly": "reduced",
    }
    assert cards["dif"].modalities == ("xray", "sem", "afm")
    assert cards["xonly"].modalities == ("xray",)
    assert cards["dif"].simulated
    assert cards["waiting"].title == "Waiting"
    assert "damaged.h5" in cards["damaged"].error
    assert str(workspace) not in cards["damaged"].error
    assert "Traceback" not in cards["damaged"].error


def test_a_repaired_result_is_shown_again(small: Path) -> None:
    shelf = Library(small)
    whole = (small / "results" / "one.h5").read_bytes()
    (small / "results" / "one.h5").write_bytes(whole[: len(whole) // 2])
    assert shelf.error("one") is not None
    (small / "results" / "one.h5").write_bytes(whole)
    assert shelf.error("one") is None


def test_a_broken_sample_file_is_a_card_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "sample.toml").write_text("format = 1\ncolour = 'red'\n", encoding="utf-8")
    (card,) = Library(tmp_path).cards()
    assert card.status == "error"
    assert "odd/sample.toml" in card.error
    assert str(tmp_path) not in card.error


def test_an_empty_or_missing_workspace_has_no_samples(tmp_path: Path) -> None:
    assert Library(tmp_path).cards() == []
    assert Library(tmp_path / "missing").cards() == []


def test_work_under_way_and_other_files_are_no_samples(small: Path) -> None:
    (small / "results" / ".one.h5.part").write_bytes(b"")
    (small / "results" / ".two.h5").write_bytes(b"")
    (small / "results" / "notes.txt").write_text("", encoding="utf-8")
    (small / ".three.part").mkdir()
    (small / ".three.part" / "sample.toml").write_text("format = 1", encoding="utf-8")
    assert Library(small).sample_ids() == ["one"]


@pytest.mark.parametrize("name", ["", ".", "..", "../one", "one/../one", "one\0", "öne", "one.h5/", "%2e%2e"])
def test_names_that_are_no_ids_are_unknown(small: Path, name: str) -> None:
    with pytest.raises(UnknownSampleError):
        Library(small).result(name)


def test_a_link_that_leads_out_of_the_workspace_is_not_followed(small: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.h5"
    (small / "results" / "one.h5").rename(outside)
    (small / "results" / "one.h5").symlink_to(outside)
    shelf = Library(small)
    assert shelf.cards() == []
    with pytest.raises(TriptychError):
        shelf.result("one")


def test_only_so_many_results_stay_open(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED", 1)
    write_result(small / "results" / "two.h5", make_result("two", xray=False, sem=False))
    shelf = Library(small)
    first = shelf.result("one")
    shelf.result("two")
    assert shelf.result("one") is not first


def test_packed_patterns_come_out_of_a_result_as_they_went_in(tmp_path: Path) -> None:
    counts = np.random.default_rng(3).poisson(0.4, (9, 9, 81, 81)).astype(np.uint32)
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file.create_dataset("data", data=counts, chunks=(1, 1, 81, 81), **hdf5plugin.Bitshuffle(cname="lz4"))
    result = make_result("one", sem=False, afm=False, size=9)
    stack = PatternStack(path=str(tmp_path / "stack.h5"), dataset="data", shape=counts.shape)
    (tmp_path / "results").mkdir()
    scan = replace(result.xray[0], patterns=stack)
    write_result(tmp_path / "results" / "one.h5", replace(result, xray=(scan,)))
    kept = Library(tmp_path).result("one").xray[0].patterns
    for row, col in np.ndindex(9, 9):
        np.testing.assert_array_equal(read_pattern(kept, row, col), counts[row, col])
