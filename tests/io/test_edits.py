"""Edits beside a sample: only added to, the last one holds, one writer at a time, nothing else believed."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from analysis.errors import InputError
from analysis.io.edits import (
    EDITS_NAME,
    OutlineEdit,
    RegistrationEdit,
    add_edit,
    edits_json,
    holding,
    read_edits,
)
from analysis.io.sample_file import RegistrationBlock

SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]


def outline(who: str = "Ada", of: str = "xray.0", corners: list | None = SQUARE) -> OutlineEdit:
    return OutlineEdit(what="outline", who=who, when="2026-03-01T12:00:00Z", of=of, outline_um=corners)


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read_edits(tmp_path) == []
    assert edits_json([]) == "[]"


def test_entries_come_back_as_they_were_written(tmp_path: Path) -> None:
    laid = RegistrationEdit(
        what="registration",
        who="Emmy",
        when="2026-03-01T12:05:00Z",
        of="afm.0 xray.0",
        registration=RegistrationBlock(
            source="afm.0", target="xray.0", kind="affine", landmarks_um=[(0.0, 1.0, 2.0, 3.0)]
        ),
    )
    assert add_edit(tmp_path, outline()) == 1
    assert add_edit(tmp_path, laid) == 2
    assert read_edits(tmp_path) == [outline(), laid]
    written = json.loads((tmp_path / EDITS_NAME).read_text())
    assert written[1]["registration"]["from"] == "afm.0"


def test_the_last_about_a_thing_holds_and_a_withdrawn_one_does_not(tmp_path: Path) -> None:
    moved = [(1.0, 0.0), *SQUARE[1:]]
    for edit in (
        outline(),
        outline("Emmy", corners=moved),
        outline(of="afm.0"),
        outline(of="afm.0", corners=None),
    ):
        add_edit(tmp_path, edit)
    held = holding(read_edits(tmp_path))
    assert [(edit.who, edit.of) for edit in held] == [("Emmy", "xray.0")]
    assert len(read_edits(tmp_path)) == 4


def test_who_was_slower_is_told(tmp_path: Path) -> None:
    add_edit(tmp_path, outline("Ada"), after=0)
    with pytest.raises(InputError, match="the last by Ada"):
        add_edit(tmp_path, outline("Emmy"), after=0)
    assert len(read_edits(tmp_path)) == 1


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    threads = [threading.Thread(target=add_edit, args=(tmp_path, outline(f"person {k}"))) for k in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {edit.who for edit in read_edits(tmp_path)} == {f"person {k}" for k in range(12)}
    assert sorted(path.name for path in tmp_path.iterdir()) == [EDITS_NAME]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '[{"what": "outline"}]',
        '[{"what": "spell", "who": "a", "when": "2026-03-01T12:00:00Z", "of": "xray.0"}]',
        '[{"what": "outline", "who": "a", "when": "yesterday", "of": "xray.0", "outline_um": null}]',
        '[{"what": "outline", "who": "a", "when": "2026-03-01T12:00:00Z", "of": "../x", "outline_um": null}]',
        '[{"what": "outline", "who": "a", "when": "2026-03-01T12:00:00Z", "of": "xray.0",'
        ' "outline_um": [[0, 0], [1, 1]]}]',
        '[{"what": "outline", "who": "a", "when": "2026-03-01T12:00:00Z", "of": "xray.0",'
        ' "outline_um": [[0, 0], [1, 1e300], [2, 2]]}]',
        "[" * 100_000,
    ],
)
def test_a_file_that_holds_something_else_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / EDITS_NAME).write_text(text)
    with pytest.raises(InputError, match="edits"):
        read_edits(tmp_path)


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the sample's folder"):
        add_edit(tmp_path / "nowhere", outline())
