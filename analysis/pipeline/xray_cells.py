"""Which frames of a scan are there, cell by cell of its grid, and whether its rows lie the right way."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from analysis.io.stored_sizes import stored_sizes
from analysis.pipeline.xray_scan import Scan
from analysis.xray.row_order import row_order

Numbers = npt.NDArray[np.int64]

MAX_LISTED = 8


def cell_lines(scan: Scan) -> list[str]:
    """Frames expected, present, missing and extra, the cells they belong to, and the order of rows."""
    present, sizes = stored_sizes(scan.series)
    numbers = scan.numbers
    wanted = numbers > 0
    there = np.isin(numbers, present) & wanted
    extra = np.setdiff1d(present, numbers)
    rows, cols = scan.grid.shape
    expected, found = int(wanted.sum()), int(there.sum())
    lines = [
        f"frames: {expected} expected ({rows} x {cols}), {found} present, {expected - found} missing, "
        f"{extra.size} extra"
    ]
    if found < expected:
        lines.append(f"missing, (row, column): {_cells(wanted & ~there)}")
    if extra.size:
        lines.append(f"extra: image numbers {_ranges(extra)} belong to no cell")
    return [*lines, order_line(scan, _on_grid(numbers, present, sizes))]


def order_line(scan: Scan, values: npt.NDArray[np.float64]) -> str:
    """What neighbouring rows of ``values`` (rows, cols) say of the order that was given or found."""
    order = row_order(values)
    serpentine = scan.block.serpentine if scan.raster is None else scan.raster.serpentine
    whose = "serpentine = " + str(bool(serpentine)).lower()
    if scan.raster is not None:
        whose += f", from {scan.raster.path.name},"
    alike = f"rows correlate {order.as_placed:.2f}, every other one turned round {order.turned:.2f}"
    if order.right is None:
        why = alike if np.isfinite(order.as_placed) else "too few rows, or all frames are stored alike"
        return f"row order: {whose} is neither confirmed nor contradicted by the frames ({why})"
    if order.right:
        return f"row order: {whose} is confirmed by the frames ({alike})"
    remedy = (
        f"set serpentine = {str(not scan.block.serpentine).lower()}"
        if scan.raster is None
        else "are these the positions of this scan?"
    )
    return f"row order: {whose} is contradicted by the frames ({alike}): {remedy}"


def _on_grid(numbers: Numbers, present: Numbers, sizes: Numbers) -> npt.NDArray[np.float64]:
    """Logarithm of the stored bytes of each cell's frame (rows, cols), NaN without one."""
    values = np.full(numbers.shape, np.nan)
    known = np.isin(numbers, present)
    values[known] = np.log(sizes[np.searchsorted(present, numbers[known])])
    return values


def _cells(missing: npt.NDArray[np.bool_]) -> str:
    """Cells as text: whole rows together, other cells as ranges of columns."""
    whole = np.flatnonzero(missing.all(axis=1))
    listed = [f"row{'s' if '-' in part else ''} {part} whole" for part in _parts(whole)]
    for row in np.setdiff1d(np.flatnonzero(missing.any(axis=1)), whole):
        listed += [f"({row}, {part})" for part in _parts(np.flatnonzero(missing[row]))]
    return ", ".join(listed[:MAX_LISTED]) + (", ..." if len(listed) > MAX_LISTED else "")


def _ranges(numbers: Numbers) -> str:
    parts = list(itertools.islice(_parts(numbers), MAX_LISTED + 1))
    return ", ".join(parts[:MAX_LISTED]) + (", ..." if len(parts) > MAX_LISTED else "")


def _parts(numbers: Numbers) -> Iterable[str]:
    """Ascending whole numbers as ranges: 3, 7-9."""
    for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1):
        if run.size:
            yield str(run[0]) if run.size == 1 else f"{run[0]}-{run[-1]}"
