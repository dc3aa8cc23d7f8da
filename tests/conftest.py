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


LONG_FILES = (
    "tests/browser/test_every_page",
    "tests/acceptance",
    "tests/xray/test_scan",
    "tests/xray/test_lattice_recovery",
    "tests/xray/test_wide_angle",
    "tests/sem/test_many_regions",
    "tests/bad_input",
    "tests/browser",
    "tests/registration",
    "tests/generality",
)
"""Begun first, so that no worker is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first; the order within a file, and of the others, stays."""
    items.sort(
        key=lambda item: next(
            (rank for rank, name in enumerate(LONG_FILES) if item.nodeid.startswith(name)), len(LONG_FILES)
        )
    )
