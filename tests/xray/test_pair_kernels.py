"""Score and information of the beam's place are derivatives of the likelihood, by finite steps."""

from __future__ import annotations

import numpy as np

from analysis.xray.pair_kernels import N_ALL, N_PEAKS, axial, information, near_peaks

BEAM = (12.3, 10.9)
FIRST = (0.45, 0.3, np.log(0.05), np.log(0.25), np.log(9.0), 0.2)
SECOND = (0.52, 1.9, np.log(0.06), np.log(0.2), np.log(7.0), 0.1)
PARAMETERS = np.array([*FIRST, *SECOND])


def q_phi(beam: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    row, col = np.mgrid[0:22, 0:25].astype(float)
    x, y = 0.06 * (col - beam[0]), -0.06 * (row - beam[1])
    return np.hypot(x, y).ravel(), np.arctan2(y, x).ravel()


def mean_counts(everything: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Expected counts of all pixels, written out from the definition; ``own`` is each pixel's window."""
    q, phi = q_phi((BEAM[0] + everything[12], BEAM[1] + everything[13]))
    mean = 0.5 + 0.9 * everything[[5, 11]][own]
    for k in (0, 6):
        turn = 0.5 * np.angle(np.exp(2j * (phi - everything[k + 1])))
        u, v = (q - everything[k]) / np.exp(everything[k + 2]), turn / np.exp(everything[k + 3])
        mean += 0.9 * np.exp(everything[k + 4] - 0.5 * (u**2 + v**2))
    return mean


def test_score_and_information_are_derivatives_of_the_likelihood() -> None:
    q, phi = q_phi(BEAM)
    places = np.empty(q.size, np.int32)
    places = places[: near_peaks(q, phi, np.arange(q.size, dtype=np.int32), PARAMETERS, 3.0, places)]
    assert 40 < places.size < q.size
    distance = np.stack(
        [
            ((q - PARAMETERS[k]) / np.exp(PARAMETERS[k + 2])) ** 2
            + (0.5 * np.angle(np.exp(2j * (phi - PARAMETERS[k + 1]))) / np.exp(PARAMETERS[k + 3])) ** 2
            for k in (0, 6)
        ]
    )
    np.testing.assert_array_equal(np.flatnonzero(distance.min(axis=0) <= 9.0), places)
    own = (distance[1] < distance[0]).astype(int)
    start = np.concatenate([PARAMETERS, [0.0, 0.0]])
    slopes = np.empty((4, q.size))
    step = 1e-6
    for d, move in enumerate(((step, 0.0), (0.0, step))):
        after, before = (q_phi((BEAM[0] + s * move[0], BEAM[1] + s * move[1])) for s in (1, -1))
        slopes[d] = (after[0] - before[0]) / (2 * step)
        slopes[2 + d] = np.angle(np.exp(1j * (after[1] - before[1]))) / (2 * step)
    counts = np.random.default_rng(2).poisson(mean_counts(start, own)).astype(float)[places]
    score, fisher = np.empty(N_ALL), np.empty((N_ALL, N_ALL))
    information(
        q, phi, slopes, np.full(q.size, 0.9), np.full(q.size, 0.5), places, counts, PARAMETERS, score, fisher
    )

    mean = mean_counts(start, own)[places]
    derivatives = np.empty((N_ALL, places.size))
    for a in range(N_ALL):
        move = np.zeros(N_ALL)
        move[a] = step
        after, before = (mean_counts(start + sign * move, own) for sign in (1.0, -1.0))
        derivatives[a] = (after - before)[places] / (2 * step)
    np.testing.assert_allclose(score, derivatives @ (counts / mean - 1.0), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(fisher, (derivatives / mean) @ derivatives.T, rtol=1e-5, atol=1e-4)
    assert abs(fisher[N_PEAKS, N_PEAKS]) > 1.0


def test_axes_are_told_apart_modulo_a_half_turn() -> None:
    for angle, expected in ((0.1, 0.1), (np.pi - 0.1, -0.1), (-np.pi + 0.2, 0.2), (2 * np.pi, 0.0)):
        assert abs(axial(angle) - expected) < 1e-12
