"""Whatever interrupts or doubles a reduction: the result is whole, the same to the last bit, or the old."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.bad_input.test_refusals import assert_refused, gwy_truncated
from tests.bad_input.tiny_sample import Workspace
from tests.command import ROOT, program, read_table, triptych


def datasets(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Type, shape and bytes of every dataset in a file."""
    found = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            values = np.asarray(item[()])
            content = repr(values.tolist()).encode() if values.dtype == object else values.tobytes()
            found[name] = (str(values.dtype), values.shape, content)

    with h5py.File(path, "r") as file:
        file.visititems(keep)
    return found


def differing(one: Path, other: Path) -> list[str]:
    """Names of the datasets that are not the same in two files."""
    first, second = datasets(one), datasets(other)
    assert len(first) > 20
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


@pytest.fixture(scope="module")
def reference(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of an uninterrupted reduction with one worker; its sample is the ``tiny`` folder itself."""
    out = tmp_path_factory.mktemp("reference")
    outcome = triptych("reduce", tiny, "--out", out, "--workers", "1")
    assert outcome.code == 0, outcome.stderr
    assert [path.name for path in out.iterdir()] == ["tiny.h5"]
    return out / "tiny.h5"


def test_the_number_of_workers_changes_no_bit(tiny: Path, reference: Path, tmp_path: Path) -> None:
    outcome = triptych("reduce", tiny, "--out", tmp_path, "--workers", "3")
    assert outcome.code == 0, outcome.stderr
    assert differing(reference, tmp_path / "tiny.h5") == []


def test_a_current_result_is_left_alone(tiny: Path, reference: Path) -> None:
    before = reference.stat()
    outcome = triptych("reduce", tiny, "--out", reference.parent)
    assert outcome.code == 0
    assert "up to date" in outcome.stdout
    after = reference.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_killed_reduction_is_taken_up_again_to_the_same_bits(
    tiny: Path, reference: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / ".tiny.scratch"
    run = subprocess.Popen(
        program("reduce", tiny, "--out", tmp_path, "--workers", "1"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while run.poll() is None and time.monotonic() < deadline:
        if scratch.is_dir() and any(path.is_file() for path in scratch.rglob("*")):
            break
        time.sleep(0.002)
    assert run.poll() is None, "it ended before it could be interrupted"
    run.send_signal(signal.SIGKILL)
    run.wait(timeout=10)
    assert not (tmp_path / "tiny.h5").exists()
    outcome = triptych("reduce", tiny, "--out", tmp_path, "--workers", "2")
    assert outcome.code == 0, outcome.stderr
    assert differing(reference, tmp_path / "tiny.h5") == []
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.h5"]


def test_two_reductions_at_once_make_one_whole_result(tiny: Path, reference: Path, tmp_path: Path) -> None:
    runs = [
        subprocess.Popen(
            program("reduce", tiny, "--out", tmp_path, "--workers", "1"),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=90) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert sorted("up to date" in stdout for stdout, _ in said) == [False, True]
    assert differing(reference, tmp_path / "tiny.h5") == []
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.h5"]


def test_a_refusal_leaves_the_old_result_as_it_was(reference: Path, workspace: Workspace) -> None:
    results = workspace.root / "results"
    results.mkdir()
    (results / "tiny.h5").write_bytes(reference.read_bytes())
    gwy_truncated(workspace)
    before = workspace.state()
    assert_refused(triptych("reduce", workspace.sample), "map.gwy")
    assert_refused(triptych("reduce", workspace.sample, "--force"), "map.gwy")
    assert workspace.state() == before


def test_a_missing_data_file_leaves_its_points_empty_with_the_reason(workspace: Workspace) -> None:
    (workspace.sample / "scan_data_000002.h5").unlink()
    told = triptych("check", workspace.sample)
    assert told.code == 0, told.stderr
    assert "15" in told.stdout
    assert "missing" in told.stdout
    outcome = triptych("reduce", workspace.sample, "--only", "xray")
    assert outcome.code == 0, outcome.stderr
    tables = workspace.root / "tables"
    assert triptych("export", workspace.root / "results" / "tiny.h5", "--to", tables).code == 0
    assert (tables / "xray.poni").is_file()
    points = read_table(tables, "xray_maps.csv")
    lost = points[points["status"] == "frame_missing"]
    in_time = lost["row"] * 7 + lost["col"].where(lost["row"] % 2 == 0, 6 - lost["col"])
    assert sorted(in_time) == list(range(15, 30))
    assert lost["a_sc_nm"].isna().all()
    assert lost["intensity"].isna().all()


def test_a_changed_title_is_taken_into_a_new_result(workspace: Workspace) -> None:
    assert triptych("reduce", workspace.sample, "--only", "afm").code == 0
    workspace.replace('title = "An oblique crystal"', 'title = "Another name"')
    assert "reduced" in triptych("reduce", workspace.sample, "--only", "afm").stdout
    tables = workspace.root / "tables"
    assert triptych("export", workspace.root / "results" / "tiny.h5", "--to", tables).code == 0
    assert "Another name" in (tables / "summary.json").read_text(encoding="utf-8")
    assert len(read_table(tables, "afm_summary.csv")) == 1
