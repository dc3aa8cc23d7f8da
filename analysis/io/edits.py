"""What people drew in the browser: outlines and landmarks, kept beside ``sample.toml`` with who and when.

``edits.json`` is a list to which entries are only added; the last one about the same thing holds, and a
withdrawn one counts no more. Outlines are in um of the reduction's own frame, an SEM image's too.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from analysis.errors import InputError
from analysis.io.sample_file import Block, Polygon, ReductionName, RegistrationBlock, Title

EDITS_NAME = "edits.json"
MAX_BYTES = 20_000_000
MAX_ENTRIES = 10_000
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class OutlineEdit(Block):
    """An outline drawn for one reduction; None takes back what was drawn before."""

    what: Literal["outline"]
    who: Annotated[Title, Field(min_length=1)]
    when: Moment
    of: ReductionName
    outline_um: Polygon | None


class RegistrationEdit(Block):
    """Two frames laid upon each other; None takes back what was set before for ``of``, "source target"."""

    what: Literal["registration"]
    who: Annotated[Title, Field(min_length=1)]
    when: Moment
    of: Annotated[str, Field(pattern=r"^(xray|sem|afm)\.\d{1,3} (xray|sem|afm)\.\d{1,3}$")]
    registration: RegistrationBlock | None


Edit = Annotated[OutlineEdit | RegistrationEdit, Field(discriminator="what")]
_EDITS: TypeAdapter[list[OutlineEdit | RegistrationEdit]] = TypeAdapter(
    Annotated[list[Edit], Field(max_length=MAX_ENTRIES)]
)


def read_edits(folder: Path) -> list[OutlineEdit | RegistrationEdit]:
    """All entries in the order in which they were made; none where there is no file."""
    path = folder / EDITS_NAME
    if not path.is_file():
        return []
    if path.stat().st_size > MAX_BYTES:
        raise InputError(
            path, expected=f"at most {MAX_BYTES} bytes of edits", found=f"{path.stat().st_size} bytes"
        )
    try:
        return _EDITS.validate_json(path.read_bytes(), by_alias=True)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise InputError(
            path,
            field=".".join(str(part) for part in fault["loc"]) or "the file",
            expected="edits as they were written",
            found=fault["msg"],
            remedy="restore the file or remove it",
        ) from None


def holding(edits: list[OutlineEdit | RegistrationEdit]) -> list[OutlineEdit | RegistrationEdit]:
    """The entries that count: the last about each thing, unless it takes back what was before."""
    last = {(edit.what, edit.of): edit for edit in edits}
    return [
        edit
        for edit in last.values()
        if (edit.outline_um if isinstance(edit, OutlineEdit) else edit.registration) is not None
    ]


def add_edit(folder: Path, edit: OutlineEdit | RegistrationEdit, *, after: int | None = None) -> int:
    """Add an entry and give the number of entries then.

    With ``after`` it is added only where there are just so many: raises InputError where somebody else was
    quicker. The file is written beside its place and moved there, one writer at a time.
    """
    with _one_writer(folder):
        edits = read_edits(folder)
        if after is not None and len(edits) != after:
            raise InputError(
                folder / EDITS_NAME,
                expected=f"{after} edits, as when this one was begun",
                found=f"{len(edits)}, the last by {edits[-1].who if edits else 'nobody'}",
                remedy="look at the newer edit and draw again",
            )
        edits.append(edit)
        part = folder / f".{EDITS_NAME}.part"
        try:
            with part.open("wb") as file:
                file.write(_EDITS.dump_json(edits, by_alias=True, indent=1))
                file.flush()
                os.fsync(file.fileno())
            part.replace(folder / EDITS_NAME)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise InputError(
                folder, expected="a folder that can be written", found=str(error.strerror)
            ) from None
        return len(edits)


@contextmanager
def _one_writer(folder: Path) -> Iterator[None]:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InputError(folder, expected="the sample's folder", found=str(error.strerror)) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def edits_json(edits: list[OutlineEdit | RegistrationEdit]) -> str:
    """The entries that count as canonical JSON: a part of a result's identity."""
    held = [edit.model_dump(mode="json", by_alias=True) for edit in holding(edits)]
    return json.dumps(held, sort_keys=True)
