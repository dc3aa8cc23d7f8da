"""What an HDF5 file points at, looked at before anything in it is read.

An HDF5 file can name other files: external links, sources of virtual datasets, external raw storage. The
library follows them without a word, wherever they lead, and looks for what it does not find in the working
folder too. Here every link and every dataset's storage is audited when a file is opened, and links are
followed by hand: targets must stay below the folder of the file that names them, after symbolic links are
resolved; external raw storage is always refused.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
from h5py import h5d, h5f, h5g, h5i, h5l, h5o, h5p

from analysis.errors import InputError

MAX_OBJECTS = 200_000
MAX_LINKS_IN_A_ROW = 16
SAME_FILE = "."


@dataclass(frozen=True, kw_only=True)
class VirtualPart:
    """One mapping of a virtual dataset: its place in it, and the source's path, dataset and place there.

    Places are (start, stop) of each dimension, both ends as HDF5 gives the bounds of a selection (stop
    excluded). ``path`` is None where the source is the file itself.
    """

    at: tuple[tuple[int, int], ...]
    path: Path | None
    dataset: str
    source_at: tuple[tuple[int, int], ...]


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Turn what h5py raises over a damaged file, in any of its calls, into one sentence about ``path``."""
    try:
        yield
    except PermissionError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        text = " ".join(str(error).split())[:160]
        raise InputError(
            path, expected="a whole file", found=f"one that is damaged ({text})", remedy="copy it again"
        ) from None


def open_audited(path: Path, *, alone: bool = False, follow: bool = True) -> h5py.File:
    """Open an HDF5 file for reading after its links and storage were audited.

    With ``alone`` the file must name no other file at all (as a result must). Without ``follow`` the files
    that it names are not audited in their turn. Raises InputError; nothing of the content is read before.
    """
    real = path.resolve()
    file = _opened(path, real)
    try:
        with damage_told(path):
            named = _named_files(file.id, path=path, alone=alone)
    except Exception:
        file.close()
        raise
    if follow:
        _audit_named(named, seen={real})
    return file


def _audit_named(named: set[Path], *, seen: set[Path]) -> None:
    waiting = sorted(named - seen)
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if not path.is_file():
            continue
        with _opened(path, path) as file, damage_told(path):
            waiting += sorted(_named_files(file.id, path=path, alone=False) - seen)


def _opened(shown: Path, real: Path) -> h5py.File:
    if not real.is_file():
        raise InputError(shown, expected="an HDF5 file", found="no file there")
    try:
        return h5py.File(real, "r", locking=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            shown, expected="an HDF5 file", found=f"one that cannot be opened ({error})"
        ) from None


def named_file(name: str, *, by: Path) -> Path:
    """Real path of a file that ``by`` names; raises InputError where it leaves the folder of ``by``."""
    folder = by.resolve().parent
    target = Path(os.path.realpath(folder / name)) if "\0" not in name else Path("/")
    if not target.is_relative_to(folder):
        raise InputError(
            by,
            expected="links to files below its own folder only",
            found=f"one to {name!r}",
            remedy="move the file that is meant beside this one",
        )
    return target


def _named_files(file_id: h5f.FileID, *, path: Path, alone: bool) -> set[Path]:
    """Audit one file: every object reachable by hard links, once; gives the other files that it names."""
    named: set[Path] = set()
    root = h5g.open(file_id, b"/")
    seen = {_token(root)}
    waiting: list[h5g.GroupID] = [root]
    while waiting:
        group = waiting.pop()
        for name in _names(group):
            kind = group.links.get_info(name).type
            if kind == h5l.TYPE_HARD:
                found = _opened_once(group, name, seen, path)
                if isinstance(found, h5g.GroupID):
                    waiting.append(found)
                elif isinstance(found, h5d.DatasetID):
                    named |= _storage_files(found, path)
            elif kind == h5l.TYPE_EXTERNAL:
                named.add(named_file(_text(group.links.get_val(name)[0]), by=path))
            elif kind != h5l.TYPE_SOFT:
                raise InputError(
                    path, expected="links of the usual kinds", found=f"another at {_text(name)!r}"
                )
    if alone and named:
        raise InputError(
            path, expected="a file that stands alone", found=f"links to {sorted(named)[0].name!r}"
        )
    return named


def _names(group: h5g.GroupID) -> list[bytes]:
    names: list[bytes] = []
    group.links.iterate(names.append)
    return names


def _opened_once(group: h5g.GroupID, name: bytes, seen: set[tuple[int, int]], path: Path) -> object:
    try:
        found = h5o.open(group, name)
        token = _token(found)
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        raise InputError(path, expected="readable HDF5 objects", found=f"a damaged one ({error})") from None
    if token in seen:
        return None
    seen.add(token)
    if len(seen) > MAX_OBJECTS:
        raise InputError(path, expected=f"at most {MAX_OBJECTS} HDF5 objects", found="more")
    return found


