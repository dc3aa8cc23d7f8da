"""Whether two records hold the same, told apart from how the analysis itself compares them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from analysis.records import PatternStack


def differences(one: object, other: object, where: str = "result") -> list[str]:
    """Places at which two values differ; NaN equals NaN, a tuple equals a list, patterns by their shape."""
    if isinstance(one, PatternStack) and isinstance(other, PatternStack):
        return [] if one.shape == other.shape else [where]
    if dataclasses.is_dataclass(one):
        if type(one) is not type(other):
            return [where]
        names = [item.name for item in dataclasses.fields(one)]
        return [d for n in names for d in differences(getattr(one, n), getattr(other, n), f"{where}.{n}")]
    if isinstance(one, Mapping):
        if not isinstance(other, Mapping) or list(one) != list(other):
            return [where]
        return [d for key in one for d in differences(one[key], other[key], f"{where}[{key}]")]
    if isinstance(one, np.ndarray):
        try:
            np.testing.assert_array_equal(one, other, strict=True)
        except AssertionError:
            return [where]
        return []
    if isinstance(one, tuple | list):
        if not isinstance(other, tuple | list) or len(one) != len(other):
            return [where]
        pairs = enumerate(zip(one, other, strict=True))
        return [d for k, (a, b) in pairs for d in differences(a, b, f"{where}[{k}]")]
    both_nan = isinstance(one, float) and isinstance(other, float) and one != one and other != other
    return [] if both_nan or (one == other and type(one) is type(other)) else [where]
