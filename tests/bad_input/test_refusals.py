"""Input that cannot be used: one clear sentence on stderr, exit 1, nothing written, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from tests.bad_input.tiny_sample import CRYSTAL, SETUP, Workspace
from tests.command import Outcome, triptych, triptych_program
from tests.generality import generator


def assert_refused(outcome: Outcome, *words: str) -> None:
    """Exit 1 and one sentence that names what ``words`` say."""
    assert outcome.code == 1, (outcome.code, outcome.stdout, outcome.stderr)
    lines = outcome.stderr.splitlines()
    assert len(lines) == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert len(lines[0]) < 700
    for word in words:
        assert word in lines[0], (word, lines[0])


def frames_missing(w: Workspace) -> None:
    (w.sample / "scan_master.h5").unlink()


def background_missing(w: Workspace) -> None:
    (w.sample / "film_master.h5").unlink()


def every_data_file_missing(w: Workspace) -> None:
    for path in w.sample.glob("scan_data_*.h5"):
        path.unlink()


def gwy_truncated(w: Workspace) -> None:
    path = w.sample / "map.gwy"
    path.write_bytes(path.read_bytes()[:5000])


def gwy_of_another_kind(w: Workspace) -> None:
    (w.sample / "map.gwy").write_bytes(b"GWYX" + b"\0" * 200)


def image_without_pixel_size(w: Workspace) -> None:
    w.replace("pixel_size_nm = 1.1\n", "")


def image_not_an_image(w: Workspace) -> None:
    (w.sample / "oblique.tif").write_bytes(b"II*\0not a picture")


def image_of_impossible_size(w: Workspace) -> None:
    """A header of a million by a million pixels over a file of a few bytes."""
    path = w.sample / "oblique.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), metadata=None)
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages[0].tags
        tags["ImageWidth"].overwrite(1_000_000)
        tags["ImageLength"].overwrite(1_000_000)


def shape_unlike_frames(w: Workspace) -> None:
    w.replace("shape = [6, 7]", "shape = [6, 8]")


def shape_smaller_than_frames(w: Workspace) -> None:
    w.replace("shape = [6, 7]", "shape = [5, 7]")


def step_nan(w: Workspace) -> None:
    w.replace("step_um = [0.7, 0.7]", "step_um = [nan, 0.7]")


def step_zero(w: Workspace) -> None:
    w.replace("step_um = [0.7, 0.7]", "step_um = [0.7, 0.0]")


def unknown_key(w: Workspace) -> None:
    w.replace("serpentine = true", "serpentine = true\nserpantine = true")


def unknown_modality(w: Workspace) -> None:
    w.replace("[[afm]]", "[[stm]]")


def wrong_type(w: Workspace) -> None:
    w.replace("shape = [6, 7]", 'shape = "6 x 7"')


def toml_broken(w: Workspace) -> None:
    w.replace("format = 1", "format = = 1")


def toml_not_text(w: Workspace) -> None:
    (w.sample / "sample.toml").write_bytes(b"\xff\xfe\x00format")


def monitor_key(w: Workspace) -> None:
    w.replace("serpentine = true", 'serpentine = true\nmonitor = "ion chamber"')


def mask_of_another_shape(w: Workspace) -> None:
    np.save(w.sample / "arm.npy", np.zeros((10, 10), bool))


def mask_that_runs_code(w: Workspace) -> None:
    np.save(w.sample / "arm.npy", np.array([object()], dtype=object), allow_pickle=True)


def frames_of_another_detector(w: Workspace) -> None:
    """A background whose frames have another size than the scan's."""
    other = generator.Setup(**{**SETUP.__dict__, "detector": (200, 200), "points": (1, 1)})
    folder = w.root / "other"
    folder.mkdir()
    generator.write_xray(folder, other, CRYSTAL)
    for path in folder.glob("film*"):
        path.replace(w.sample / path.name)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def title_missing(w: Workspace) -> None:
    w.replace('title = "An oblique crystal"\n', "")


def frames_not_hdf5(w: Workspace) -> None:
    (w.sample / "scan_master.h5").write_text("not a detector file", encoding="utf-8")


