"""Simulated samples that the tests of this folder share: made once, read only."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.simulate import PRESETS
from analysis.simulate.samples import main


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the four small samples, as ``make samples`` writes them."""
    folder = tmp_path_factory.mktemp("samples")
    assert main([str(folder)]) == 0
    return folder


@pytest.fixture(params=sorted(PRESETS))
def sample(request: pytest.FixtureRequest, samples: Path) -> Path:
    """Folder of one sample; a test that asks for it runs on all four."""
    return samples / str(request.param)


@pytest.fixture
def diffusion(samples: Path) -> Path:
    """Folder of the CsPbBr3 diffusion sample."""
    return samples / "cspbbr3-diffusion"
