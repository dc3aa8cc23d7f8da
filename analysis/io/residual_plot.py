"""How far the positions of a scan lie from its grid: as lines of plain text, and as a picture (SVG)."""

from __future__ import annotations

from html import escape

import numpy as np
import numpy.typing as npt

from analysis.io.scan_positions import ScanRaster
from analysis.xray.raster import MAX_RESIDUAL

Array = npt.NDArray[np.float64]

MAX_LINES = 16
BAR_SIGNS = 20
BAR_PITCH = 0.5
WIDTH, HEIGHT, LEFT, TOP, GAP = 760, 190, 64, 34, 46
COLOURS = ("#0b6e99", "#b3541e")


def residual_lines(raster: ScanRaster) -> list[str]:
    """Root mean square residual of both axes, row by row of the scan (several rows a line in a tall scan)."""
    placed = raster.cells[:, 0] >= 0
    rows, residuals = raster.cells[placed, 0], raster.residuals[placed]
    lines = [
        f"positions: rms residual by row of the scan, in pitches; a bar is full at {BAR_PITCH:g}, "
        f"'|' is at {MAX_RESIDUAL:g}"
    ]
    groups = np.array_split(np.arange(raster.shape[0]), min(MAX_LINES, raster.shape[0]))
    width = len(str(raster.shape[0] - 1))
    for group in groups:
        inside = np.isin(rows, group)
        if not inside.any():
            continue
        slow, fast = np.sqrt(np.mean(residuals[inside] ** 2, axis=0))
        named = f"{group[0]:>{width}}" + (f"-{group[-1]:<{width}}" if group.size > 1 else "")
        lines.append(
            f"positions: row {named} {raster.names[0]} [{_bar(fast)}] {fast:.3f} "
            f"{raster.names[1]} [{_bar(slow)}] {slow:.3f}"
        )
    return lines


def _bar(value: float) -> str:
    filled = round(min(value / BAR_PITCH, 1.0) * BAR_SIGNS)
    signs = ["#"] * filled + [" "] * (BAR_SIGNS - filled)
    limit = round(MAX_RESIDUAL / BAR_PITCH * BAR_SIGNS)
    if filled <= limit:
        signs[limit] = "|"
    return "".join(signs)


def residual_svg(raster: ScanRaster) -> str:
    """A picture of the residuals of every frame on both axes, in pitches, with the limit dashed."""
    top = max(BAR_PITCH, float(np.nanmax(np.abs(raster.residuals), initial=0.0)))
    height = TOP + 2 * (HEIGHT + GAP)
    panels = [
        _panel(raster.residuals[:, axis], name, COLOURS[at], TOP + at * (HEIGHT + GAP), top)
        for at, (axis, name) in enumerate(
            ((1, raster.names[0] + " (fast)"), (0, raster.names[1] + " (slow)"))
        )
    ]
    title = (
        f"{raster.path.name}: residual {raster.residual_rms:.3g} pitch rms, {raster.residual_max:.3g} at most"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text x="{LEFT}" y="20">{escape(title)}</text>',
            *panels,
            "</svg>",
            "",
        ]
    )


def _panel(values: Array, name: str, colour: str, y0: int, top: float) -> str:
    """One axis: a dot a frame, frames from left to right, residuals from -top to top upwards."""
    inner = WIDTH - LEFT - 16

    def height_of(value: float) -> float:
        return y0 + HEIGHT * (0.5 - 0.5 * value / top)

    step = inner / max(1, values.size - 1)
    dots = "".join(
        f"M{LEFT + step * at:.1f} {height_of(value):.1f}h0"
        for at, value in enumerate(values)
        if np.isfinite(value)
    )
    lines = [
        f'<rect x="{LEFT}" y="{y0}" width="{inner}" height="{HEIGHT}" fill="none" stroke="#888888"/>',
        f'<path d="{dots}" stroke="{colour}" stroke-width="3" stroke-linecap="round" fill="none"/>',
    ]
    for value, dash in ((0.0, ""), (MAX_RESIDUAL, "4 3"), (-MAX_RESIDUAL, "4 3")):
        y = height_of(value)
        lines.append(
            f'<path d="M{LEFT} {y:.1f}h{inner}" stroke="#888888" stroke-dasharray="{dash or "none"}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    lines.append(
        f'<text x="{LEFT}" y="{y0 + HEIGHT + 16}">{escape(name)}: residual in pitches, '
        f"frames 1 to {values.size}</text>"
    )
    return "\n".join(lines)
