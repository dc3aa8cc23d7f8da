"""From one instrument's frame to another's: landmarks in pairs, or outline to outline.

A transform takes positions (x, y) in um, y down, of the source to those of the target:
``(x', y', 1) = matrix @ (x, y, 1)``. Kinds: ``translation`` (2 parameters), ``rigid`` (turn and shift, 3),
``similarity`` (scale as well, 4), ``affine`` (6). Where one side is seen from below, the source is mirrored
(x to -x) before anything else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from analysis.records import Array, Outline
from analysis.registration.geometry import signed_distance_um
from analysis.registration_records import Transform

PARAMETERS = {"translation": 2, "rigid": 3, "similarity": 4, "affine": 6}
FEWEST_PAIRS = {"translation": 1, "rigid": 2, "similarity": 2, "affine": 3}
SAMPLES = 240
"""Points along an outline that are laid upon the other."""

SIDES = 4
"""An outline's error moves a side as a whole: it counts as so many independent errors."""


def error_um(transform: Transform, x_um: npt.ArrayLike, y_um: npt.ArrayLike) -> Array:
    """1 sigma of transformed places, root of the sum over both directions, of the places' shape."""
    x, y = np.asarray(x_um, dtype=np.float64), np.asarray(y_um, dtype=np.float64)
    derivatives = _design(transform.kind, transform.mirrored, transform.matrix, x.ravel(), y.ravel())
    variance = np.einsum("nip,pq,niq->n", derivatives, transform.covariance, derivatives)
    return np.asarray(np.sqrt(variance).reshape(x.shape), dtype=np.float64)


def turn_deg(transform: Transform) -> float:
    """Rotation in degrees, counter-clockwise as displayed (after mirroring, where there is one)."""
    m = transform.matrix @ _mirror(transform.mirrored)
    return float(np.degrees(np.arctan2(m[0, 1] - m[1, 0], m[0, 0] + m[1, 1])))


def inverted(transform: Transform) -> Transform:
    """The transform from target to source; its error is not carried over (NaN), its landmarks are."""
    return replace(
        transform,
        matrix=transform.inverse(),
        covariance=np.full_like(transform.covariance, np.nan),
        residuals_um=np.empty((0, 2)),
        leave_one_out_um=np.empty(0),
        landmarks_um=transform.landmarks_um[:, [2, 3, 0, 1]],
        source=transform.target,
        target=transform.source,
    )


def transform_json(transform: Transform) -> dict[str, object]:
    """What is exported: matrices in both directions, units, residuals."""
    residual, left = transform.residuals_um, transform.leave_one_out_um
    left = left[np.isfinite(left)]
    return {
        "from": transform.source,
        "to": transform.target,
        "kind": transform.kind,
        "mirrored": transform.mirrored,
        "units": "um",
        "convention": "(x', y', 1) = matrix (x, y, 1); x to the right, y down",
        "matrix": transform.matrix.tolist(),
        "inverse": transform.inverse().tolist(),
        "scale": transform.scale,
        "turn_deg": turn_deg(transform),
        "landmarks_um": transform.landmarks_um.tolist(),
        "residual_rms_um": float(np.sqrt(np.mean(np.sum(residual**2, axis=1)))) if residual.size else None,
        "leave_one_out_rms_um": float(np.sqrt(np.mean(left**2))) if left.size else None,
    }


def landmark_transform(
    source_um: Array, target_um: Array, *, kind: str, mirrored: bool = False, error_um: float | None = None
) -> Transform:
    """The transform of a kind that brings landmarks (n, 2) of the source nearest to those of the target.

    ``error_um`` is 1 sigma of a picked place in each direction; without one it is taken from the residuals,
    and not known where there are only as many pairs as the kind needs. Raises ValueError for too few pairs,
    or landmarks on one place or line that leave the kind undetermined.
    """
    source, target = np.asarray(source_um, dtype=np.float64), np.asarray(target_um, dtype=np.float64)
    if len(source) < FEWEST_PAIRS[kind]:
        raise ValueError(f"{kind} needs {FEWEST_PAIRS[kind]} pairs of landmarks, found {len(source)}")
    if not _determined(source, kind):
        raise ValueError(f"the landmarks of the source lie on one place or line: they don't fix a {kind} map")
    matrix = _fitted(source, target, kind, mirrored)
    residuals = target - _mapped(matrix, source)
    left_out = np.full(len(source), np.nan)
    for k in range(len(source)):
        rest = np.delete(np.arange(len(source)), k)
        if rest.size >= FEWEST_PAIRS[kind] and _determined(source[rest], kind):
            other = _fitted(source[rest], target[rest], kind, mirrored)
            left_out[k] = float(np.hypot(*(target[k] - _mapped(other, source[k : k + 1])[0])))
    return Transform(
        kind=kind,
        mirrored=mirrored,
        matrix=matrix,
        covariance=_covariance(source, residuals, matrix, kind=kind, mirrored=mirrored, error_um=error_um),
        residuals_um=residuals,
        leave_one_out_um=left_out,
        landmarks_um=np.column_stack([source, target]),
    )


