"""Edits that come from a browser: what is taken, what is refused, and what the result is afterwards."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from analysis.io.edits import read_edits
from analysis.io.results import read_result
from app import edits
from app.server import create_app
from tests.made_edits import make_editable

CORNERS = [[4.0, 4.0], [10.0, 4.0], [10.0, 10.0], [4.0, 10.0]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_editable(tmp_path_factory.mktemp("edits") / "made", size=9)


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "workspace")


@pytest.fixture
def unregistered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the registration itself out: what is looked at is whether the edit is taken."""
    monkeypatch.setattr(edits, "reregister", lambda _folder, _result: None)


@pytest.fixture
def client(workspace: Path) -> FlaskClient:
    client = create_app(workspace).server.test_client()
    client.environ_base["HTTP_HOST"] = "127.0.0.1:8050"
    return client


def outline(**changed: object) -> dict[str, object]:
    return {"what": "outline", "who": "Ann", "of": "xray.0", "outline_um": CORNERS} | changed


def told(client: FlaskClient) -> dict:
    return json.loads(client.get("/edits/dif/edits.json").text)


def wait(client: FlaskClient) -> None:
    for _ in range(600):
        state = told(client)["state"]
        if not state["running"]:
            assert state["fault"] == ""
            return
        time.sleep(0.1)
    pytest.fail("the registration did not end")


def test_an_outline_is_kept_with_who_and_when_and_taken_back(client: FlaskClient, workspace: Path) -> None:
    path = workspace / "results" / "dif.h5"
    before = read_result(path)
    assert client.post("/edits/dif", json={"after": 0, "edit": outline()}).status_code == 200
    wait(client)
    drawn = read_result(path)
    assert drawn.xray[0].outline is not None
    assert drawn.xray[0].outline.source == "drawn"
    np.testing.assert_allclose(drawn.xray[0].outline.vertices_um, CORNERS)
    assert json.loads(drawn.provenance.edits_json)[0]["who"] == "Ann"
    # Nothing but what follows from the outline is touched.
    np.testing.assert_array_equal(drawn.xray[0].maps["a_sc"].values, before.xray[0].maps["a_sc"].values)
    assert drawn.provenance.parameters_json == before.provenance.parameters_json
    entry = told(client)["entries"][0]
    assert (entry["who"], entry["of"], entry["taken_back"]) == ("Ann", "xray.0", False)

    taken = {"after": 1, "edit": outline(who="Bob", outline_um=None)}
    assert client.post("/edits/dif", json=taken).status_code == 200
    wait(client)
    found = read_result(path).xray[0].outline
    assert found is not None
    assert found.source == "found"
    assert json.loads(read_result(path).provenance.edits_json) == []
    assert [edit.who for edit in read_edits(workspace / "dif")] == ["Ann", "Bob"]


@pytest.mark.usefixtures("unregistered")
def test_who_was_slower_is_told_in_one_sentence(client: FlaskClient, workspace: Path) -> None:
    client.post("/edits/dif", json={"after": 0, "edit": outline()})
    answer = client.post("/edits/dif", json={"after": 0, "edit": outline(who="Bob")})
    assert answer.status_code == 409
    assert json.loads(answer.text)["message"].startswith("Ann saved another edit meanwhile")
    assert len(read_edits(workspace / "dif")) == 1
    wait(client)


@pytest.mark.parametrize(
    ("sample", "body", "status"),
    [
        ("dif", {"after": 0, "edit": outline(of="xray.7")}, 400),
        ("dif", {"after": 0, "edit": outline(of="../../etc")}, 400),
        ("dif", {"after": 0, "edit": outline(who="")}, 400),
        ("dif", {"after": 0, "edit": outline(outline_um=[[0, 0], [1, 1], [2, 2]])}, 400),
        ("dif", {"after": 0, "edit": outline(outline_um=[[0, 0], [1, 1], [1e999, 2]])}, 400),
        ("dif", {"after": 0, "edit": outline(more=1)}, 400),
        ("dif", {"after": -1, "edit": outline()}, 400),
        ("dif", {"edit": outline()}, 400),
        ("dif", [1], 400),
        ("none", {"after": 0, "edit": outline()}, 404),
        ("..", {"after": 0, "edit": outline()}, 404),
        ("dif", {"after": 0, "edit": outline(who="x" * 600_000)}, 413),
    ],
)
def test_what_is_no_edit_is_refused_and_nothing_is_written(
    client: FlaskClient, workspace: Path, sample: str, body: object, status: int
) -> None:
    assert client.post(f"/edits/{sample}", json=body).status_code == status
    assert read_edits(workspace / "dif") == []


def test_only_our_own_pages_may_edit(client: FlaskClient, workspace: Path) -> None:
    body = {"after": 0, "edit": outline()}
    assert client.post("/edits/dif", json=body, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.post("/edits/dif", json=body, headers={"Host": "evil.example"}).status_code == 403
    assert client.post("/edits/dif", data=json.dumps(body), content_type="text/plain").status_code == 415
    assert read_edits(workspace / "dif") == []


def test_a_result_without_its_sample_cannot_be_edited(client: FlaskClient, workspace: Path) -> None:
    (workspace / "dif" / "sample.toml").unlink()
    answer = client.post("/edits/dif", json={"after": 0, "edit": outline()})
    assert answer.status_code == 404
    assert "not in this workspace" in json.loads(answer.text)["message"]


@pytest.mark.usefixtures("unregistered")
def test_the_browser_does_not_say_when(client: FlaskClient, workspace: Path) -> None:
    edit = outline(when="1999-01-01T00:00:00Z")
    assert client.post("/edits/dif", json={"after": 0, "edit": edit}).status_code == 200
    assert not read_edits(workspace / "dif")[0].when.startswith("1999")
    wait(client)


def test_the_crystal_under_a_click_is_outlined(client: FlaskClient) -> None:
    inside = json.loads(client.get("/edits/dif/around.json?of=afm.0&x=6&y=6").text)
    corners = np.array(inside["outline_um"])
    assert np.all(corners.min(axis=0) < 6.0)
    assert np.all(corners.max(axis=0) > 6.0)
    outside = json.loads(client.get("/edits/dif/around.json?of=xray.0&x=-50&y=0").text)
    assert "draw its corners" in outside["message"]
    assert client.get("/edits/dif/around.json?of=xray.9&x=1&y=1").status_code == 404
    assert client.get("/edits/dif/around.json?of=xray.0&x=nan&y=1").status_code == 404
