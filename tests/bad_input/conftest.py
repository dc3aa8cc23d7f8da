"""The tiny sample is made once a session; each test spoils its own copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_input.tiny_sample import Workspace, write_tiny_sample


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a good sample that nobody changes."""
    folder = tmp_path_factory.mktemp("good") / "tiny"
    write_tiny_sample(folder)
    return folder


@pytest.fixture
def workspace(tiny: Path, tmp_path: Path) -> Workspace:
    """A copy of the good sample in a workspace of its own."""
    return Workspace.copied_from(tiny, tmp_path)
