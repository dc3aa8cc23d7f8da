"""Surfaces that are taken off a height: polynomials, and the tilt of the prevalent facets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.afm.levelling import Plane
from analysis.records import Array

Mask = npt.NDArray[np.bool_]

FACET_SHARPNESS = 20.0
FACET_PASSES = 100


def fitted_polynomial(values: Array, counted: Mask, *, degree: int) -> Array:
    """Least-squares surface ``sum over i + j <= degree of c_ij x^i y^j`` on every pixel (rows, cols).

    Raises ValueError if the pixels that count do not determine it.
    """
    row, col = np.nonzero(counted & np.isfinite(values))
    terms = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    design = _legendre_design(row, col, values.shape, terms)
    coefficients, _, rank, _ = np.linalg.lstsq(design, values[row, col], rcond=None)
    if rank < len(terms):
        raise ValueError(f"a polynomial of degree {degree} needs more pixels that count")
    every_row, every_col = (index.ravel() for index in np.indices(values.shape))
    surface = _legendre_design(every_row, every_col, values.shape, terms) @ coefficients
    return np.asarray(surface.reshape(values.shape))


def _legendre_design(
    row: npt.NDArray[np.intp], col: npt.NDArray[np.intp], shape: tuple[int, ...], terms: list[tuple[int, int]]
) -> Array:
    degree = max(max(term) for term in terms)
    y, x = (2.0 * index / max(length - 1, 1) - 1.0 for index, length in zip((row, col), shape, strict=True))
    in_x, in_y = (np.polynomial.legendre.legvander(place, degree) for place in (x, y))
    return np.column_stack([in_x[:, i] * in_y[:, j] for i, j in terms])


def facet_plane(values: Array, counted: Mask) -> Plane:
    """Tilt of the prevalent facets: the slope at which most small facets agree, whatever steps between them.

    The slopes of all squares of four pixels are averaged with weights ``exp(-|slope|^2 / width^2)`` and the
    mean taken off, again and again; ``width`` is a twentieth of their mean square (Gwyddion's user guide,
    "Facet Level"). The offset makes the counted pixels' mean zero. Raises ValueError without such squares.
    """
    square = counted[1:, 1:] & counted[1:, :-1] & counted[:-1, 1:] & counted[:-1, :-1]
    d_col = 0.5 * (values[1:, 1:] + values[:-1, 1:] - values[1:, :-1] - values[:-1, :-1])
    d_row = 0.5 * (values[1:, 1:] + values[1:, :-1] - values[:-1, 1:] - values[:-1, :-1])
    square &= np.isfinite(d_col)
    if not square.any():
        raise ValueError("no four neighbouring pixels count")
    d_col, d_row = d_col[square], d_row[square]
    tilt_col, tilt_row = float(np.median(d_col)), float(np.median(d_row))
    for _ in range(FACET_PASSES):
        squared = (d_col - tilt_col) ** 2 + (d_row - tilt_row) ** 2
        width2 = squared.mean() / FACET_SHARPNESS
        if width2 == 0.0:
            break
        weight = np.exp(-squared / width2)
        move_col = float((weight * (d_col - tilt_col)).sum() / weight.sum())
        move_row = float((weight * (d_row - tilt_row)).sum() / weight.sum())
        tilt_col, tilt_row = tilt_col + move_col, tilt_row + move_row
        if np.hypot(move_col, move_row) <= 1e-9 * np.sqrt(width2):
            break
    row, col = np.nonzero(counted & np.isfinite(values))
    offset = float(np.mean(values[row, col] - tilt_col * col - tilt_row * row))
    return Plane(offset=offset, per_col=tilt_col, per_row=tilt_row)
