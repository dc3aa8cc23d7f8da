"""A ``sample.toml`` from what raw files were recognised as; what they do not say is left to be filled in."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import InputError
from analysis.io.sample_file import FILE_NAME, sample_id, write_sample
from analysis.pipeline.recognise import NO_PIXEL_SIZE, Recognised, recognise

MAX_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Where the sample file is, what was recognised, and what is still to be filled in."""

    path: Path
    found: tuple[Recognised, ...]
    open_keys: tuple[str, ...]


def import_sample(paths: list[Path], *, to: Path) -> Imported:
    """Write ``to/sample.toml`` from the files in ``paths``; raises InputError where none is of use.

    A sample file that is there is never written over.
    """
    target = to / FILE_NAME
    sample_id(target)
    if target.exists():
        raise InputError(
            target, expected="no sample file yet", found="one", remedy="remove it, or choose another folder"
        )
    found = recognise(paths)
    blocks: list[tuple[list[str], list[str]]] = _xray(found, to)
    blocks += [_image(each, to) for each in found if each.kind == "sem"]
    blocks += [([f"[[afm]]\nfile = {_quoted(each.path, to)}"], []) for each in found if each.kind == "afm"]
    if not blocks:
        listed = (
            "; ".join(f"{each.path.name}: {each.told}" for each in found[:3]) or "no file of a known kind"
        )
        raise InputError(paths[0], expected="detector frames, SEM images or AFM files", found=listed)
    text = "\n".join([*_head(to.resolve().name), *("\n".join(lines) + "\n" for lines, _ in blocks)])
    write_sample(target, text)
    return Imported(
        path=target, found=tuple(found), open_keys=tuple(key for _, keys in blocks for key in keys)
    )


def _head(name: str) -> list[str]:
    return [
        "format = 1",
        f"title = {json.dumps(name, ensure_ascii=False)}",
        '# composition = "CsPbBr3"',
        '# method = "diffusion"',
        "# nanocrystal_size_nm = [7.45, 0.89]   # mean and standard deviation in solution",
        "",
    ]


def _image(image: Recognised, to: Path) -> tuple[list[str], list[str]]:
    lines = ["[[sem]]", f"image = {_quoted(image.path, to)}   {_comment(image.told)}"]
    if NO_PIXEL_SIZE not in image.told:
        return lines, []
    return [*lines, "# pixel_size_nm = 1.2   # needed: the file does not say it"], ["sem.pixel_size_nm"]


def _xray(found: list[Recognised], to: Path) -> list[tuple[list[str], list[str]]]:
    """A block a scan: its lines, and the keys that are still open in it."""
    scans = [each for each in found if each.kind == "frames"]
    backgrounds = [each for each in found if each.kind == "background"]
    if not scans:
        scans, backgrounds = backgrounds, []
    heading = "[xray]" if len(scans) == 1 else "[[xray]]"
    return [_scan(each, found, backgrounds, heading, to, alone=len(scans) == 1) for each in scans]


def _scan(
    scan: Recognised,
    found: list[Recognised],
    backgrounds: list[Recognised],
    heading: str,
    to: Path,
    *,
    alone: bool,
) -> tuple[list[str], list[str]]:
    lines = [heading, f"frames = {_quoted(scan.path, to, scan.selection)}   {_comment(scan.told)}"]
    shape = None if scan.series is None else scan.series.shape
    fitting = [each for each in backgrounds if each.series is not None and each.series.shape == shape]
    lines += _one_of("background", fitting, to)
    positions = [each for each in found if each.kind == "positions" and _belongs(each, scan, alone=alone)]
    lines += _one_of("positions", positions, to)
    keys = _open_grid(lines, scan, positions)
    calibrations = [each for each in found if each.kind == "calibration"]
    lines += _one_of("poni", calibrations, to)
    lines += _one_of("mask", [each for each in found if each.kind == "mask"], to)
    if len(calibrations) != 1:
        keys += _open_geometry(lines, scan)
    return lines, keys


def _open_grid(lines: list[str], scan: Recognised, positions: list[Recognised]) -> list[str]:
    """Add lines for shape and steps where they are not known; gives the keys that are to be filled in."""
    if len(positions) == 1:
        if "does not say" in positions[0].told:
            lines.append("# step_um = [0.5, 0.5]   # slow, fast: needed, the positions have no unit")
            return ["xray.step_um"]
        return []
    count = "" if scan.series is None else f" of {scan.series.present} frames"
    lines += [
        f"# shape = [61, 61]   # needed: rows (slow) and columns (fast){count}",
        "# step_um = [0.4, 0.4]   # needed: slow, fast",
        "# serpentine = true",
    ]
    return ["xray.shape", "xray.step_um"]


def _open_geometry(lines: list[str], scan: Recognised) -> list[str]:
    """Add lines for what neither the frames' file nor a calibration says."""
    metadata = None if scan.series is None else scan.series.metadata
    wanted = (
        ("energy_kev", "13.0", metadata and metadata.wavelength_nm),
        ("distance_mm", "398.0", metadata and metadata.distance_mm),
        ("beam_center_px", "[1034.5, 1883.0]", metadata and metadata.beam_center_px),
    )
    open_ones = [(name, example) for name, example, known in wanted if known is None]
    lines += [
        f"# {name} = {example}   # needed: the frames' file does not say it" for name, example in open_ones
    ]
    return [f"xray.{name}" for name, _ in open_ones]


def _one_of(key: str, candidates: list[Recognised], to: Path) -> list[str]:
    """The line of a key whose file is the only candidate; all of them as comments where there are several."""
    mark = "" if len(candidates) == 1 else "# "
    return [
        f"{mark}{key} = {_quoted(each.path, to, each.selection)}   {_comment(each.told)}"
        for each in candidates[:20]
    ]


def _belongs(positions: Recognised, scan: Recognised, *, alone: bool) -> bool:
    """Whether positions can be those of a scan: of the same file and scan, folder or name."""
    if positions.path == scan.path:
        return positions.selection == scan.selection
    own = positions.path.stem
    return alone or own in {scan.path.name, scan.path.stem.removesuffix("_master")}


def _quoted(path: Path, to: Path, selection: str = "") -> str:
    """A path as the sample file has it: from its own folder on where it lies below, otherwise the whole."""
    real, folder = path.resolve(), to.resolve()
    shown = os.path.relpath(real, folder) if real.is_relative_to(folder) else str(real)
    try:
        shown.encode()
    except UnicodeEncodeError:
        raise InputError(path, expected="a name in UTF-8", found="other bytes", remedy="rename it") from None
    text = json.dumps(shown + (f"#{selection}" if selection else ""), ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """A comment of one line: what files say of themselves is not to be trusted."""
    return "# " + "".join(char if char.isprintable() else " " for char in text)[:200]