def outline_transform(
    source: Outline, target: Outline, *, kind: str = "rigid", mirrored: bool = False
) -> Transform:
    """The transform that lays one crystal's outline upon the other's.

    A square looks alike after a quarter turn: of the turns that fit alike the smallest is taken. Then the
    distances of points along each outline to the other are made least.
    """
    start = min(
        (_of_rectangles(source, target, quarter, mirrored) for quarter in range(4)),
        key=lambda matrix: (round(_misfit(matrix, source, target), 2), abs(_turn(matrix, mirrored))),
    )
    along_source, along_target = (_along(outline.vertices_um) for outline in (source, target))
    parameters = _parameters(start, kind, mirrored)

    def misfit(tried: Array) -> Array:
        matrix = _matrix(tried, kind, mirrored)
        back = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        there, here = _mapped(matrix, along_source), _mapped(back, along_target)
        return np.concatenate(
            [
                signed_distance_um(target.vertices_um, there[:, 0], there[:, 1]),
                signed_distance_um(source.vertices_um, here[:, 0], here[:, 1]),
            ]
        )

    found = least_squares(misfit, parameters, x_scale="jac", loss="soft_l1", f_scale=_loose(source, target))
    matrix = _matrix(found.x, kind, mirrored)
    slopes = np.asarray(found.jac, dtype=np.float64)
    information = slopes.T @ slopes * SIDES / (2.0 * SAMPLES)
    return Transform(
        kind=kind,
        mirrored=mirrored,
        matrix=matrix,
        covariance=np.asarray(
            (source.error_um**2 + target.error_um**2) * np.linalg.pinv(information), np.float64
        ),
        residuals_um=np.empty((0, 2)),
        leave_one_out_um=np.empty(0),
    )


# --- parameters, matrices and their derivatives ---------------------------------------------------------


def _mirror(mirrored: bool) -> Array:
    return np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])


def _matrix(parameters: Array, kind: str, mirrored: bool) -> Array:
    """translation (tx, ty); rigid (angle, tx, ty); similarity (a, b, tx, ty); affine row by row."""
    if kind == "translation":
        rows = [[1.0, 0.0, parameters[0]], [0.0, 1.0, parameters[1]]]
    elif kind == "rigid":
        cos, sin = np.cos(parameters[0]), np.sin(parameters[0])
        rows = [[cos, -sin, parameters[1]], [sin, cos, parameters[2]]]
    elif kind == "similarity":
        a, b = parameters[:2]
        rows = [[a, -b, parameters[2]], [b, a, parameters[3]]]
    else:
        rows = [list(parameters[:3]), list(parameters[3:])]
    return np.asarray([*rows, [0.0, 0.0, 1.0]]) @ _mirror(mirrored)


def _parameters(matrix: Array, kind: str, mirrored: bool) -> Array:
    m = matrix @ _mirror(mirrored)
    tx, ty = m[0, 2], m[1, 2]
    if kind == "translation":
        return np.array([tx, ty])
    if kind == "rigid":
        return np.array([np.arctan2(m[1, 0] - m[0, 1], m[0, 0] + m[1, 1]), tx, ty])
    if kind == "similarity":
        return np.array([0.5 * (m[0, 0] + m[1, 1]), 0.5 * (m[1, 0] - m[0, 1]), tx, ty])
    return np.asarray(m[:2].ravel())


def _design(kind: str, mirrored: bool, matrix: Array, x: Array, y: Array) -> Array:
    """Derivatives (n, 2, parameters) of transformed places with respect to the parameters."""
    u = -x if mirrored else x
    one, nil = np.ones_like(x), np.zeros_like(x)
    if kind == "translation":
        columns = [(one, nil), (nil, one)]
    elif kind == "rigid":
        angle = _parameters(matrix, kind, mirrored)[0]
        cos, sin = np.cos(angle), np.sin(angle)
        columns = [(-sin * u - cos * y, cos * u - sin * y), (one, nil), (nil, one)]
    elif kind == "similarity":
        columns = [(u, y), (-y, u), (one, nil), (nil, one)]
    else:
        columns = [(u, nil), (y, nil), (one, nil), (nil, u), (nil, y), (nil, one)]
    return np.asarray([np.stack(pair, axis=-1) for pair in columns]).transpose(1, 2, 0)


