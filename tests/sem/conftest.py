"""Measuring one square region in the middle of an image whose pixels are 1 nm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from analysis.records import SemRegion
from analysis.sem.region import Place, Scale, measure_region

Measure = Callable[..., SemRegion]


@pytest.fixture(scope="session")
def middle() -> Measure:
    """The region of ``size`` px in the middle of an image, measured with 1 nm pixels known to 1 %."""

    def measure(image: npt.NDArray[np.uint8], size: int = 256) -> SemRegion:
        row0, col0 = ((n - size) // 2 for n in image.shape)
        place = Place(label="middle", row0=row0, col0=col0, size_px=size)
        return measure_region(image, place, scale=Scale(pixel_nm=1.0, relative_err=0.01))

    return measure
