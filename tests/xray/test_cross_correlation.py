"""Angular cross-correlation: against a double loop, known angles, masks alone, and counting noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from analysis.xray.cross_correlation import (
    DELTA_DEG,
    MIN_PAIRS,
    PHI_BINS,
    cross_correlation,
    mean_correlation,
    mean_turn_deg,
)

Array = npt.NDArray[np.float64]
PHI_DEG = -180.0 + np.arange(PHI_BINS) + 0.5
EVEN = np.ones(PHI_BINS)


def peaks(*places_deg: float, width_deg: float = 5.0, height: float = 30.0, level: float = 4.0) -> Array:
    """Intensity of a ring with peaks at some azimuths on an even level."""
    turns = [(PHI_DEG - place + 180.0) % 360.0 - 180.0 for place in places_deg]
    return level + height * sum(np.exp(-0.5 * (turn / width_deg) ** 2) for turn in turns)


def four(place_deg: float, **shape: float) -> Array:
    """A ring with peaks every 90 degrees, one at ``place_deg``."""
    return peaks(*(place_deg + 90.0 * number for number in range(4)), **shape)


def seen(*hidden: tuple[int, int]) -> Array:
    """Pixel weights that vary smoothly and are 0 in some ranges of bins."""
    weight = 20.0 + 6.0 * np.cos(np.radians(PHI_DEG)) + 2.0 * np.sin(np.radians(3 * PHI_DEG))
    for first, stop in hidden:
        weight[first:stop] = 0.0
    return weight


def looped(first: Array, second: Array, w1: Array, w2: Array) -> Array:
    """The definition, bin by bin: mean of I~ I~ with the weights of both rings over the product of means."""
    mean1, mean2 = first.sum() / w1.sum(), second.sum() / w2.sum()
    found = np.full(PHI_BINS, np.nan)
    for place, delta in enumerate(DELTA_DEG.astype(int)):
        total = weight = 0.0
        for k in range(PHI_BINS):
            other = (k + delta) % PHI_BINS
            if w1[k] > 0 and w2[other] > 0:
                both = w1[k] * w2[other]
                total += both * (first[k] / w1[k] - mean1) * (second[other] / w2[other] - mean2)
                weight += both
        if weight > 0:
            found[place] = total / weight / (mean1 * mean2)
    return found


def test_it_is_what_a_double_loop_gives() -> None:
    random = np.random.default_rng(1)
    w1, w2 = seen((30, 60), (200, 215)), seen((100, 170))
    first, second = random.poisson(w1 * four(10.0)), random.poisson(w2 * four(37.0))
    value, _ = cross_correlation(first, second, first_weight=w1, second_weight=w2)
    assert value == pytest.approx(looped(first, second, w1, w2), abs=1e-12)


def test_many_points_are_done_at_once() -> None:
    random = np.random.default_rng(2)
    first, second = (random.poisson(20 * four(place), (2, 3, PHI_BINS)) for place in (0.0, 20.0))
    value, error = cross_correlation(first, second, first_weight=EVEN, second_weight=EVEN)
    one, its_error = cross_correlation(first[1, 2], second[1, 2], first_weight=EVEN, second_weight=EVEN)
    assert value.shape == error.shape == (2, 3, PHI_BINS)
    assert value[1, 2] == pytest.approx(one)
    assert error[1, 2] == pytest.approx(its_error)


@pytest.mark.parametrize("turn", [0.0, 7.0, 31.0, -12.0])
def test_two_lattices_turned_apart_agree_at_that_angle(turn: float) -> None:
    w1, w2 = seen((40, 48)), seen((60, 180), (300, 330))
    value, _ = cross_correlation(w1 * four(11.0), w2 * four(11.0 + turn), first_weight=w1, second_weight=w2)
    folded = (DELTA_DEG[np.nanargmax(value)] - turn + 45.0) % 90.0 - 45.0
    assert abs(folded) <= 1.0
    # Peaks that the mask cuts pull the four-fold part, as its description says.
    angle, _ = mean_turn_deg(value[None], fold=4)
    assert (angle - turn + 45.0) % 90.0 - 45.0 == pytest.approx(0.0, abs=2.0)


def test_without_a_mask_the_four_fold_part_has_the_angle_exactly() -> None:
    value, _ = cross_correlation(four(3.3), four(25.9), first_weight=EVEN, second_weight=EVEN)
    angle, error = mean_turn_deg(value[None], fold=4)
    assert angle == pytest.approx(22.6, abs=1e-6)
    assert np.isnan(error)


def test_delta_is_counter_clockwise_from_the_first_ring_to_the_second() -> None:
    value, _ = cross_correlation(peaks(20.0), peaks(75.0), first_weight=EVEN, second_weight=EVEN)
    assert DELTA_DEG[np.argmax(value)] == 55.0


def test_a_mask_alone_gives_nothing() -> None:
    w1, w2 = seen((30, 60), (210, 240)), seen((45, 75), (225, 255))
    value, _ = cross_correlation(3.0 * w1, 0.2 * w2, first_weight=w1, second_weight=w2)
    assert np.nanmax(np.abs(value)) < 1e-12


def test_a_background_of_its_own_shape_gives_nothing() -> None:
    shape = 2.0 + np.cos(np.radians(PHI_DEG))
    value, _ = cross_correlation(
        3.0 + shape, 5.0 + shape, first_weight=EVEN, second_weight=EVEN,
        first_background=shape, second_background=shape,
    )  # fmt: skip
    assert np.abs(value).max() < 1e-12


def test_a_mask_does_not_change_what_is_seen_of_a_lattice() -> None:
    # Two of four peaks of a square are hidden with their surroundings: the others still tell the same angle
    # and, as the visible half of the ring has the same mean, the same height.
    whole, _ = cross_correlation(four(45.0), four(65.0), first_weight=EVEN, second_weight=EVEN)
    half = np.where(np.arange(PHI_BINS) < 180, 1.0, 0.0)
    part, _ = cross_correlation(four(45.0), four(65.0) * half, first_weight=EVEN, second_weight=half)
    assert part == pytest.approx(whole, abs=1e-9)


def test_noise_alone_is_flat_within_its_stated_sigma() -> None:
    random = np.random.default_rng(3)
    w1, w2 = seen((30, 60)) / 10.0, seen((100, 200)) / 20.0
    value, error = cross_correlation(
        random.poisson(w1, (400, PHI_BINS)), random.poisson(w2, (400, PHI_BINS)),
        first_weight=w1, second_weight=w2,
    )  # fmt: skip
    pull = value / error
    assert pull.std() == pytest.approx(1.0, abs=0.03)
    average = mean_correlation(value, error)
    assert np.abs(average.mean / average.counting_err).max() < 4.5
    assert np.std(average.mean / average.counting_err) == pytest.approx(1.0, abs=0.15)
    assert np.std(average.mean / average.sem) == pytest.approx(1.0, abs=0.15)


def test_the_error_holds_where_there_is_structure_too() -> None:
    random = np.random.default_rng(4)
    w1, w2 = seen((20, 40)) / 20.0, seen((90, 150)) / 20.0
    first, second = w1 * four(5.0), w2 * four(25.0)
    truth, _ = cross_correlation(first, second, first_weight=w1, second_weight=w2)
    value, error = cross_correlation(
        random.poisson(first, (1500, PHI_BINS)), random.poisson(second, (1500, PHI_BINS)),
        first_weight=w1, second_weight=w2,
    )  # fmt: skip
    # The means that divide are counted too (1 % each here), which is not part of the error.
    ratio = value.std(axis=0) / np.sqrt((error**2).mean(axis=0))
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)
    assert np.abs(value.mean(axis=0) - truth).max() < 5.0 * error.mean() / np.sqrt(1500)


def test_the_turn_has_an_error_that_covers_it() -> None:
    random = np.random.default_rng(5)
    first, second = (0.5 * four(place, height=6.0, level=1.0) for place in (0.0, 18.0))
    value, _ = cross_correlation(
        random.poisson(first, (600, PHI_BINS)), random.poisson(second, (600, PHI_BINS)),
        first_weight=EVEN, second_weight=EVEN,
    )  # fmt: skip
    found = np.array([mean_turn_deg(some, fold=4) for some in value.reshape(60, 10, PHI_BINS)])
    pull = (found[:, 0] - 18.0) / found[:, 1]
    # Ten points each: the pulls follow Student's t with 9 degrees of freedom, of standard deviation 1.13.
    assert pull.std() == pytest.approx(1.13, abs=0.35)
    assert abs(pull.mean()) < 3.0 * 1.13 / np.sqrt(60)


def test_spread_and_error_of_the_mean_are_kept_apart() -> None:
    values = np.array([[1.0, np.nan, 4.0], [3.0, np.nan, np.nan]])
    average = mean_correlation(values, np.array([[0.3, np.nan, 0.2], [0.4, np.nan, np.nan]]))
    assert average.n.tolist() == [2, 0, 1]
    assert average.mean == pytest.approx([2.0, np.nan, 4.0], nan_ok=True)
    assert average.std == pytest.approx([1.0, np.nan, 0.0], nan_ok=True)
    assert average.sem == pytest.approx([1.0, np.nan, np.nan], nan_ok=True)
    assert average.counting_err == pytest.approx([0.25, np.nan, 0.2], nan_ok=True)


def test_what_was_not_seen_is_not_known() -> None:
    arc = np.where(np.abs(PHI_DEG) < 30.0, 1.0, 0.0)
    other = np.where(np.abs(PHI_DEG - 90.0) < 30.0, 1.0, 0.0)
    value, error = cross_correlation(arc * 5, other * 7, first_weight=arc, second_weight=other)
    overlap = 60.0 - np.abs(DELTA_DEG - 90.0)
    assert (np.isfinite(value) == (overlap >= MIN_PAIRS)).all()
    assert (np.isfinite(error) == np.isfinite(value)).all()
    nothing, _ = cross_correlation(arc, other, first_weight=arc, second_weight=np.zeros(PHI_BINS))
    assert np.isnan(nothing).all()
    empty, _ = cross_correlation(np.zeros(PHI_BINS), other, first_weight=EVEN, second_weight=other)
    assert np.isnan(empty).all()


def test_masked_bins_may_hold_anything() -> None:
    w = seen((10, 50))
    counts = w * four(0.0)
    dirty = np.where(w > 0, counts, 2.0**32 - 1)
    clean, _ = cross_correlation(counts, counts, first_weight=w, second_weight=w)
    same, _ = cross_correlation(dirty, dirty, first_weight=w, second_weight=w)
    assert same == pytest.approx(clean)


def test_a_ring_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="360 bins"):
        cross_correlation(np.ones(180), EVEN, first_weight=EVEN, second_weight=EVEN)
