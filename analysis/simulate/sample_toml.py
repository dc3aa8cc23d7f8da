"""The ``sample.toml`` of a simulated sample."""

from __future__ import annotations

from analysis.simulate.lattice import Scan
from analysis.simulate.presets import Preset
from analysis.simulate.sem import SemFrame


def sample_toml(preset: Preset, *, scan: Scan, sem: SemFrame) -> str:
    """Text of the file; its comments say that and what was simulated or invented."""
    tables = (_head(preset), _xray(preset, scan), _sem(preset, sem), _afm(preset))
    return "\n".join("\n".join(lines) + "\n" for lines in tables)


def _head(preset: Preset) -> list[str]:
    invented = f" ({' and '.join(preset.invented)} invented)" if preset.invented else ""
    mean, std = preset.nanocrystal_size_nm
    return [
        "# Simulated by Triptych after ACS Nano 2025, 19, 26117; truth.h5 holds what was simulated.",
        f"# The paper has of this sample: {', '.join(preset.measured)}.",
        *(f"# Invented here: {name}." for name in preset.invented),
        *(f"# Note: {note}." for note in preset.notes),
        "format = 1",
        f'title = "{preset.title}{invented}"',
        f'composition = "{preset.composition}"',
        f'method = "{preset.method}"',
        "simulated = true",
        f"nanocrystal_size_nm = [{mean}, {std}]",
    ]


def _xray(preset: Preset, scan: Scan) -> list[str]:
    lines = [
        "[xray]",
        'frames = "xray/scan_master.h5"',
        'background = "xray/kapton_master.h5"',
        f"shape = [{scan.shape[0]}, {scan.shape[1]}]",
        f"step_um = [{scan.step_um}, {scan.step_um}]",
        "distance_err_mm = 1.0",
    ]
    if preset.xray.serpentine:
        lines.append("serpentine = true")
    if preset.xray.positions_s is not None:
        half = preset.xray.half_sides_um[1]
        ends = [scan.crystal.position(0.0, (1.0 - s) * half) for s in preset.xray.positions_s]
        shown = ", ".join(f"[{x:.3f}, {y:.3f}]" for x, y in ends)
        first, last = preset.xray.positions_s
        lines.append(f"positions_line_um = [{shown}]  # Pos1 at s = {first} to Pos5 at s = {last}")
    return lines


def _sem(preset: Preset, sem: SemFrame) -> list[str]:
    left, right = sem.edge_and_center_nm
    edge, center = (left, right) if preset.sem.edge_on_left else (right, left)
    return [
        "[[sem]]",
        'image = "sem/monolayer.tif"  # its scale is in monolayer.txt',
        'view = "bottom"',
        f"edge_nm = [{edge[0]}, {edge[1]}]",
        f"center_nm = [{center[0]}, {center[1]}]",
    ]


def _afm(preset: Preset) -> list[str]:
    named = ['height = "Height Sensor"', 'modulus = "DMT Modulus"'] if preset.afm.name_channels else []
    return ["[[afm]]", 'file = "afm/map.gwy"', *named]
