"""Steps between rows: what the slow drift of the instrument adds to whole lines of a scan along rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.records import Array

Mask = npt.NDArray[np.bool_]


def row_medians(values: Array, counted: Mask) -> Array:
    """Offsets (rows,) that make the medians of all rows equal, their mean zero; 0 where no pixel counts."""
    kept = np.where(counted, values, np.nan)
    return _centred(np.array([np.nanmedian(row) if np.isfinite(row).any() else np.nan for row in kept]))


def row_differences(values: Array, counted: Mask) -> Array:
    """Offsets (rows,) that make the median step between neighbouring rows one and the same.

    Features that stand across rows do not pull a row with them, as they do with its median. Mean and slope
    of the offsets are zero, as in Gwyddion: the field keeps its tilt, which levelling is for.
    """
    kept = np.where(counted, values, np.nan)
    steps = np.diff(kept, axis=0)
    medians = [float(np.nanmedian(step)) if np.isfinite(step).any() else 0.0 for step in steps]
    offsets = _centred(np.concatenate([[0.0], np.cumsum(medians)]))
    row = np.arange(offsets.size) - 0.5 * (offsets.size - 1)
    slope = float(row @ offsets) / max(float(row @ row), 1.0)
    return np.asarray(offsets - slope * row)


def _centred(offsets: Array) -> Array:
    known = np.isfinite(offsets)
    if not known.any():
        return np.zeros(offsets.shape)
    return np.where(known, offsets - offsets[known].mean(), 0.0)
