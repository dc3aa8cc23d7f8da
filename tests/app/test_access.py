"""The gate: who may ask, what every answer carries, what the server refuses to be."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from analysis.errors import TriptychError
from app.access import MAX_REQUEST_BYTES, allowed_hosts, host_name, same_origin
from app.server import create_app, port_is_free, run_server

CALL = "/_dash-update-component"


def test_it_says_that_it_is_well(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("host", ["127.0.0.1:8050", "localhost:8050", "LOCALHOST", "[::1]:8050"])
def test_the_machine_itself_may_ask(client: FlaskClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8050", "192.168.0.7", "[::1"]
)
def test_other_names_are_turned_away_everywhere(client: FlaskClient, host: str) -> None:
    for path in ("/", "/healthz", "/csv/dif/profiles.csv", "/assets/linked.js"):
        assert client.get(path, headers={"Host": host}).status_code in {400, 403}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8050"},
    ],
)
def test_a_call_from_another_site_is_turned_away(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post(CALL, json={}, headers=headers).status_code == 403


def test_a_call_from_our_own_page_passes_the_gate() -> None:
    host = "127.0.0.1:8050"
    assert same_origin(origin=f"http://{host}", fetch_site="same-origin", host=host)
    assert same_origin(origin=None, fetch_site=None, host=host)
    assert not same_origin(origin="http://127.0.0.1:9999", fetch_site=None, host=host)


def test_names_are_read_from_host_headers() -> None:
    assert host_name("Example.ORG:80") == "example.org"
    assert host_name("[::1]:80") == "::1"
    assert host_name("::1") == "::1"
    assert allowed_hosts("lab-pc") == {"localhost", "127.0.0.1", "::1", "lab-pc"}


def test_every_answer_carries_the_policy(client: FlaskClient) -> None:
    for path in ("/", "/healthz", "/csv/dif/profiles.csv", "/nowhere", "/csv/none/profiles.csv"):
        headers = client.get(path).headers
        policy = dict(
            part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";") if part
        )
        assert policy["default-src"] == "'none'"
        assert policy["connect-src"] == "'self'"
        assert "unsafe" not in policy["script-src"]
        assert "http" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"


def test_a_huge_request_is_refused(client: FlaskClient) -> None:
    answer = client.post(CALL, data=b"0" * (MAX_REQUEST_BYTES + 1), content_type="application/json")
    assert answer.status_code == 413


def test_the_page_asks_no_other_host(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    assert re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]*"', page) == []
    assert '<html lang="en"' in page
    assert "<title>" in page


@pytest.mark.parametrize("value", ["1", "true", "TRUE"])
def test_debug_mode_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DASH_DEBUG", value)
    with pytest.raises(TriptychError, match="DASH_DEBUG"):
        create_app(workspace)


def test_a_busy_port_is_one_sentence(workspace: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not port_is_free("127.0.0.1", port)
        with pytest.raises(TriptychError, match=f"port {port}"):
            run_server(workspace, host="127.0.0.1", port=port, on_ready=lambda _url: None)
    assert port_is_free("127.0.0.1", port)
