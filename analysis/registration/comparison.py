"""Groups of crystals compared: crystals, not pixels, are the n.

Every crystal gives one number; a group's number is the mean of its crystals', whatever their count of pixels.
From three crystals in each of two groups on there is an effect size and a test; below that the numbers alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from scipy import optimize, special, stats

from analysis.records import Array, Measured

FEWEST_CRYSTALS = 3
CONFIDENCE = 0.95
RESAMPLES = 99_999
"""Random permutations where listing all of them would take more."""


@dataclass(frozen=True, kw_only=True)
class Crystal:
    """One crystal: its sample, its numbers by quantity, and what else might explain a difference.

    ``confounders`` maps a name to what is stated, an empty text where nothing is.
    """

    sample: str
    label: str
    numbers: Mapping[str, Measured | None]
    confounders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class GroupNumber:
    """One quantity of one group: mean over its crystals, their spread (std, ddof = 0), error of the mean.

    ``sem`` comes from how crystals differ (ddof = 1); of one crystal alone it is that crystal's own error,
    and ``n`` says so. ``values`` (n,) are the crystals' own numbers, in the order of ``crystals``.
    """

    group: str
    quantity: str
    unit: str
    mean: float
    std: float
    sem: float
    n: int
    values: Array
    crystals: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class GroupTest:
    """Two groups in one quantity: second minus first, and whether chance could do it. NaN where not allowed.

    ``hedges_g`` is in units of the pooled standard deviation, corrected for small n, with its 95 % interval.
    ``p_least`` is the smallest p that a permutation of so many crystals can give; ``p_holm`` is the
    permutation p corrected for all pairs of groups of this quantity.
    """

    first: str
    second: str
    quantity: str
    unit: str
    difference: float
    difference_err: float
    ratio: float
    ratio_err: float
    n_first: int
    n_second: int
    hedges_g: float = math.nan
    g_ci_lo: float = math.nan
    g_ci_hi: float = math.nan
    mann_whitney_p: float = math.nan
    permutation_p: float = math.nan
    p_least: float = math.nan
    p_holm: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All groups in all quantities, the tests between them, and what may be concluded, in a sentence."""

    groups: Mapping[str, tuple[Crystal, ...]]
    numbers: tuple[GroupNumber, ...]
    tests: tuple[GroupTest, ...]
    confounded: tuple[str, ...]
    sentence: str


def compare_groups(groups: Mapping[str, Sequence[Crystal]]) -> Comparison:
    """Compare groups of crystals in every quantity that they have."""
    held = {name: tuple(crystals) for name, crystals in groups.items() if crystals}
    quantities = dict.fromkeys(
        quantity for crystals in held.values() for crystal in crystals for quantity in crystal.numbers
    )
    numbers, tests = [], []
    for quantity in quantities:
        found = [number for name in held if (number := group_number(name, held[name], quantity)) is not None]
        numbers += found
        tests += _with_holm([group_test(one, other) for one, other in combinations(found, 2)])
    confounded = _confounded(held)
    return Comparison(
        groups=held,
        numbers=tuple(numbers),
        tests=tuple(tests),
        confounded=confounded,
        sentence=conclusion(held, confounded),
    )


def group_number(group: str, crystals: Sequence[Crystal], quantity: str) -> GroupNumber | None:
    """Mean of one quantity over crystals; None where none has it."""
    having = [
        (crystal, number)
        for crystal in crystals
        if (number := crystal.numbers.get(quantity)) is not None and math.isfinite(number.value)
    ]
    if not having:
        return None
    values = np.array([number.value for _, number in having])
    n = values.size
    alone = having[0][1].err
    sem = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan if alone is None else float(alone)
    return GroupNumber(
        group=group,
        quantity=quantity,
        unit=having[0][1].unit,
        mean=float(values.mean()),
        std=float(values.std()) if n > 1 else math.nan,
        sem=sem,
        n=n,
        values=values,
        crystals=tuple((crystal.sample, crystal.label) for crystal, _ in having),
    )


def group_test(first: GroupNumber, second: GroupNumber) -> GroupTest:
    """Difference and ratio of two groups; effect size and p only where both have three crystals or more."""
    ratio = second.mean / first.mean if first.mean != 0.0 else math.nan
    base = GroupTest(
        first=first.group,
        second=second.group,
        quantity=first.quantity,
        unit=first.unit,
        difference=second.mean - first.mean,
        difference_err=math.hypot(first.sem, second.sem),
        ratio=ratio,
        ratio_err=abs(ratio) * math.hypot(_relative(first), _relative(second)),
        n_first=first.n,
        n_second=second.n,
    )
    if min(first.n, second.n) < FEWEST_CRYSTALS:
        return base
    g, low, high = hedges_g(first.values, second.values)
    permutation_p, least = permutation_test(first.values, second.values)
    return replace(
        base,
        hedges_g=g,
        g_ci_lo=low,
        g_ci_hi=high,
        mann_whitney_p=float(stats.mannwhitneyu(first.values, second.values).pvalue),
        permutation_p=permutation_p,
        p_least=least,
    )


