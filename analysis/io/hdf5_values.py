"""Single values of an HDF5 file with their units, in the project's own."""

from __future__ import annotations

from collections.abc import Mapping

import h5py
import numpy as np

from analysis.errors import InputError
from analysis.units import MM_PER_M, MM_PER_UM, NM_PER_ANGSTROM, NM_PER_M, UM_PER_M, UM_PER_MM, US_PER_S

MM_BY_UNIT = {"m": MM_PER_M, "mm": 1.0, "cm": 10.0, "um": MM_PER_UM, "µm": MM_PER_UM, "micron": MM_PER_UM}
UM_BY_UNIT = {"m": UM_PER_M, "mm": UM_PER_MM, "um": 1.0, "µm": 1.0, "micron": 1.0, "microns": 1.0}
NM_BY_UNIT = {
    "angstrom": NM_PER_ANGSTROM,
    "angstroms": NM_PER_ANGSTROM,
    "a": NM_PER_ANGSTROM,
    "å": NM_PER_ANGSTROM,
    "nm": 1.0,
    "m": NM_PER_M,
}
S_BY_UNIT = {"s": 1.0, "ms": 1e-3, "us": 1.0 / US_PER_S, "µs": 1.0 / US_PER_S, "second": 1.0, "seconds": 1.0}
MAX_TEXT_BYTES = 65_536


def scalar(dataset: h5py.Dataset | None) -> float | None:
    """The one finite number in a dataset, or None."""
    if dataset is None or dataset.size != 1 or dataset.dtype.kind not in "iuf":
        return None
    value = float(np.asarray(dataset[()]).ravel()[0])
    return value if np.isfinite(value) else None


def with_unit(dataset: h5py.Dataset | None, factors: Mapping[str, float], default: str) -> float | None:
    """A positive number in the unit that ``factors`` lead to; None where it is 0 or not there."""
    value = scalar(dataset)
    if value is None or dataset is None or value <= 0.0:
        return None
    unit = as_text(dataset.attrs.get("units", default)).strip().lower()
    if unit not in factors:
        raise InputError(
            dataset.file.filename, field=dataset.name, expected=f"a unit of {', '.join(factors)}", found=unit
        )
    return value * factors[unit]


def text_of(dataset: h5py.Dataset | None) -> str | None:
    """The one text in a dataset, or None."""
    if dataset is None or dataset.size != 1 or dataset.dtype.itemsize > MAX_TEXT_BYTES:
        return None
    if dataset.dtype.kind == "S" or h5py.check_string_dtype(dataset.dtype) is not None:
        return as_text(np.asarray(dataset[()]).ravel()[0])
    return None


def as_text(value: object) -> str:
    """Text of an attribute or a value, whichever way it is stored."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
