"""What people draw in the browser: taken in, checked, kept with the sample, which is then registered anew."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import flask
from flask import Flask, Response, request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from analysis.errors import InputError, TriptychError
from analysis.io.edits import Edit, OutlineEdit, RegistrationEdit, add_edit, read_edits
from analysis.io.sample_file import RegistrationBlock
from analysis.io.tables import transforms_json
from analysis.pipeline.sample import reregister
from analysis.pipeline.transforms import Reduction, transforms_between
from analysis.records import Outline, Result, SemReduction, XrayReduction
from analysis.registration.outline import is_usable_polygon, outline_around
from analysis.registration.place import PIXEL_SIGMA
from analysis.registration.transform import transform_json
from app.library import library

MAX_BYTES = 500_000
"""An edit is a few corners; nothing larger is looked at."""

Json = dict[str, object]
_EDIT: TypeAdapter[OutlineEdit | RegistrationEdit] = TypeAdapter(Edit)
_BLOCK: TypeAdapter[RegistrationBlock] = TypeAdapter(RegistrationBlock)


class Posted(BaseModel):
    """What a browser sends: the edit without its time, and how many edits there were when it was begun."""

    model_config = ConfigDict(extra="forbid", strict=True)

    after: Annotated[int, Field(ge=0)]
    edit: dict[str, object]


class Refused(Exception):  # noqa: N818
    """An edit that is not taken: an HTTP status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Registrar:
    """Registers samples anew in threads of their own, one at a time for each sample."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[str, float] = {}
        self._again: set[str] = set()
        self._faults: dict[str, str] = {}

    def start(self, sample_id: str, folder: Path, result: Path) -> None:
        """Begin, or go round once more where it is under way."""
        with self._lock:
            self._faults.pop(sample_id, None)
            if sample_id in self._begun:
                self._again.add(sample_id)
                return
            self._begun[sample_id] = time.monotonic()
        threading.Thread(target=self._run, args=(sample_id, folder, result), daemon=True).start()

    def state(self, sample_id: str) -> Json:
        """Whether it is under way, for how many seconds, and what went wrong the last time."""
        with self._lock:
            begun = self._begun.get(sample_id)
            return {
                "running": begun is not None,
                "seconds": 0.0 if begun is None else time.monotonic() - begun,
                "fault": self._faults.get(sample_id, ""),
            }

    def _run(self, sample_id: str, folder: Path, result: Path) -> None:
        while True:
            fault = _registered(folder, result)
            with self._lock:
                if sample_id in self._again:
                    self._again.discard(sample_id)
                    continue
                if fault:
                    self._faults[sample_id] = fault
                del self._begun[sample_id]
                return


def _registered(folder: Path, result: Path) -> str:
    """Register once; gives a sentence where that failed, whatever failed: a thread has nobody to raise to."""
    try:
        reregister(folder, result)
    except TriptychError as error:
        return str(error).replace(f"{folder}/", "").replace(str(result), result.name)
    except Exception as error:
        return f"The registration failed ({type(error).__name__}): reduce the sample again."
    return ""


def add_edit_routes(server: Flask) -> None:
    """Put the addresses of edits on ``server``: one takes them in, the others only tell."""
    server.extensions["triptych-registrar"] = Registrar()
    server.add_url_rule("/edits/<sample_id>", view_func=post_edit, methods=["POST"])
    server.add_url_rule("/edits/<sample_id>/edits.json", view_func=edits_so_far)
    server.add_url_rule("/edits/<sample_id>/registration.json", view_func=registration)
    server.add_url_rule("/edits/<sample_id>/around.json", view_func=around)
    server.add_url_rule("/edits/<sample_id>/transform.json", view_func=tried_transform)


def registrar() -> Registrar:
    """The registrar of the application that is answering."""
    found: Registrar = flask.current_app.extensions["triptych-registrar"]
    return found


def post_edit(sample_id: str) -> tuple[Response, int]:
    """Take an edit in, and register the sample anew."""
    try:
        shelf = library()
        result = shelf.result(sample_id)
        folder = shelf.sample_folder(sample_id)
        posted = _posted()
        edit = _edit_of(posted)
        _check(edit, result)
        count = _added(folder, edit, after=posted.after)
        registrar().start(sample_id, folder, shelf.result_path(sample_id))
    except Refused as error:
        return _told({"message": str(error)}), error.status
    except TriptychError as error:
        return _told({"message": str(error).replace(f"{library().workspace}/", "")}), 404
    return _told({"count": count}), 200


def edits_so_far(sample_id: str) -> tuple[Response, int]:
    """Who drew what and when, how many edits there are, and whether a registration is under way."""
    try:
        library().result(sample_id)
        edits = read_edits(library().sample_folder(sample_id))
    except TriptychError as error:
        return _told({"message": str(error).replace(f"{library().workspace}/", "")}), 200
    entries = [
        {
            "what": edit.what,
            "of": edit.of,
            "who": edit.who,
            "when": edit.when,
            "taken_back": (edit.outline_um if isinstance(edit, OutlineEdit) else edit.registration) is None,
        }
        for edit in edits
    ]
    return _told({"count": len(edits), "entries": entries, "state": registrar().state(sample_id)}), 200


def registration(sample_id: str) -> tuple[Response, int]:
    """The transforms that lay maps of a sample upon each other, as a file."""
    try:
        result = library().result(sample_id)
    except TriptychError:
        return _told({"message": "There is no such sample."}), 404
    answer = Response(transforms_json(result), mimetype="application/json")
    name = f"{sample_id}_registration.json"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer, 200


def around(sample_id: str) -> tuple[Response, int]:
    """The outline of the crystal at ``x y`` of the reduction ``of``."""
    try:
        result = library().result(sample_id)
    except TriptychError:
        return _told({"message": "There is no such sample."}), 404
    found = _reductions(result).get(request.args.get("of", ""))
    x, y = (request.args.get(name, float("nan"), float) for name in ("x", "y"))
    if found is None or not abs(x) + abs(y) < 1e9:
        return _told({"message": "There is no such place."}), 404
    outline = _outline_at(found, (x, y))
    if outline is None:
        return _told({"message": "No crystal stands out there: draw its corners."}), 200
    return _told({"outline_um": outline.vertices_um.round(6).tolist()}), 200


def tried_transform(sample_id: str) -> tuple[Response, int]:
    """The transform that a registration would give: matrices, residuals and leave-one-out errors."""
    try:
        result = library().result(sample_id)
        block = _BLOCK.validate_json(request.args.get("block", "")[:100_000], by_alias=True)
    except ValidationError as error:
        return _told({"message": _fault_of(error)}), 200
    except TriptychError:
        return _told({"message": "There is no such sample."}), 404
    made = transforms_or_fault(block, result)
    if isinstance(made, str):
        return _told({"message": made}), 200
    return _told(made), 200


def transforms_or_fault(block: RegistrationBlock, result: Result) -> Json | str:
    """What one registration gives, for the browser, or a sentence that says why it gives nothing."""
    try:
        found = transforms_between({f"{block.source} {block.target}": block}, _reductions(result))
    except InputError as error:
        return f"Expected {error.expected}, found {error.found}."
    if not found:
        return "There is no such map in this sample."
    made = found[0]
    left = [None if not value >= 0.0 else float(value) for value in made.leave_one_out_um]
    return transform_json(made) | {"residuals_um": made.residuals_um.tolist(), "leave_one_out_um": left}


def _posted() -> Posted:
    if not request.is_json:
        raise Refused(415, "An edit comes as JSON.")
    if (request.content_length or 0) > MAX_BYTES:
        raise Refused(413, f"An edit has at most {MAX_BYTES} bytes.")
    try:
        return Posted.model_validate_json(request.get_data(cache=False))
    except ValidationError as error:
        raise Refused(400, _fault_of(error)) from None


def _edit_of(posted: Posted) -> OutlineEdit | RegistrationEdit:
    """The edit with the server's time: no browser says when."""
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        return _EDIT.validate_json(json.dumps({**posted.edit, "when": when}), by_alias=True)
    except ValidationError as error:
        raise Refused(400, _fault_of(error)) from None