def _relative(number: GroupNumber) -> float:
    return number.sem / abs(number.mean) if number.mean != 0.0 else math.nan


def hedges_g(first: Array, second: Array) -> tuple[float, float, float]:
    """Hedges' g of second minus first and the 95 % interval of the true effect; NaN where all are alike.

    ``g = J (m2 - m1) / s``, s the pooled standard deviation with ``df = n1 + n2 - 2`` and
    ``J = Gamma(df/2) / (sqrt(df/2) Gamma((df - 1)/2))``; the interval holds the noncentralities under which t
    is neither in the lowest nor in the highest 2.5 %. Source: L. V. Hedges, J. Educ. Stat. 6 (1981) 107.
    """
    n1, n2 = first.size, second.size
    freedom = n1 + n2 - 2
    pooled = math.sqrt(((n1 - 1) * first.var(ddof=1) + (n2 - 1) * second.var(ddof=1)) / freedom)
    scale = max(float(np.abs(np.concatenate([first, second])).max()), np.finfo(float).tiny)
    if pooled <= 1e-12 * scale:
        return math.nan, math.nan, math.nan
    correction = math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    root = math.sqrt(n1 * n2 / (n1 + n2))
    t = float(second.mean() - first.mean()) / pooled * root
    low, high = (
        _noncentrality(t, freedom, share) for share in (0.5 + 0.5 * CONFIDENCE, 0.5 - 0.5 * CONFIDENCE)
    )
    return correction * t / root, low / root, high / root


def _noncentrality(t: float, freedom: int, share: float) -> float:
    """The noncentrality under which a share of all t values lies below ``t``.

    ``P(T < t) = E[Phi(t sqrt(V / df) - noncentrality)]`` over V, chi-square with df, at even quantiles of V:
    unlike the library's distribution it stays finite for any t.
    """
    even = (np.arange(2000) + 0.5) / 2000.0
    scaled = t * np.sqrt(stats.chi2.ppf(even, freedom) / freedom)
    reach = 10.0 + 5.0 * abs(t)

    def excess(noncentrality: float) -> float:
        return float(special.ndtr(scaled - noncentrality).mean()) - share

    return float(optimize.brentq(excess, t - reach, t + reach))


def permutation_test(first: Array, second: Array) -> tuple[float, float]:
    """Two-sided p of the difference of means when crystals are exchanged between groups, and the smallest p
    that so many crystals can give; all exchanges are listed where they are few enough."""
    every = math.comb(first.size + second.size, first.size)
    found = stats.permutation_test(
        (first, second),
        _difference_of_means,
        permutation_type="independent",
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(20250711),
        vectorized=True,
    )
    return float(found.pvalue), max(2.0 / every, 2.0 / (RESAMPLES + 1.0))


def _difference_of_means(first: Array, second: Array, axis: int = -1) -> Array:
    return np.asarray(second.mean(axis=axis) - first.mean(axis=axis))


def _with_holm(tests: Sequence[GroupTest]) -> list[GroupTest]:
    """The same tests with p corrected for their number (S. Holm, Scand. J. Stat. 6 (1979) 65)."""
    tested = sorted(
        (k for k, test in enumerate(tests) if math.isfinite(test.permutation_p)),
        key=lambda k: tests[k].permutation_p,
    )
    corrected, largest = list(tests), 0.0
    for rank, k in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * tests[k].permutation_p))
        corrected[k] = replace(tests[k], p_holm=largest)
    return corrected


def _confounded(groups: Mapping[str, Sequence[Crystal]]) -> tuple[str, ...]:
    """Confounders that are not the same, or not stated, in all groups."""
    crystals = [crystal for held in groups.values() for crystal in held]
    names = dict.fromkeys(name for crystal in crystals for name in crystal.confounders)
    return tuple(
        name
        for name in names
        if len(stated := {crystal.confounders.get(name, "") for crystal in crystals}) > 1 or "" in stated
    )


def conclusion(groups: Mapping[str, Sequence[Crystal]], confounded: Sequence[str]) -> str:
    """What can and what cannot be concluded from so many crystals, in plain words."""
    counts = ", ".join(f"{name}: {len(crystals)}" for name, crystals in groups.items())
    fewest = min((len(crystals) for crystals in groups.values()), default=0)
    if len(groups) < 2:
        said = f"One group alone ({counts}): there is nothing to compare it with."
    elif fewest < FEWEST_CRYSTALS:
        said = (
            f"Crystals, not pixels, are the n ({counts}). With fewer than {FEWEST_CRYSTALS} crystals in a "
            "group nothing can be said of how crystals of one kind differ among themselves: the numbers are "
            "these crystals' own, without a test or an effect size, and do not speak for the methods."
        )
    else:
        said = (
            f"Crystals, not pixels, are the n ({counts}). A small p says that chance alone would seldom part "
            "crystals like these; it does not say that the grouping is the cause."
        )
    if confounded and len(groups) > 1:
        said += f" Not the same or not stated in all groups, and not separated here: {', '.join(confounded)}."
    return said
