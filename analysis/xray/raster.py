"""The grid behind the positions of a raster scan: noisy read-back values to cells.

Unique values are never counted: read-back values all differ. Positions are in scan order; the pitch of an
axis is the median step, a point's index is its position rounded to the pitch. Where the scan's command says
the order of the points, that places them, and positions only confirm it: after a move back to the start of a
row real motors read half a pitch and more off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MAX_RESIDUAL = 0.25
"""Largest residual in pitches: half way to where rounding turns. Of every point where cells come from
rounding, of the root mean square on each axis where they come from the order of the scan."""

LEAST_FILLED = 0.5
MAX_REPEATED = 0.1
"""Share of the points that may fall into a cell that is taken already (a scan taken up again)."""

MAX_CELLS = 10_000_000
REFINEMENTS = 5
SURE = 0.9


class NoRasterError(ValueError):
    """Positions that are no raster: what was expected and what was found, for the reader to tell."""

    def __init__(self, *, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


@dataclass(frozen=True, kw_only=True)
class Raster:
    """A grid fitted to positions, in their unit.

    ``shape`` and ``step`` are (slow, fast); a step is signed: the way the scan went in its first row and from
    row to row. ``cells`` (n, 2) is the (row, col) of every point in scan order, -1 for one without position
    or whose cell was taken before. ``serpentine`` is None where rows run in neither order. Residuals are
    distances from the cells' centres in pitches: the root mean square and the largest of one axis;
    ``residuals`` (n, 2) are those of every point along the slow and the fast axis, NaN without a position.
    """

    shape: tuple[int, int]
    step: tuple[float, float]
    serpentine: bool | None
    cells: Indices
    residual_rms: float
    residual_max: float
    unplaced: int
    repeated: int
    residuals: Array

    @property
    def empty(self) -> int:
        """Cells without a point."""
        return self.shape[0] * self.shape[1] - int(np.count_nonzero(self.cells[:, 0] >= 0))


@dataclass(frozen=True, kw_only=True)
class _Axis:
    index: Indices
    step: float
    residual: Array


def fit_raster(fast: Array, slow: Array, *, shape: tuple[int, int] | None = None) -> Raster:
    """Fit a grid to positions (n,) of the fast and the slow axis in scan order, NaN where unknown.

    ``position = origin + step * index`` on each axis by least squares. ``shape`` (slow, fast) is the planned
    one, where it is known: a scan that was stopped fills its first rows only. Raises NoRasterError where the
    positions are no grid, lie over 0.25 pitch from it, or fill fewer than half of its cells.
    """
    known = np.isfinite(fast) & np.isfinite(slow)
    if np.count_nonzero(known) < 4:
        raise NoRasterError(
            expected="at least four points with a position", found=f"{np.count_nonzero(known)}"
        )
    columns = _fast_axis(fast[known])
    rows = _slow_axis(slow[known], _runs(columns.index))
    columns, serpentine = _first_row_ascends(columns, rows.index)
    worst = max(float(np.abs(columns.residual).max()), float(np.abs(rows.residual).max()))
    if worst > MAX_RESIDUAL:
        raise NoRasterError(
            expected=f"positions within {MAX_RESIDUAL:g} pitch of a grid", found=f"one {worst:.2g} pitch off"
        )
    found_shape = int(rows.index.max()) + 1, int(columns.index.max()) + 1
    cells = np.full((fast.size, 2), -1, dtype=np.int64)
    cells[known] = np.stack([rows.index, columns.index], axis=1)
    repeated = _without_repeats(cells, found_shape)
    raster = Raster(
        shape=_planned(found_shape, shape),
        step=(rows.step, columns.step),
        serpentine=serpentine,
        cells=cells,
        residual_rms=_rms(np.hypot(columns.residual, rows.residual)),
        residual_max=worst,
        unplaced=int(np.count_nonzero(~known)),
        repeated=repeated,
        residuals=_residuals(known, rows, columns),
    )
    _refuse_thin(raster)
    return raster


def ordered_raster(fast: Array, slow: Array, *, shape: tuple[int, int]) -> Raster:
    """Place points (n,) by their order on a planned grid ``shape`` (slow, fast), NaN where unknown.

    Straight or serpentine, whichever fits the positions better. Raises NoRasterError where either axis is
    over 0.25 pitch (rms) off a regular grid, or fewer than half of the cells are filled.
    """
    number, cells = np.arange(fast.size), shape[0] * shape[1]
    if not LEAST_FILLED * cells <= number.size <= cells:
        raise NoRasterError(
            expected=f"at least half of the {shape[0]} x {shape[1]} points planned, and no more",
            found=f"{number.size} of {cells}",
        )
    known = np.isfinite(fast) & np.isfinite(slow)
    rows, straight = np.divmod(number, shape[1])
    turning = np.where(rows % 2 == 1, shape[1] - 1 - straight, straight)
    serpentine, columns = _straight_or_turning(fast[known], straight[known], turning[known])
    row_axis = _line(slow[known], rows[known])
    for name, axis in (("fast", columns), ("slow", row_axis)):
        if not _rms(axis.residual) <= MAX_RESIDUAL:
            raise NoRasterError(
                expected=f"positions within {MAX_RESIDUAL:g} pitch (rms) of the grid of the scan's command",
                found=f"{_rms(axis.residual):.2g} pitch on the {name} axis, {_worst_row(axis, rows[known])}",
            )
    placed = np.stack([rows, turning if serpentine else straight], axis=1).astype(np.int64)
    placed[~known] = -1
    raster = Raster(
        shape=shape,
        step=(row_axis.step, columns.step),
        serpentine=serpentine,
        cells=placed,
        residual_rms=_rms(np.hypot(columns.residual, row_axis.residual)),
        residual_max=max(float(np.abs(axis.residual).max()) for axis in (columns, row_axis)),
        unplaced=int(np.count_nonzero(~known)),
        repeated=0,
        residuals=_residuals(known, row_axis, columns),
    )
    _refuse_thin(raster)
    return raster


def _straight_or_turning(values: Array, straight: Indices, turning: Indices) -> tuple[bool, _Axis]:
    """Whether columns (n,) turn round with every row, and the better of both lines.

    Exact positions of one order do not move at all with the indices of the other.
    """
    fits: list[tuple[float, bool, _Axis]] = []
    for turns, index in ((False, straight), (True, turning)):
        try:
            axis = _line(values, index)
        except NoRasterError:
            continue
        fits.append((_rms(axis.residual), turns, axis))
    if not fits:
        raise NoRasterError(expected="two axes that move", found="one that does not")
    _, turns, axis = min(fits, key=lambda fit: fit[:2])
    return turns, axis


def _worst_row(axis: _Axis, rows: Indices) -> str:
    """Which row of a scan lies farthest off its grid, and how many do not; ``rows`` (n,) of the points."""
    off = {int(row): _rms(axis.residual[rows == row]) for row in np.unique(rows)}
    worst = max(off, key=lambda row: off[row])
    beyond = sum(residual > MAX_RESIDUAL for residual in off.values())
    return f"most in row {worst} ({off[worst]:.2g}), beyond it in {beyond} of {len(off)} rows"


def _residuals(known: npt.NDArray[np.bool_], slow: _Axis, fast: _Axis) -> Array:
    """Residuals (n, 2) in pitches of all points, NaN where ``known`` (n,) is not."""
    found = np.full((known.size, 2), np.nan)
    found[known] = np.stack([slow.residual, fast.residual], axis=1)
    return found


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def fast_first(one: Array, other: Array) -> bool:
    """Whether ``one`` is the fast axis: the one whose median step is the larger part of its span."""
    return _median_share(one) >= _median_share(other)


def _median_share(values: Array) -> float:
    known = values[np.isfinite(values)]
    if known.size < 2 or np.ptp(known) == 0.0:
        return 0.0
    return float(np.median(np.abs(np.diff(known))) / np.ptp(known))


def _fast_axis(values: Array) -> _Axis:
    steps = np.diff(values)
    pitch = float(np.median(np.abs(steps)))
    if pitch <= 0.0 or not np.isfinite(pitch):
        raise NoRasterError(expected="a fast axis that moves from point to point", found="one at rest")
    return _fitted(values, _walked(steps, pitch))


def _slow_axis(values: Array, runs: Indices) -> _Axis:
    """Index of the row of each point; ``runs`` (n,) numbers the passes along the fast axis."""
    count = int(runs[-1]) + 1
    if count < 2:
        raise NoRasterError(expected="at least two rows", found="a one-dimensional scan")
    order = np.flatnonzero(np.diff(runs, prepend=-1))
    levels = np.array([np.median(part) for part in np.split(values, order[1:])])
    steps = np.diff(levels)
    pitch = float(np.median(np.abs(steps)))
    if pitch <= 0.0 or not np.isfinite(pitch):
        raise NoRasterError(expected="a slow axis that moves from row to row", found="one at rest")
    axis = _fitted(values, _walked(steps, pitch)[runs])
    backwards = axis.index[-1] < axis.index[0]
    return _turned(axis) if backwards else axis


def _walked(steps: Array, pitch: float) -> Indices:
    """Indices from the first point on: the steps, each rounded, summed up."""
    whole = np.rint(steps / pitch)
    if np.abs(whole).sum() > MAX_CELLS:
        raise NoRasterError(expected="steps of one size", found="steps many times their median")
    return np.concatenate([[0], np.cumsum(whole)]).astype(np.int64)


def _line(values: Array, index: Indices) -> _Axis:
    """Least-squares line of position against index, and what is left of it in pitches."""
    spread = index - index.mean() if index.size else np.zeros(0)
    moved = float(np.sum(spread * (values - values.mean()))) if index.size else 0.0
    if moved == 0.0 or not np.isfinite(moved):
        raise NoRasterError(expected="two axes that move", found="one that does not")
    step = moved / float(np.sum(spread**2))
    return _Axis(index=index, step=step, residual=(values - values.mean()) / step - spread)


def _fitted(values: Array, index: Indices) -> _Axis:
    """Line through position against index, indices rounded anew until they stay; the least index is 0."""
    axis = _line(values, index)
    for _ in range(REFINEMENTS):
        turned = np.rint(axis.residual).astype(np.int64)
        if not turned.any():
            break
        axis = _line(values, axis.index + turned)
    return _Axis(index=axis.index - axis.index.min(), step=axis.step, residual=axis.residual)


def _turned(axis: _Axis) -> _Axis:
    return _Axis(index=axis.index.max() - axis.index, step=-axis.step, residual=-axis.residual)


def _runs(columns: Indices) -> Indices:
    """Number (n,) of the pass along the fast axis of every point: a new one where its direction ends."""
    runs = np.zeros(columns.size, dtype=np.int64)
    direction = 0
    for at, step in enumerate(np.sign(np.diff(columns)), start=1):
        ends = step == 0 or (direction != 0 and step != direction)
        runs[at] = runs[at - 1] + ends
        direction = 0 if ends else int(step)
    return runs


def _first_row_ascends(columns: _Axis, rows: Indices) -> tuple[_Axis, bool | None]:
    """Columns numbered the way the first row was scanned, and whether odd rows go back."""
    same_row = np.diff(rows) == 0
    steps = np.sign(np.diff(columns.index))[same_row]
    parity = 1 - 2 * (rows[1:][same_row] % 2)
    counted = max(1, int(np.count_nonzero(steps)))
    straight, turning = float(steps.sum()) / counted, float((steps * parity).sum()) / counted
    serpentine = None  # rows that run in neither order: cells come from the positions all the same
    if abs(straight) >= SURE or abs(turning) >= SURE:
        serpentine = abs(turning) > abs(straight)
    first = turning if serpentine else straight
    return (_turned(columns) if first < 0 else columns), serpentine


def _without_repeats(cells: Indices, shape: tuple[int, int]) -> int:
    """Take the cell from all but the first point in it; gives how many lost theirs."""
    if shape[0] * shape[1] > MAX_CELLS:
        raise NoRasterError(expected=f"at most {MAX_CELLS} cells", found=f"{shape[0]} x {shape[1]}")
    placed = np.flatnonzero(cells[:, 0] >= 0)
    flat = cells[placed, 0] * shape[1] + cells[placed, 1]
    _, first = np.unique(flat, return_index=True)
    later = np.setdiff1d(np.arange(placed.size), first)
    if later.size > MAX_REPEATED * placed.size:
        raise NoRasterError(
            expected="one point in a cell", found=f"{later.size} of {placed.size} in cells that were taken"
        )
    cells[placed[later]] = -1
    return int(later.size)


def _planned(found: tuple[int, int], shape: tuple[int, int] | None) -> tuple[int, int]:
    """The planned shape, where the rows found are its first; the one found without a plan."""
    if shape is None:
        return found
    if found[1] != shape[1] or found[0] > shape[0]:
        raise NoRasterError(
            expected=f"a grid of {shape[0]} x {shape[1]} (slow, fast)",
            found=f"positions on {found[0]} x {found[1]}",
        )
    return shape


def _refuse_thin(raster: Raster) -> None:
    cells = raster.shape[0] * raster.shape[1]
    if cells - raster.empty < LEAST_FILLED * cells:
        raise NoRasterError(
            expected=f"at least half of the {raster.shape[0]} x {raster.shape[1]} cells filled",
            found=f"{cells - raster.empty} of {cells}",
        )
    if min(raster.shape) < 2:
        raise NoRasterError(expected="at least two rows and two columns", found="a one-dimensional scan")
