"""A simulated sample as a whole: its description, its bytes, its labels."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from analysis.io.sample_file import read_sample
from analysis.simulate import PRESETS, simulate_sample
from analysis.simulate.samples import main
from tests.simulate.reading import described, truth_attributes

LIMIT_BYTES = 20_000_000


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder by its relative name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_preset_is_written_and_all_of_them_are_small(samples: Path) -> None:
    assert sorted(path.name for path in samples.iterdir()) == sorted(PRESETS)
    assert sum(path.stat().st_size for path in samples.rglob("*") if path.is_file()) < LIMIT_BYTES


def test_the_same_seed_gives_the_same_bytes_with_one_worker_and_with_three(
    diffusion: Path, tmp_path: Path
) -> None:
    calls: list[tuple[int, int]] = []
    simulate_sample(tmp_path / "one", workers=1, progress=lambda done, total: calls.append((done, total)))
    simulate_sample(tmp_path / "three", workers=3)
    assert digests(tmp_path / "one") == digests(tmp_path / "three") == digests(diffusion)
    frames = 15 * 15 + 8
    assert calls == [(n, frames + 2) for n in range(1, frames + 3)]


def test_another_seed_changes_every_measurement(diffusion: Path, tmp_path: Path) -> None:
    simulate_sample(tmp_path, seed=5)
    first, second = digests(diffusion), digests(tmp_path)
    assert first.keys() == second.keys()
    changed = {name for name in first if first[name] != second[name]}
    assert {"xray/scan_data_000001.h5", "xray/kapton_data_000001.h5", "sem/monolayer.tif"} <= changed
    assert {"afm/map.gwy", "truth.h5"} <= changed
    assert "sample.toml" not in changed


def test_the_sample_file_is_valid_and_names_files_that_are_there(sample: Path) -> None:
    parsed = read_sample(sample / "sample.toml")
    block = parsed.xray[0]
    for name in (block.frames, block.background, parsed.sem[0].image, parsed.afm[0].file):
        assert name is not None
        assert (sample / name).is_file()
    assert parsed.nanocrystal_size_nm == PRESETS[sample.name].nanocrystal_size_nm


def test_a_simulated_sample_says_so_wherever_it_is_described(sample: Path) -> None:
    table = described(sample)
    assert table["simulated"] is True
    assert "simulated" not in str(table["title"])  # the badge says it
    assert bool(truth_attributes(sample)["simulated"]) is True
    assert "simulated" in (sample / "sem" / "monolayer.txt").read_bytes().replace(b"\0", b"").decode(
        "latin-1"
    )
    assert b"Simulated" in (sample / "afm" / "map.gwy").read_bytes()
    assert b"simulated" in (sample / "xray" / "scan_master.h5").read_bytes()


@pytest.mark.parametrize(
    ("preset", "invented"),
    [
        ("cspbbr3-diffusion", ()),
        ("cspbbr2cl-diffusion", ("AFM",)),
        ("cspbcl3-diffusion", ("SEM", "AFM")),
        ("cspbbr3-evaporation", ()),
    ],
)
def test_what_the_paper_did_not_measure_is_called_invented(
    samples: Path, preset: str, invented: tuple[str, ...]
) -> None:
    title = str(described(samples / preset)["title"])
    assert truth_attributes(samples / preset)["invented"] == ", ".join(invented)
    assert ("invented" in title) == bool(invented)
    assert all(name in title.split("(")[1] for name in invented)


def test_the_ideal_sample_differs_in_its_frames_alone(diffusion: Path, tmp_path: Path) -> None:
    simulate_sample(tmp_path, ideal=True)
    first, second = digests(diffusion), digests(tmp_path)
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"xray/scan_data_000001.h5", "xray/scan_data_000002.h5", "truth.h5"}


@pytest.mark.parametrize("wrong", [{"preset": "gold"}, {"scale": "huge"}])
def test_an_unknown_preset_or_scale_is_refused_and_nothing_written(
    wrong: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"gold|huge"):
        simulate_sample(tmp_path / "sample", **wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_command_needs_exactly_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
