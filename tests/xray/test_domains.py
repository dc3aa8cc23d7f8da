"""Neighbours as second starts where a crystal has domains of different orientation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.records import XRAY_STATUS
from analysis.xray.frame_kernels import PARAMETERS, STATUS
from analysis.xray.reduction import domain_starts, second_chance
from tests.xray.frames import Crystal, Instrument, film, peaks
from tests.xray.scan_setups import reduced, setup_of

SMALL = Instrument(shape=(48, 50), beam_px=(24.3, 23.2), pixel_um=300.0, finer=3)
ONE = Crystal(a1=9.0, a2=8.2, gamma=84.0, psi=11.0, photons=800.0, sigma_q=0.06, sigma_phi=5.0)
TURNED = replace(ONE, psi=46.0)


def test_a_point_follows_the_domain_that_it_belongs_to() -> None:
    """Three neighbours of one domain, two of another: the point in the middle is of the smaller one."""
    rng = np.random.default_rng(21)
    lit = [ONE, ONE, ONE, TURNED, TURNED, TURNED]
    frames = np.stack([rng.poisson(film(SMALL) + peaks(SMALL, crystal)) for crystal in lit]).astype(np.uint32)
    setup = setup_of(SMALL)
    rows = reduced(frames, setup).rows
    assert (rows[:, STATUS] == XRAY_STATUS.index("ok")).all()
    truth = rows[4].copy()
    rows[4, STATUS] = XRAY_STATUS.index("no_signal")
    assert second_chance(rows, (2, 3), lambda index: frames[index], setup) == 1
    angles = np.sort(np.mod(rows[4, [PARAMETERS + 1, PARAMETERS + 7]], np.pi))
    np.testing.assert_allclose(
        angles, np.sort(np.mod(truth[[PARAMETERS + 1, PARAMETERS + 7]], np.pi)), atol=2e-3
    )


def test_starts_are_one_for_each_domain() -> None:
    """Families in either order and angles half a turn apart are the same lattice."""
    one = np.array([0.7, 0.2, -3.0, -2.3, 1.0, 0.0, 0.8, 1.7, -3.0, -2.3, 1.0, 0.0])
    swapped = np.roll(one, 6) + np.array([0.0, np.pi, 0.0, 0.0, 0.2, 0.0, 0.0, -np.pi, 0.0, 0.0, 0.2, 0.0])
    turned = one + 0.6 * (np.arange(12) % 6 == 1)
    starts = domain_starts(np.stack([turned, one, swapped]))
    assert len(starts) == 2
    np.testing.assert_allclose(starts[0], one + 0.1 * (np.arange(12) % 6 == 4), atol=1e-12)
    np.testing.assert_allclose(starts[1], turned)