def _fitted(source: Array, target: Array, kind: str, mirrored: bool) -> Array:
    """Least squares: linear for all kinds but the rigid one, which has a closed form (W. Kabsch, 1976)."""
    if kind != "rigid":
        design = _design(kind, mirrored, np.eye(3), source[:, 0], source[:, 1])
        wanted = target - (_mapped(_mirror(mirrored), source) if kind == "translation" else 0.0)
        flat = design.reshape(-1, design.shape[2])
        found = np.asarray(np.linalg.lstsq(flat, wanted.ravel(), rcond=None)[0], dtype=np.float64)
        return _matrix(found, kind, mirrored)
    seen = _mapped(_mirror(mirrored), source)
    middle, aim = seen.mean(axis=0), target.mean(axis=0)
    (sxx, sxy), (syx, syy) = (seen - middle).T @ (target - aim)
    angle = float(np.arctan2(sxy - syx, sxx + syy))
    turned = _matrix(np.array([angle, 0.0, 0.0]), "rigid", False)[:2, :2] @ middle
    return _matrix(np.array([angle, *(aim - turned)]), "rigid", mirrored)


def _mapped(matrix: Array, places: Array) -> Array:
    return np.asarray(places @ matrix[:2, :2].T + matrix[:2, 2])


def _determined(source: Array, kind: str) -> bool:
    if kind == "translation":
        return True
    values = np.linalg.svd(source - source.mean(axis=0), compute_uv=False)
    size = max(float(np.abs(source).max()), np.finfo(float).tiny)
    needed = values.min() if kind == "affine" else values.max()
    return bool(len(source) >= FEWEST_PAIRS[kind] and needed > 1e-9 * size)


def _covariance(
    source: Array, residuals: Array, matrix: Array, *, kind: str, mirrored: bool, error_um: float | None
) -> Array:
    flat = _design(kind, mirrored, matrix, source[:, 0], source[:, 1]).reshape(-1, PARAMETERS[kind])
    freedom = residuals.size - PARAMETERS[kind]
    if error_um is not None:
        variance = error_um**2
    elif freedom > 0:
        variance = float(np.sum(residuals**2)) / freedom
    else:
        variance = np.nan
    return np.asarray(variance * np.linalg.inv(flat.T @ flat))


# --- outlines -------------------------------------------------------------------------------------------


def _of_rectangles(source: Outline, target: Outline, quarter: int, mirrored: bool) -> Array:
    """The rigid matrix that lays the fitted rectangles upon each other after some quarter turns."""
    mirror = _mirror(mirrored)
    centre = _mapped(mirror, np.array([source.centre_um]))[0]
    angle = np.pi - source.angle_rad if mirrored else source.angle_rad
    # Angles are counter-clockwise as displayed while y points down: a turn by t is the matrix of -t.
    turn = angle - target.angle_rad + 0.5 * np.pi * quarter
    turned = _matrix(np.array([turn, 0.0, 0.0]), "rigid", False)
    shift = np.asarray(target.centre_um) - turned[:2, :2] @ centre
    return _matrix(np.array([turn, *shift]), "rigid", mirrored)


def _turn(matrix: Array, mirrored: bool) -> float:
    """Angle of a rigid matrix in rad, to a thousandth, so that rounding decides nothing."""
    return round(float(_parameters(matrix, "rigid", mirrored)[0]), 3)


def _misfit(matrix: Array, source: Outline, target: Outline) -> float:
    """Root mean square distance between the outlines, over the target's size."""
    there = _mapped(matrix, _along(source.vertices_um))
    distance = signed_distance_um(target.vertices_um, there[:, 0], there[:, 1])
    return float(np.sqrt(np.mean(distance**2))) / min(target.half_sides_um)


def _loose(source: Outline, target: Outline) -> float:
    """Distances beyond this weigh less: a part that one outline lacks must not pull the rest."""
    known = float(np.hypot(source.error_um, target.error_um))
    return max(2.0 * known, 0.02 * min(target.half_sides_um))


def _along(vertices_um: Array) -> Array:
    """Points (SAMPLES, 2) at even distances along a closed polygon."""
    closed = np.vstack([vertices_um, vertices_um[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    even = (np.arange(SAMPLES) + 0.5) / SAMPLES * length[-1]
    return np.column_stack([np.interp(even, length, closed[:, k]) for k in range(2)])
