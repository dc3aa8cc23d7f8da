"""Groups of crystals: hierarchical means, effect sizes, permutations, and silence below three crystals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from analysis.records import Measured
from analysis.registration.comparison import (
    Crystal,
    compare_groups,
    group_number,
    group_test,
    hedges_g,
    permutation_test,
)


def crystal(name: str, value: float, *, err: float = 0.1, n: int = 500, **confounders: str) -> Crystal:
    return Crystal(
        sample=name,
        label="A",
        numbers={"modulus": Measured(value=value, unit="GPa", err=err, std=1.0, n=n)},
        confounders=confounders,
    )


def test_crystals_count_alike_whatever_their_pixels() -> None:
    few, many = crystal("few", 1.0, n=10), crystal("many", 3.0, n=100_000)
    found = group_number("g", [few, many], "modulus")
    assert found is not None
    assert found.mean == 2.0
    assert found.n == 2
    assert found.std == pytest.approx(1.0)
    assert found.sem == pytest.approx(math.sqrt(2.0) / math.sqrt(2.0))


def test_one_crystal_keeps_its_own_error_and_says_that_it_is_alone() -> None:
    found = group_number("g", [crystal("a", 3.2, err=0.2)], "modulus")
    assert found is not None
    assert (found.mean, found.sem, found.n) == (3.2, 0.2, 1)
    assert math.isnan(found.std)


def test_below_three_crystals_there_is_no_test_and_no_effect_size() -> None:
    two = group_number("a", [crystal("a", 3.0), crystal("b", 3.1)], "modulus")
    four = group_number("b", [crystal(str(k), 1.0 + 0.1 * k) for k in range(4)], "modulus")
    assert two is not None
    assert four is not None
    found = group_test(two, four)
    assert found.difference == pytest.approx(1.15 - 3.05)
    for name in ("hedges_g", "g_ci_lo", "g_ci_hi", "mann_whitney_p", "permutation_p", "p_least", "p_holm"):
        assert math.isnan(getattr(found, name)), name


def test_g_is_the_difference_in_pooled_spreads_times_the_small_sample_factor() -> None:
    # Means 10 and 14, variance 2.5 in both; J(8) = 0.9027 (Hedges 1981).
    first, second = np.arange(8.0, 13.0), np.arange(12.0, 17.0)
    g, low, high = hedges_g(first, second)
    assert g == pytest.approx(0.9027 * 4.0 / math.sqrt(2.5), rel=1e-4)
    assert low < g < high


def test_the_interval_of_g_covers_the_true_effect_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    true, covered, n = 1.2, 0, 400
    for _ in range(n):
        _, low, high = hedges_g(rng.normal(0.0, 1.0, 4), rng.normal(true, 1.0, 6))
        covered += low <= true <= high
    assert abs(covered / n - 0.95) < 3.0 * math.sqrt(0.95 * 0.05 / n)


def test_alike_crystals_have_no_effect_size() -> None:
    assert all(math.isnan(value) for value in hedges_g(np.full(3, 7.0), np.full(3, 8.0)))


@pytest.mark.parametrize("seed", range(4))
def test_the_permutation_p_is_that_of_all_exchanges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(0.0, 1.0, 4), rng.normal(0.8, 1.0, 3)
    pooled = np.concatenate([first, second])
    low = high = total = 0
    for chosen in itertools.combinations(range(7), 4):
        rest = [k for k in range(7) if k not in chosen]
        moved = pooled[rest].mean() - pooled[list(chosen)].mean()
        low += moved <= (second.mean() - first.mean()) + 1e-12
        high += moved >= (second.mean() - first.mean()) - 1e-12
        total += 1
    found, least = permutation_test(first, second)
    assert found == pytest.approx(min(1.0, 2.0 * min(low, high) / total))
    assert least == pytest.approx(2.0 / total)


def test_three_against_three_can_give_no_smaller_p_than_a_tenth() -> None:
    found, least = permutation_test(np.array([1.0, 1.1, 1.2]), np.array([9.0, 9.1, 9.2]))
    assert found == pytest.approx(0.1)
    assert least == pytest.approx(0.1)


def test_p_is_uniform_where_groups_do_not_differ() -> None:
    rng = np.random.default_rng(11)
    found = [permutation_test(rng.normal(size=5), rng.normal(size=5))[0] for _ in range(200)]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_pairs_of_groups_are_corrected_for_their_number() -> None:
    groups = {
        "low": [crystal(f"l{k}", 1.0 + 0.01 * k) for k in range(4)],
        "middle": [crystal(f"m{k}", 1.02 + 0.01 * k) for k in range(4)],
        "high": [crystal(f"h{k}", 5.0 + 0.01 * k) for k in range(4)],
    }
    tests = {(test.first, test.second): test for test in compare_groups(groups).tests}
    assert len(tests) == 3
    # 70 exchanges of four and four: two of them part the groups wholly.
    assert tests["low", "high"].permutation_p == pytest.approx(2.0 / 70.0)
    assert tests["low", "high"].p_holm == pytest.approx(3.0 * 2.0 / 70.0)
    assert tests["low", "middle"].p_holm >= tests["low", "middle"].permutation_p


def test_the_sentence_says_what_n_allows_and_what_is_confounded() -> None:
    few = compare_groups(
        {
            "diffusion": [crystal("a", 3.2, solvent="toluene", substrate="glass")],
            "evaporation": [crystal("b", 0.14, solvent="hexane", substrate="glass")],
        }
    )
    assert few.confounded == ("solvent",)
    assert "diffusion: 1, evaporation: 1" in few.sentence
    assert "without a test" in few.sentence
    assert few.sentence.endswith("not separated here: solvent.")
    enough = compare_groups(
        {
            "diffusion": [crystal(f"a{k}", 3.2 + 0.1 * k, solvent="toluene") for k in range(3)],
            "evaporation": [crystal(f"b{k}", 0.14 + 0.01 * k, solvent="toluene") for k in range(3)],
        }
    )
    assert enough.confounded == ()
    assert "without a test" not in enough.sentence
    assert "is the cause" in enough.sentence


def test_what_is_not_stated_cannot_be_ruled_out() -> None:
    found = compare_groups({"a": [crystal("a", 1.0, solvent="")], "b": [crystal("b", 1.0, solvent="")]})
    assert found.confounded == ("solvent",)
