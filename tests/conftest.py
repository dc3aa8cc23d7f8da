"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def required(what: str) -> bool:
    """Whether a skip for want of ``what`` (browser, real) must be a failure."""
    return what in os.environ.get("TRIPTYCH_REQUIRE", "").split(",")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of files from real instruments; they are not part of the project."""
    folder = Path(os.environ.get("TRIPTYCH_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"no real files at {folder}: set TRIPTYCH_REAL_DATA"
        if required("real"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
