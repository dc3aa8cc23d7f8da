"""A workspace and its application, asked without a network."""

from __future__ import annotations

from pathlib import Path

import pytest
from dash import Dash
from flask.testing import FlaskClient

from app.server import create_app
from tests.made_workspace import make_workspace


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results dif, evap, xonly, hostile, damaged and the sample waiting; not to be written to."""
    return make_workspace(tmp_path_factory.mktemp("app") / "workspace", size=9)


@pytest.fixture(scope="session")
def app(workspace: Path) -> Dash:
    """The dashboard of the workspace."""
    return create_app(workspace)


@pytest.fixture(scope="session")
def client(app: Dash) -> FlaskClient:
    """Asks the application as a browser on this machine does."""
    client = app.server.test_client()
    client.environ_base["HTTP_HOST"] = "127.0.0.1:8050"
    return client
