"""Links and storage are audited before anything is read, and followed by hand."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from analysis.errors import InputError
from analysis.io.hdf5_safety import AuditedFile, damage_told, named_file, open_audited


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside.h5"
    with h5py.File(path, "w") as file:
        file["secret"] = np.arange(5)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inside").mkdir()
    with h5py.File(tmp_path / "inside" / "data.h5", "w") as file:
        file["a/b"] = np.arange(3)
    return tmp_path / "inside"


def linked(folder: Path, target: object, name: str = "link") -> Path:
    path = folder / "master.h5"
    with h5py.File(path, "w") as file:
        file.create_group("deep/er")
        file["deep/er"][name] = target
    return path


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("name", ["../outside.h5", "/etc/passwd", "sub/../../outside.h5", "a\0b"])
def test_no_link_leaves_the_folder(folder: Path, name: str) -> None:
    if "\0" in name:
        with pytest.raises(InputError):
            named_file(name, by=folder / "master.h5")
        return
    with pytest.raises(InputError, match="below its own folder"):
        open_audited(linked(folder, h5py.ExternalLink(name, "/secret")))


def test_a_symbolic_link_is_no_way_out(folder: Path, outside: Path) -> None:
    (folder / "data_out.h5").symlink_to(outside)
    with pytest.raises(InputError, match="below its own folder"):
        open_audited(linked(folder, h5py.ExternalLink("data_out.h5", "/secret")))


@pytest.mark.usefixtures("outside")
def test_a_link_of_a_linked_file_is_audited_too(folder: Path) -> None:
    with h5py.File(folder / "data.h5", "r+") as file:
        file["out"] = h5py.ExternalLink("../outside.h5", "/secret")
    with pytest.raises(InputError, match=r"data\.h5"):
        open_audited(linked(folder, h5py.ExternalLink("data.h5", "/a")))


@pytest.mark.usefixtures("outside")
def test_virtual_sources_and_raw_storage_are_audited(folder: Path) -> None:
    layout = h5py.VirtualLayout(shape=(5,), dtype=np.int64)
    layout[:] = h5py.VirtualSource("../outside.h5", "secret", shape=(5,))
    with h5py.File(folder / "v.h5", "w") as file:
        file.create_virtual_dataset("v", layout)
    with pytest.raises(InputError, match="below its own folder"):
        open_audited(folder / "v.h5")
    with h5py.File(folder / "raw.h5", "w") as file:
        file.create_dataset("r", (4,), np.uint8, external=[(str(folder / "data.h5"), 0, 4)])
    with pytest.raises(InputError, match="external raw storage"):
        open_audited(folder / "raw.h5")


def test_good_links_are_followed_and_bad_ones_give_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "master.h5"
    with h5py.File(path, "w") as file:
        file["soft"] = h5py.SoftLink("/ext/b")
        file["ext"] = h5py.ExternalLink("data.h5", "/a")
        file["gone"] = h5py.ExternalLink("missing.h5", "/a")
        file["nowhere"] = h5py.SoftLink("/not/there")
        file["circle"] = h5py.SoftLink("/circle")
        file["group/relative"] = h5py.SoftLink("value")
        file["group/value"] = 7
    # HDF5 itself would look for missing.h5 in the working folder too
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    with h5py.File(elsewhere / "missing.h5", "w") as file:
        file["a"] = 1
    monkeypatch.chdir(elsewhere)
    with AuditedFile(path) as file:
        found = file.dataset("/soft")
        assert found is not None
        assert found[()].tolist() == [0, 1, 2]
        relative = file.dataset("/group/relative")
        assert relative is not None
        assert relative[()] == 7
        for name in ("/gone", "/nowhere", "/circle", "/group/value/below", "/none"):
            assert file.get(name) is None
        assert {each.name for each in file.files} == {"master.h5", "data.h5"}


def test_a_file_that_must_stand_alone_names_no_other(folder: Path) -> None:
    with pytest.raises(InputError, match="stands alone"):
        open_audited(linked(folder, h5py.ExternalLink("data.h5", "/a")), alone=True)
    with open_audited(folder / "data.h5", alone=True) as file:
        assert "a" in file


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n" + b"\0" * 90])
def test_what_is_no_hdf5_file_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.h5").write_bytes(content)
    for path in (tmp_path / "x.h5", tmp_path / "absent.h5"):
        with pytest.raises(InputError, match="expected an HDF5 file"):
            open_audited(path)


def test_a_byte_changed_anywhere_is_read_or_told_in_a_sentence(folder: Path) -> None:
    """Audit and reading of the whole tree raise nothing but the one typed error."""
    path = folder / "data.h5"
    whole = path.read_bytes()
    outcomes = set()
    for at in range(0, len(whole), 11):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            with damage_told(path), AuditedFile(path) as file:
                dataset = file.dataset("/a/b")
                outcomes.add("nothing" if dataset is None else str(dataset[()].size))
        except InputError as error:
            outcomes.add("lines" if "\n" in str(error) else "sentence")
    assert {"3", "sentence"} <= outcomes
    assert "lines" not in outcomes


def test_names_that_are_no_text_are_passed_over(folder: Path) -> None:
    from analysis.io.detector_files import read_frames

    with h5py.File(folder / "odd.h5", "w") as file:
        file.create_group(b"\xff\xfe")
        file["frames"] = np.zeros((2, 20, 20), np.uint16)
    assert read_frames(folder, "odd.h5").present == 2
