"""One sample from ``sample.toml`` to its result file: what is current, what is reduced anew, what is kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from analysis.errors import InputError, ResultError, TriptychError
from analysis.io.edits import edits_json, holding, read_edits
from analysis.io.results import read_header, read_result, write_result
from analysis.io.sample_file import Sample, read_sample, sample_id, sample_path
from analysis.pipeline.afm import afm_inputs, check_afm, reduce_afm
from analysis.pipeline.executors import Crew, checked_address, cluster, threads
from analysis.pipeline.registration import Registered, register
from analysis.pipeline.sem import check_sem, reduce_sem, sem_inputs
from analysis.pipeline.xray import reduce_xray
from analysis.pipeline.xray_check import check_xray
from analysis.pipeline.xray_scan import xray_inputs
from analysis.records import (
    AfmReduction,
    InputFile,
    Provenance,
    Result,
    SemReduction,
    XrayReduction,
)

ALGORITHM = 7
"""Raised whenever the same input would give other numbers: results of another version are not current."""

Modality = Literal["xray", "sem", "afm"]
MODALITIES: tuple[Modality, ...] = ("xray", "sem", "afm")

BlockT = TypeVar("BlockT")
ReductionT = TypeVar("ReductionT")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where the result is, and whether it had to be made."""

    path: Path
    made: bool
    notes: tuple[str, ...] = ()


def software_version() -> str:
    """Name and version of this software as results carry it."""
    try:
        return f"triptych {version('triptych')}"
    except PackageNotFoundError:
        return "triptych (not installed)"


def check_sample(sample: Path, *, plot: Path | None = None) -> list[str]:
    """Completeness report of a sample from metadata alone; raises InputError if it can't be reduced.

    ``plot`` is where a picture of the residuals of a scan's positions goes (``-0``, ``-1`` ... of several).
    """
    path = sample_path(sample)
    parsed = read_sample(path)
    folder = path.resolve().parent
    lines = [f"{sample_id(path)}: {parsed.title}" + (" [simulated]" if parsed.simulated else "")]
    for number, xray in enumerate(parsed.xray):
        picture = plot if len(parsed.xray) == 1 or plot is None else plot.with_stem(f"{plot.stem}-{number}")
        report = check_xray(xray, folder=folder, plot=picture)
        lines += [f"X-ray {number}", *(f"  {line}" for line in report)]
    for number, sem in enumerate(parsed.sem):
        lines += [f"SEM {number}", *(f"  {line}" for line in check_sem(sem, folder=folder))]
    for number, afm in enumerate(parsed.afm):
        lines += [f"AFM {number}", *(f"  {line}" for line in check_afm(afm, folder=folder))]
    return lines


def default_results_folder(sample: Path) -> Path:
    """``results/`` in the folder that holds the sample's own folder."""
    return sample_path(sample).resolve().parent.parent / "results"


def reduce_sample(
    sample: Path,
    *,
    out: Path | None = None,
    only: Sequence[Modality] = MODALITIES,
    workers: int = 2,
    scheduler: str | None = None,
    force: bool = False,
    with_hash: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
) -> Outcome:
    """Reduce one sample to ``out/<id>.h5`` unless that is current.

    A modality that is not in ``only`` is kept from the old result where its part of the sample file and its
    inputs are unchanged, and is left out otherwise. Nothing is written when an input cannot be used.
    """
    if scheduler is not None:
        checked_address(scheduler)
    path = sample_path(sample)
    parsed = read_sample(path)
    folder = path.resolve().parent
    target = (out if out is not None else default_results_folder(path)) / f"{sample_id(path)}.h5"
    check_sample(path)
    inputs = {name: _fingerprints(_paths(parsed, name, folder), folder, with_hash) for name in MODALITIES}
    with _only_one(target):
        old = _old_header(target)
        gone = old is not None and _inputs_gone(old, inputs)
        current = {
            name
            for name in MODALITIES
            if not (force or gone) and _is_current(old, parsed, name, inputs[name], with_hash)
        }
        present = {name for name in MODALITIES if getattr(parsed, name)}
        wanted = present & set(only)
        if (
            old is not None
            and wanted <= current
            and _all_of_it_holds(old, parsed, inputs, edits_json(read_edits(folder)))
        ):
            return Outcome(path=target, made=False)
        made, notes = _reduce_parts(
            parsed,
            folder=folder,
            target=target,
            anew=wanted - current,
            keep=present & current,
            inputs=inputs,
            crew=partial(_crew, workers, scheduler),
            progress=progress,
        )
        progress("writing", 0, 1)
        write_result(target, made)
        shutil.rmtree(_scratch_root(target), ignore_errors=True)
        progress("writing", 1, 1)
    return Outcome(path=target, made=True, notes=notes)