def _token(found: h5i.ObjectID) -> tuple[int, int]:
    info = h5o.get_info(found)
    return info.fileno, info.addr


def _storage_files(dataset: h5d.DatasetID, path: Path) -> set[Path]:
    """Files that a dataset takes its values from; raises InputError for external raw storage."""
    plist = dataset.get_create_plist()
    if plist.get_external_count() > 0:
        raise InputError(
            path,
            expected="values stored in the file itself",
            found=f"external raw storage of {_text(h5i.get_name(dataset) or b'?')!r}",
            remedy="copy the dataset into an ordinary one",
        )
    if plist.get_layout() != h5d.VIRTUAL:
        return set()
    names = {_text(plist.get_virtual_filename(part)) for part in range(plist.get_virtual_count())}
    return {named_file(name, by=path) for name in names if name != SAME_FILE}


def _text(raw: bytes | str) -> str:
    return raw if isinstance(raw, str) else raw.decode("utf-8", "replace")


def virtual_parts(dataset: h5py.Dataset, *, by: Path) -> list[VirtualPart]:
    """Mappings of a virtual dataset; ``by`` is the file that holds it."""
    plist: h5p.PropDCID = dataset.id.get_create_plist()
    parts = []
    for number in range(plist.get_virtual_count()):
        name = _text(plist.get_virtual_filename(number))
        at = _bounds(plist.get_virtual_vspace(number), by=by, label=dataset.name)
        source_at = _bounds(plist.get_virtual_srcspace(number), by=by, label=dataset.name)
        parts.append(
            VirtualPart(
                at=at,
                path=None if name == SAME_FILE else named_file(name, by=by),
                dataset=_text(plist.get_virtual_dsetname(number)),
                # "all of the source" carries no extent of its own
                source_at=source_at or tuple((0, stop - start) for start, stop in at),
            )
        )
    return parts


def _bounds(space: h5py.h5s.SpaceID, *, by: Path, label: str) -> tuple[tuple[int, int], ...]:
    """Bounds of a selection without gaps; raises InputError for one that skips."""
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return tuple((0, int(size)) for size in space.get_simple_extent_dims())
    low, high = space.get_select_bounds()
    bounds = tuple((int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    if space.get_select_npoints() != math.prod(stop - start for start, stop in bounds):
        raise InputError(
            by, field=label, expected="virtual parts in one piece", found="one that skips frames or pixels"
        )
    return bounds


class AuditedFile:
    """An audited file whose links are followed by hand, in it and in the files that it names.

    A link that leads nowhere (a file or an object that is not there) gives None, never an error: detectors
    leave such links behind when a run is aborted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack = ExitStack()
        self._files: dict[Path, h5py.File] = {}
        self.root = self._keep(path.resolve(), open_audited(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _keep(self, path: Path, file: h5py.File) -> h5py.File:
        self._files[path] = self._stack.enter_context(file)
        return file

    @property
    def files(self) -> list[Path]:
        """Real paths of every file opened so far."""
        return list(self._files)

    def file(self, path: Path) -> h5py.File | None:
        """One of the files that were named, or None where it is not there."""
        if path in self._files:
            return self._files[path]
        return self._keep(path, open_audited(path)) if path.is_file() else None

    def get(self, name: str) -> h5py.Dataset | h5py.Group | None:
        """The object at an absolute path of the file, through any links, or None."""
        return self.at(self.root, name)

    def at(self, file: h5py.File, name: str) -> h5py.Dataset | h5py.Group | None:
        """The same in one of the other files."""
        return self._follow(file["/"], [part for part in name.split("/") if part], MAX_LINKS_IN_A_ROW)

    def dataset(self, name: str) -> h5py.Dataset | None:
        """The dataset at an absolute path, or None."""
        found = self.get(name)
        return found if isinstance(found, h5py.Dataset) else None

    def _follow(
        self, group: h5py.Group, parts: list[str], links_left: int
    ) -> h5py.Dataset | h5py.Group | None:
        here: h5py.Dataset | h5py.Group = group
        while parts:
            if not isinstance(here, h5py.Group):
                return None
            name, parts = parts[0], parts[1:]
            # "name in group" would follow the link already.
            link = here.get(name, getlink=True) if here.id.links.exists(name.encode()) else None
            if link is None or links_left <= 0:
                return None
            if isinstance(link, h5py.HardLink):
                here = here[name]
                continue
            start: h5py.Group = here
            if isinstance(link, h5py.ExternalLink):
                target = self.file(named_file(link.filename, by=Path(here.file.filename)))
                if target is None:
                    return None
                start = target["/"]
            elif link.path.startswith("/"):
                start = here.file["/"]
            inside = [part for part in link.path.split("/") if part and part != "."]
            return self._follow(start, inside + parts, links_left - 1)
        return here
