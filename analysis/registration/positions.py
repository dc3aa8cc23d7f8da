"""Five named points of a scan, Pos1 at the centre to Pos5 at the edge, with their radial profiles."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from analysis.records import XRAY_STATUS, Outline, Position, XrayReduction
from analysis.registration.geometry import own_axes

COUNT = 5
FROM_S, TO_S = 0.9, 0.12
"""Where the first and the last lie on the line from the centre to the nearest edge."""

NOT_OK_CELLS = 2.0
"""A point with a fit is preferred to one without that lies nearer by less than so many cells."""

AS_NEAR = 1.02
"""Sides whose distances differ by less count as equally near."""

Point = tuple[float, float]


def positions_on(scan: XrayReduction, line: tuple[Point, Point]) -> tuple[Position, ...]:
    """Five scan points nearest to even places on the line, all different where the grid has so many.

    Points whose fit is ``ok`` are preferred. They are named in the order of the line.
    """
    (x0, y0), (x1, y1) = line
    x, y = scan.grid.positions_um()
    cell = max(scan.grid.cell_um)
    share = np.linspace(0.0, 1.0, COUNT)
    wanted_x, wanted_y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
    distance = np.hypot(wanted_x[:, None] - x.ravel(), wanted_y[:, None] - y.ravel()) / cell
    cost = distance**2 + np.where(scan.status.ravel() == XRAY_STATUS.index("ok"), 0.0, NOT_OK_CELLS**2)
    enough = x.size >= COUNT
    chosen = linear_sum_assignment(cost)[1] if enough else np.argmin(cost, axis=1)
    along = (x.ravel()[chosen] - x0) * (x1 - x0) + (y.ravel()[chosen] - y0) * (y1 - y0)
    ordered = chosen[np.argsort(along, kind="stable")]
    return tuple(_position(scan, int(place), number) for number, place in enumerate(ordered, start=1))


def centre_to_edge(outline: Outline, scan: XrayReduction) -> tuple[Point, Point]:
    """Ends of the line from near the centre to near the nearest side of the rectangle.

    Of sides that are as near (all four of a square) it is the one with most fitted points along the way.
    """
    A, B = outline.half_sides_um
    x, y = scan.grid.positions_um()
    u, v = own_axes(x, y, centre_um=outline.centre_um, angle_rad=outline.angle_rad)
    ok = scan.status == XRAY_STATUS.index("ok")
    half = min(A, B)

    def fitted(turn: int) -> int:
        along, across = ((u, v), (v, -u), (-u, -v), (-v, u))[turn]
        on_way = (along >= 0.0) & (along <= half) & (np.abs(across) <= max(scan.grid.cell_um))
        return int((on_way & ok).sum())

    turn = max((k for k in range(4) if (A, B)[k % 2] <= AS_NEAR * half), key=fitted)
    angle = outline.angle_rad + 0.5 * np.pi * turn
    first, last = (
        (
            float(outline.centre_um[0] + (1.0 - s) * half * np.cos(angle)),
            float(outline.centre_um[1] - (1.0 - s) * half * np.sin(angle)),
        )
        for s in (FROM_S, TO_S)
    )
    return first, last


def _position(scan: XrayReduction, place: int, number: int) -> Position:
    row, col = divmod(place, scan.grid.shape[1])
    x, y = scan.grid.positions_um()
    return Position(
        name=f"Pos{number}",
        row=row,
        col=col,
        x_um=float(x[row, col]),
        y_um=float(y[row, col]),
        q_per_nm=float(np.mean([_at(scan, name, row, col) for name in ("q1", "q2")])),
        a_sc_nm=_at(scan, "a_sc", row, col),
        intensity=np.asarray(scan.radial[row, col], dtype=np.float64),
        intensity_err=np.asarray(scan.radial_err[row, col], dtype=np.float64),
    )


def _at(scan: XrayReduction, name: str, row: int, col: int) -> float:
    held = scan.maps.get(name)
    return float("nan") if held is None else float(held.values[row, col])