def reregister(sample_folder: Path, result_path: Path) -> Outcome:
    """Register the reductions of a result once more, with the edits that stand in the sample's folder now.

    No raw file is read, and the parameters are those that the result was reduced with.
    """
    with _only_one(result_path):
        old = read_result(result_path)
        edits = read_edits(sample_folder)
        now = edits_json(edits)
        if old.provenance.edits_json == now:
            return Outcome(path=result_path, made=False)
        try:
            sample = Sample.model_validate_json(old.provenance.parameters_json)
        except ValidationError:
            raise ResultError(
                result_path,
                expected="the sample file it was made from",
                found="one of another version",
                remedy="reduce the sample again",
            ) from None
        found = register(sample, xray=old.xray, sem=old.sem, afm=old.afm, edits=holding(edits))
        made = replace(
            old,
            provenance=replace(old.provenance, edits_json=now),
            **{field.name: getattr(found, field.name) for field in fields(found)},
        )
        write_result(result_path, made)
    return Outcome(path=result_path, made=True)


def _reduce_parts(
    sample: Sample,
    *,
    folder: Path,
    target: Path,
    anew: set[Modality],
    keep: set[Modality],
    inputs: dict[Modality, tuple[InputFile, ...]],
    crew: Callable[[], AbstractContextManager[Crew]],
    progress: Progress,
) -> tuple[Result, tuple[str, ...]]:
    """The new result and what is to be told of it; SEM and AFM first, so that their faults cost no scan."""
    kept = read_result(target) if keep else None
    sem: Sequence[SemReduction] = kept.sem if kept is not None and "sem" in keep else ()
    afm: Sequence[AfmReduction] = kept.afm if kept is not None and "afm" in keep else ()
    xray: Sequence[XrayReduction] = kept.xray if kept is not None and "xray" in keep else ()
    if "sem" in anew:
        sem = _each(sample.sem, "SEM", progress, lambda i, b: reduce_sem(b, index=i, folder=folder))
    if "afm" in anew:
        afm = _each(sample.afm, "AFM", progress, lambda i, b: reduce_afm(b, index=i, folder=folder))
    if "xray" in anew:
        scratch = _scratch_root(target) / _digest(sample, inputs["xray"])
        xray = _reduce_scans(sample, folder=folder, scratch=scratch, crew=crew, progress=progress)
    progress("registration", 0, 1)
    edits = read_edits(folder)
    registered = register(sample, xray=xray, sem=sem, afm=afm, edits=holding(edits))
    progress("registration", 1, 1)
    present = {name for name in MODALITIES if getattr(sample, name)}
    notes = tuple(
        f"{name} was not reduced and its old values no longer hold" for name in sorted(present - anew - keep)
    )
    used = tuple(entry for name in MODALITIES if name in anew | keep for entry in inputs[name])
    return _result(sample, registered, sample_name=folder.name, inputs=used, edits=edits_json(edits)), notes


def _reduce_scans(
    sample: Sample,
    *,
    folder: Path,
    scratch: Path,
    crew: Callable[[], AbstractContextManager[Crew]],
    progress: Progress,
) -> tuple[XrayReduction, ...]:
    with crew() as hands:
        return tuple(
            reduce_xray(
                block,
                index=number,
                folder=folder,
                crew=hands,
                scratch=scratch / str(number),
                nanocrystal_size_nm=sample.nanocrystal_size_nm,
                progress=lambda done, total: progress("X-ray", done, total),
            )
            for number, block in enumerate(sample.xray)
        )


def _crew(workers: int, scheduler: str | None) -> AbstractContextManager[Crew]:
    """Threads of this process, or the cluster behind ``scheduler``."""
    if scheduler is None:
        return threads(workers)
    return cluster(scheduler, version=cluster_version())


def cluster_version() -> str:
    """What all workers of a cluster must have in common for the same results."""
    return f"{software_version()}, algorithm {ALGORITHM}"


def _result(
    sample: Sample, registered: Registered, *, sample_name: str, inputs: tuple[InputFile, ...], edits: str
) -> Result:
    return Result(
        sample_id=sample_name,
        title=sample.title,
        composition=sample.composition,
        method=sample.method,
        simulated=sample.simulated,
        nanocrystal_size_nm=sample.nanocrystal_size_nm,
        provenance=Provenance(
            software=software_version(),
            algorithm=ALGORITHM,
            parameters_json=sample.as_json(),
            inputs=inputs,
            edits_json=edits,
        ),
        preparation={name: getattr(sample, name) for name in ("synthesis", "solvent", "substrate")},
        transforms=registered.transforms,
        trends=registered.trends,
        xray=registered.xray,
        sem=registered.sem,
        afm=registered.afm,
        profiles=registered.profiles,
        correlations=registered.correlations,
        summary=registered.summary,
    )