def _check(edit: OutlineEdit | RegistrationEdit, result: Result) -> None:
    reductions = _reductions(result)
    if isinstance(edit, OutlineEdit):
        if edit.of not in reductions:
            raise Refused(400, f"There is no {edit.of} in this sample.")
        if edit.outline_um is not None and not is_usable_polygon(edit.outline_um):
            raise Refused(400, "The corners lie on one line: an outline encloses an area.")
        return
    if edit.registration is None:
        return
    if edit.of != f"{edit.registration.source} {edit.registration.target}":
        raise Refused(400, "The registration is of other maps than it says.")
    made = transforms_or_fault(edit.registration, result)
    if isinstance(made, str):
        raise Refused(400, made)


def _added(folder: Path, edit: OutlineEdit | RegistrationEdit, *, after: int) -> int:
    try:
        return add_edit(folder, edit, after=after)
    except InputError as error:
        so_far = read_edits(folder)
        if len(so_far) == after:
            raise
        who = so_far[-1].who if so_far else "Somebody"
        raise Refused(
            409, f"{who} saved another edit meanwhile: close this, look at it, and draw again."
        ) from error


def _outline_at(found: Reduction, place_um: tuple[float, float]) -> Outline | None:
    if isinstance(found, SemReduction):
        return None
    dx, dy = found.grid.cell_um
    footprint = (PIXEL_SIGMA * dx, PIXEL_SIGMA * dy)
    values = found.maps["intensity"].values if isinstance(found, XrayReduction) else found.height_nm
    return outline_around(found.grid, values, place_um, footprint_um=footprint)


def _reductions(result: Result) -> dict[str, Reduction]:
    named: dict[str, Reduction] = {f"xray.{scan.index}": scan for scan in result.xray}
    named |= {f"sem.{image.index}": image for image in result.sem}
    return named | {f"afm.{field.index}": field for field in result.afm}


def _fault_of(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc']) or 'The edit'}: {fault['msg']}."


def _told(found: Json) -> Response:
    answer = Response(json.dumps(found, allow_nan=False), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
