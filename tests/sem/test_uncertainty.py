"""The stated 1 sigma against the spread of errors on arrays of known spacing."""

from __future__ import annotations

import numpy as np

from tests.sem import forward
from tests.sem.conftest import Measure
from tests.sem.forward import square


def test_a_region_in_a_gradient_has_the_spacing_of_its_centre_and_an_honest_error(middle: Measure) -> None:
    """11.6 to 17.6 nm over 2457 nm at 1.2 nm a pixel, regions of 307 nm (256 px)."""
    length = 2048
    left, right = 11.6 / 1.2, 17.6 / 1.2
    errors, sigmas = [], []
    for seed in range(2):
        image = forward.widening_image((256, length), a_left=left, a_right=right, length=length, seed=seed)
        for col0 in range(0, length, 256):
            found = middle(image[:, col0 : col0 + 256])
            errors.append(found.spacing_nm - (left + (right - left) * (col0 + 128) / length))
            sigmas.append(found.spacing_err_nm)
    errors, sigmas = 1.2 * np.array(errors), 1.2 * np.array(sigmas)
    assert np.median(np.abs(errors)) < 0.02
    assert np.mean(np.abs(errors) < 2.0 * sigmas) >= 0.85
    assert np.median(sigmas) < 0.05


def test_what_differs_between_sub_regions_widens_the_error(middle: Measure) -> None:
    """Two halves of one region with spacings that jump by 3 %: no plane through its sub-regions fits."""
    even = forward.array_image(square(8.0, psi_deg=0.0), (200, 200), seed=1, noise=5.0)
    mixed = even.copy()
    mixed[60:140] = forward.array_image(square(8.24, psi_deg=0.0), (200, 200), seed=2, noise=5.0)[60:140]
    assert middle(mixed, 192).spacing_err_nm > 4 * middle(even, 192).spacing_err_nm