def _each(
    blocks: Sequence[BlockT], what: str, progress: Progress, reduce: Callable[[int, BlockT], ReductionT]
) -> tuple[ReductionT, ...]:
    made = []
    for number, block in enumerate(blocks):
        progress(what, number, len(blocks))
        made.append(reduce(number, block))
    progress(what, len(blocks), len(blocks))
    return tuple(made)


def _paths(sample: Sample, name: Modality, folder: Path) -> list[Path]:
    paths: list[Path] = []
    for xray in sample.xray if name == "xray" else ():
        paths += xray_inputs(xray, folder=folder)
    for sem in sample.sem if name == "sem" else ():
        paths += sem_inputs(sem, folder=folder)
    for afm in sample.afm if name == "afm" else ():
        paths += afm_inputs(afm, folder=folder)
    return list(dict.fromkeys(paths))


def _fingerprints(paths: Iterable[Path], folder: Path, with_hash: bool) -> tuple[InputFile, ...]:
    entries = []
    for path in paths:
        state = path.stat()
        shown = path.resolve()
        shown = shown.relative_to(folder) if shown.is_relative_to(folder) else shown
        sha256 = _sha256(path) if with_hash else ""
        entries.append(
            InputFile(path=shown.as_posix(), size=state.st_size, mtime_ns=state.st_mtime_ns, sha256=sha256)
        )
    return tuple(entries)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _old_header(target: Path) -> Provenance | None:
    try:
        return read_header(target) if target.is_file() else None
    except ResultError:
        return None


def _is_current(
    old: Provenance | None, sample: Sample, name: Modality, inputs: tuple[InputFile, ...], with_hash: bool
) -> bool:
    """Whether the old result's part for one modality is what a new reduction would give."""
    if old is None or old.algorithm != ALGORITHM:
        return False
    try:
        was = Sample.model_validate_json(old.parameters_json)
    except ValidationError:
        return False
    if getattr(was, name) != getattr(sample, name):
        return False
    if name == "xray" and was.nanocrystal_size_nm != sample.nanocrystal_size_nm:
        return False
    known = {entry.path: entry for entry in old.inputs}
    return all(
        (before := known.get(now.path)) is not None
        and (before.size, before.mtime_ns) == (now.size, now.mtime_ns)
        and (not with_hash or before.sha256 == now.sha256)
        for now in inputs
    )


def _inputs_gone(old: Provenance, inputs: dict[Modality, tuple[InputFile, ...]]) -> bool:
    now = {entry.path for entries in inputs.values() for entry in entries}
    return any(entry.path not in now for entry in old.inputs)


def _all_of_it_holds(
    old: Provenance, sample: Sample, inputs: dict[Modality, tuple[InputFile, ...]], edits: str
) -> bool:
    """Whether nothing that the old result was made from has changed since."""
    now = {entry.path: entry for entries in inputs.values() for entry in entries}
    return (old.parameters_json, old.edits_json) == (sample.as_json(), edits) and all(
        (same := now.get(was.path)) is not None and (same.size, same.mtime_ns) == (was.size, was.mtime_ns)
        for was in old.inputs
    )


def _digest(sample: Sample, inputs: tuple[InputFile, ...]) -> str:
    """Name of the scratch folder: interrupted work is picked up only by the very same reduction."""
    xray = [block.model_dump(mode="json") for block in sample.xray]
    text = repr((ALGORITHM, xray, sample.nanocrystal_size_nm, [(e.path, e.size, e.mtime_ns) for e in inputs]))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _scratch_root(target: Path) -> Path:
    return target.parent / f".{target.stem}.scratch"


@contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Hold the right to write one result; on a TriptychError leave no trace of what was begun."""
    folder = target.parent
    begun = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(folder, expected="a folder that can be written", found=str(error.strerror)) from None
    lock = folder / f".{target.stem}.lock"
    handle = _locked(lock)
    try:
        yield
    except TriptychError:
        shutil.rmtree(_scratch_root(target), ignore_errors=True)
        lock.unlink(missing_ok=True)
        for parent in begun:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def _locked(lock: Path) -> int:
    """File descriptor of the lock file, held; waits while another reduction has it."""
    while True:
        try:
            handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise InputError(
                lock.parent, expected="a folder that can be written", found=str(error.strerror)
            ) from None
        fcntl.flock(handle, fcntl.LOCK_EX)
        # The one before us may have removed the file we waited for: then what we hold protects nothing.
        with suppress(FileNotFoundError):
            if lock.stat().st_ino == os.fstat(handle).st_ino:
                return handle
        os.close(handle)