FAULTS: dict[Callable[[Workspace], None], tuple[str, ...]] = {
    frames_missing: ("scan_master.h5",),
    background_missing: ("film_master.h5",),
    every_data_file_missing: ("scan_master.h5",),
    gwy_truncated: ("map.gwy",),
    gwy_of_another_kind: ("map.gwy",),
    image_without_pixel_size: ("oblique.tif", "pixel_size_nm"),
    image_not_an_image: ("oblique.tif",),
    image_of_impossible_size: ("oblique.tif",),
    shape_unlike_frames: ("shape", "48", "42"),
    shape_smaller_than_frames: ("shape", "35", "42"),
    step_nan: ("sample.toml", "step_um", "nan"),
    step_zero: ("sample.toml", "step_um", "0.0"),
    unknown_key: ("sample.toml", "serpantine"),
    unknown_modality: ("sample.toml", "stm"),
    wrong_type: ("sample.toml", "shape", "6 x 7"),
    toml_broken: ("sample.toml",),
    toml_not_text: ("sample.toml",),
    monitor_key: ("sample.toml", "monitor"),
    mask_of_another_shape: ("arm.npy",),
    mask_that_runs_code: ("arm.npy",),
    frames_of_another_detector: ("film",),
    title_missing: ("sample.toml", "title"),
    frames_not_hdf5: ("scan_master.h5",),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_refused_in_one_sentence_and_nothing_is_written(
    fault: Callable[[Workspace], None], workspace: Workspace
) -> None:
    fault(workspace)
    before = workspace.state()
    outcome = triptych("reduce", workspace.sample, "--workers", "1")
    assert_refused(outcome, *FAULTS[fault])
    assert workspace.state() == before
    assert_refused(triptych("check", workspace.sample), *FAULTS[fault])
    assert workspace.state() == before


# --- files that point outside their folder ---------------------------------------------------------------

SECRET = b"no reader may show this line\n" * 4000


def secret(w: Workspace) -> Path:
    """A file outside the sample's folder that must not be read."""
    path = w.root / "outside.bin"
    path.write_bytes(SECRET)
    return path


def secret_frames(w: Workspace) -> Path:
    """A detector file outside the sample's folder."""
    path = w.root / "outside.h5"
    (w.sample / "scan_data_000001.h5").rename(path)
    return path


def external_link(w: Workspace) -> None:
    target = secret_frames(w)
    with h5py.File(w.sample / "scan_master.h5", "r+") as file:
        del file["entry/data/data_000001"]
        file["entry/data/data_000001"] = h5py.ExternalLink(f"../{target.name}", "/entry/data/data")


def absolute_link(w: Workspace) -> None:
    target = secret_frames(w)
    with h5py.File(w.sample / "scan_master.h5", "r+") as file:
        del file["entry/data/data_000001"]
        file["entry/data/data_000001"] = h5py.ExternalLink(str(target), "/entry/data/data")


def symbolic_link(w: Workspace) -> None:
    target = secret_frames(w)
    (w.sample / "scan_data_000001.h5").symlink_to(target)


def link_in_the_data_file(w: Workspace) -> None:
    target = secret_frames(w)
    with h5py.File(w.sample / "scan_data_000001.h5", "w") as file:
        file["entry/data/data"] = h5py.ExternalLink(f"../{target.name}", "/entry/data/data")


def virtual_dataset(w: Workspace) -> None:
    target = secret_frames(w)
    layout = h5py.VirtualLayout(shape=(15, *SETUP.detector), dtype=np.uint16)
    layout[:] = h5py.VirtualSource(f"../{target.name}", "/entry/data/data", shape=(15, *SETUP.detector))
    with h5py.File(w.sample / "scan_data_000001.h5", "w") as file:
        data = file.create_virtual_dataset("entry/data/data", layout)
        data.attrs["image_nr_low"], data.attrs["image_nr_high"] = 1, 15


def external_storage(w: Workspace) -> None:
    target = secret(w)
    (w.sample / "scan_data_000001.h5").unlink()
    with h5py.File(w.sample / "scan_data_000001.h5", "w") as file:
        shape = (1, *SETUP.detector)
        where = [(str(target), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("entry/data/data", shape, np.uint16, external=where)


def external_storage_of_metadata(w: Workspace) -> None:
    """Even a file of the sample's own folder is refused as raw storage: the mask is taken from it."""
    (w.sample / "inside.bin").write_bytes(SECRET)
    with h5py.File(w.sample / "scan_master.h5", "r+") as file:
        del file["entry/instrument/detector/pixel_mask"]
        where = [(str(w.sample / "inside.bin"), 0, h5py.h5f.UNLIMITED)]
        file["entry/instrument/detector"].create_dataset("pixel_mask", (10, 10), np.uint32, external=where)


def circle_of_links(w: Workspace) -> None:
    with h5py.File(w.sample / "scan_data_000001.h5", "w") as file:
        file["entry/data/data"] = h5py.SoftLink("/entry/data/data")


POINTING_OUT = (
    external_link,
    absolute_link,
    symbolic_link,
    link_in_the_data_file,
    virtual_dataset,
    external_storage,
    external_storage_of_metadata,
)


@pytest.mark.parametrize("fault", POINTING_OUT, ids=lambda fault: fault.__name__)
def test_a_file_that_points_outside_its_folder_is_refused(
    fault: Callable[[Workspace], None], workspace: Workspace
) -> None:
    fault(workspace)
    before = workspace.state()
    outcome = triptych("reduce", workspace.sample, "--workers", "1")
    assert_refused(outcome, ".h5")
    assert "no reader may show" not in outcome.stderr + outcome.stdout
    assert workspace.state() == before


def test_a_circle_of_links_ends(workspace: Workspace) -> None:
    """A data set that cannot be opened counts as missing or is refused; it never hangs or breaks out."""
    circle_of_links(workspace)
    outcome = triptych("check", workspace.sample)
    assert outcome.code in {0, 1}
    assert len(outcome.stderr.splitlines()) <= 1


# --- names and words -------------------------------------------------------------------------------------


def test_a_hostile_title_is_text_and_nothing_else(workspace: Workspace) -> None:
    workspace.replace(
        '"An oblique crystal"',
        r'"=HYPERLINK(1)\u001b[31m<script>alert(1)</script>\n\r../../etc\u202e"',
    )
    outcome = triptych("check", workspace.sample)
    assert outcome.code == 0, outcome.stderr
    assert "\x1b" not in outcome.stdout + outcome.stderr
    assert "\r" not in outcome.stdout
    assert "HYPERLINK" in outcome.stdout.splitlines()[0]


def test_a_folder_name_that_cannot_be_an_id_is_refused(workspace: Workspace) -> None:
    strange = workspace.sample.rename(workspace.root / "two words;rm")
    assert_refused(triptych("reduce", strange), "two words;rm")
    assert not (workspace.root / "results").exists()


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert_refused(triptych("reduce", tmp_path / "nothing-here"), "nothing-here")
    assert_refused(triptych("check", tmp_path / "nothing-here"), "nothing-here")
    assert_refused(triptych("export", tmp_path / "nothing.h5", "--to", tmp_path / "tables"), "nothing.h5")
    assert_refused(triptych("serve", tmp_path / "no-workspace"), "no-workspace")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_a_result_that_is_not_one_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "result.h5"
    path.write_bytes(content)
    assert_refused(triptych("export", path, "--to", tmp_path / "tables"), "result.h5")
    assert not (tmp_path / "tables").exists()


def test_an_hdf5_file_of_someone_else_is_no_result(workspace: Workspace) -> None:
    outcome = triptych("export", workspace.sample / "scan_master.h5", "--to", workspace.root / "tables")
    assert_refused(outcome, "scan_master.h5")
    assert not (workspace.root / "tables").exists()


def test_a_simulation_never_overwrites_files(workspace: Workspace) -> None:
    before = workspace.state()
    assert_refused(triptych("simulate", workspace.sample), "tiny")
    assert workspace.state() == before


@pytest.mark.parametrize(
    ("address", "words"), [("192.0.2.7:8786", "this machine"), ("127.0.0.1:9", "dask scheduler")]
)
def test_a_scheduler_that_is_open_to_all_or_absent_is_refused(
    workspace: Workspace, address: str, words: str
) -> None:
    before = workspace.state()
    assert_refused(triptych("reduce", workspace.sample, "--scheduler", address), "--scheduler", words)
    assert workspace.state() == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("serve", ".", "--share"), "--share"),
    ],
)
def test_what_is_not_served_yet_is_named(
    arguments: tuple[str, ...], named: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.root)
    before = workspace.state()
    assert_refused(triptych(*arguments), named)
    assert workspace.state() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("reduce",),
        ("reduce", "x", "--no-such-option"),
        ("reduce", "x", "--workers", "0"),
        ("reduce", "x", "--only", "stm"),
        ("export", "x.h5"),
        ("simulate", "x", "--preset", "unobtainium"),
    ],
)
def test_wrong_usage_exits_with_two(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = triptych(*arguments)
    assert outcome.code == 2
    assert "Traceback" not in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_real_program_says_one_sentence_too(workspace: Workspace) -> None:
    gwy_truncated(workspace)
    before = workspace.state()
    assert_refused(triptych_program("reduce", workspace.sample), "map.gwy")
    assert workspace.state() == before


def test_a_place_where_no_folder_can_be_is_told(workspace: Workspace) -> None:
    (workspace.root / "results").write_text("a file where the folder should be", encoding="utf-8")
    before = workspace.state()
    assert_refused(triptych("reduce", workspace.sample), "results")
    assert workspace.state() == before
