"""The command line beyond refusals: what is kept, what is made anew, what is said."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result

from analysis.simulate import simulate_sample
from app.cli import main


def run(*words: str | Path) -> Result:
    """Run ``triptych`` in this process."""
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated sample without its scan (SEM and AFM reduce in a moment)."""
    folder = tmp_path_factory.mktemp("workspace") / "twin"
    simulate_sample(folder)
    toml = folder / "sample.toml"
    head, _, rest = toml.read_text(encoding="utf-8").partition("[xray]")
    toml.write_text(head + "[[sem]]" + rest.partition("[[sem]]")[2], encoding="utf-8")
    return folder


def test_only_keeps_what_still_holds(shipped: Path, tmp_path: Path) -> None:
    """``--only`` reduces one modality and keeps the other from the old result, value for value."""
    target = tmp_path / "twin.h5"
    first = run("reduce", shipped, "--out", tmp_path, "--only", "sem")
    assert first.exit_code == 0, first.output
    assert "afm was not reduced" in first.output
    with h5py.File(target) as file:
        assert "afm" not in file["entry"] or len(file["entry/afm"]) == 0
        image = file["entry/sem/0/image/data"][...]
    assert "up to date" in run("reduce", shipped, "--out", tmp_path, "--only", "sem").output
    assert "twin.h5: reduced" in run("reduce", shipped, "--out", tmp_path, "--only", "afm").output
    with h5py.File(target) as file:
        assert np.array_equal(file["entry/sem/0/image/data"][...], image)
        assert "0" in file["entry/afm"]
    whole = run("reduce", shipped, "--out", tmp_path)
    assert "up to date" in whole.output


def test_force_and_hash_reduce_anew(shipped: Path, tmp_path: Path) -> None:
    """A result without SHA-256 is not current when hashes are asked for; ``--force`` always reduces."""
    assert "reduced" in run("reduce", shipped, "--out", tmp_path).output
    assert "up to date" in run("reduce", shipped, "--out", tmp_path).output
    assert "reduced" in run("reduce", shipped, "--out", tmp_path, "--hash").output
    assert "up to date" in run("reduce", shipped, "--out", tmp_path, "--hash").output
    assert "reduced" in run("reduce", shipped, "--out", tmp_path, "--force").output


def test_check_says_what_is_there_and_writes_nothing(shipped: Path) -> None:
    """The report names pixel size and its source, channels and units."""
    before = sorted(shipped.rglob("*"))
    told = run("check", shipped)
    assert told.exit_code == 0
    assert "1.2 nm" in told.output
    assert "Hitachi" in told.output
    assert "DMT Modulus" in told.output
    assert "Pa" in told.output
    assert sorted(shipped.rglob("*")) == before
    assert not (shipped.parent / "results").exists()


def test_results_lie_beside_the_sample_by_default(shipped: Path, tmp_path: Path) -> None:
    """Without ``--out`` results go to ``results/`` in the folder that holds the sample; export follows."""
    assert run("reduce", shipped / "sample.toml").exit_code == 0
    result = shipped.parent / "results" / "twin.h5"
    assert result.is_file()
    assert [path.name for path in result.parent.iterdir()] == ["twin.h5"]
    assert run("export", result, "--to", tmp_path / "tables").exit_code == 0
    summary = json.loads((tmp_path / "tables" / "summary.json").read_text(encoding="utf-8"))
    assert summary["id"] == "twin"
    assert summary["a_al"] is None
    result.unlink()
    result.parent.rmdir()


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_busy_port_is_told(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that something else holds: exit 1 and one sentence with the port in it."""
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path))
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        words = ["serve", tmp_path] if command == "serve" else ["demo", "--no-open"]
        told = run(*words, "--port", str(port))
    assert told.exit_code == 1
    assert str(port) in told.output
    assert "stop what uses it" in told.output
    assert list(tmp_path.iterdir()) == []
