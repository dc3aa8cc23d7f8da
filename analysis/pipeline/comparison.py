"""Results compared by group: numbers of each crystal, what else differs, and what leaves as CSV and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from analysis.io.tables import written_csv, written_texts
from analysis.records import Measured, Result
from analysis.registration.comparison import Comparison, Crystal, GroupTest, compare_groups
from analysis.registration.gradient import line_of_few
from analysis.registration.sampled import SEM_COUNTED
from analysis.registration.summary import summary_of

Grouping = Callable[[Result], str]

GROUPINGS: Mapping[str, Grouping] = {
    "method": lambda result: result.method or "method not stated",
    "composition": lambda result: result.composition or "composition not stated",
    "sample": lambda result: result.title or result.sample_id,
}
"""Ways to sort samples into groups; the first is the default. Hand-picked groups are given by name."""

QUANTITIES = (
    "a_sc_edge",
    "a_sc_centre",
    "a_sc_change",
    "a_sc_gradient_per_um",
    "a_sc_gradient_per_s",
    "sem_a_sc",
    "sem_a_sc_gradient_per_s",
    "gamma",
    "a_al",
    "modulus",
    "modulus_median",
    "modulus_gradient_per_s",
    "height",
)

COLUMNS = (
    "sample", "crystal", "level", "group", "other_group", "quantity", "unit", "value", "err", "sys", "std",
    "n", "difference", "difference_err", "ratio", "ratio_err", "hedges_g", "g_ci_lo", "g_ci_hi",
    "mann_whitney_p", "permutation_p", "p_least", "p_holm",
)  # fmt: skip

NOTES = (
    "level crystal: one crystal's own number; err 1 sigma of it; std the spread within it; n its points",
    "level group: mean over crystals; err of that mean; std between crystals (ddof 0); n crystals",
    "level pair: other_group minus group and their ratio; tests only from three crystals in each group on",
    "g with the 95 % interval of the true effect; p_least: the smallest p that so many crystals can give",
)


def crystals_of(result: Result) -> tuple[Crystal, ...]:
    """The crystals of one result, each with the numbers that its own scans, images and fields give."""
    held = [found.crystal for found in result.xray]
    held += [found.crystal for found in result.sem] + [found.crystal for found in result.afm]
    labels = list(dict.fromkeys(held))
    return tuple(
        Crystal(
            sample=result.sample_id,
            label=label,
            numbers=_numbers(result, label, alone=len(labels) == 1),
            confounders=_confounders(result, label),
        )
        for label in labels
    )


def _numbers(result: Result, label: str, *, alone: bool) -> dict[str, Measured | None]:
    own = (
        dict(result.summary)
        if alone
        else summary_of(
            [scan for scan in result.xray if scan.crystal == label],
            [field for field in result.afm if field.crystal == label],
        )
    )
    own |= _image_numbers(result, label)
    return {name: own.get(name) for name in QUANTITIES}


def _image_numbers(result: Result, label: str) -> dict[str, Measured | None]:
    """Mean of <a_SC> over a crystal's SEM regions, and its slope against s."""
    regions = [
        region
        for image in result.sem
        if image.crystal == label
        for region in image.regions
        if region.status in SEM_COUNTED and math.isfinite(region.a_sc_nm)
    ]
    if not regions:
        return {}
    values = [(region.s, region.a_sc_nm, region.a_sc_err_nm) for region in regions]
    frame = pd.DataFrame(values, columns=["s", "a", "e"])
    n = len(frame)
    mean_err = math.hypot(*frame["e"]) / n
    found: dict[str, Measured | None] = {
        "sem_a_sc": Measured(
            value=float(frame["a"].mean()),
            unit="nm",
            err=mean_err,
            sys=float(max(r.a_sc_sys_nm for r in regions)),
            std=float(frame["a"].std(ddof=0)),
            n=n,
        )
    }
    line = line_of_few(*(frame[name].to_numpy(dtype=float) for name in ("s", "a", "e")))
    if line is not None:
        found["sem_a_sc_gradient_per_s"] = Measured(value=line[0], unit="nm", err=line[1], n=n)
    return found


def _confounders(result: Result, label: str) -> dict[str, str]:
    size = result.nanocrystal_size_nm
    height = [field.statistics.get("height_mean") for field in result.afm if field.crystal == label]
    thick = [one.value for one in height if one is not None and math.isfinite(one.value)]
    return {
        "nanocrystal size": "" if size is None else f"{size[0]:g} nm, spread {size[1]:g} nm",
        "synthesis": result.preparation.get("synthesis", ""),
        "solvent": result.preparation.get("solvent", ""),
        "substrate": result.preparation.get("substrate", ""),
        "thickness": f"{thick[0] / 1e3:.2g} um" if thick else "",
        "composition": result.composition,
    }


def compared(
    results: Sequence[Result], *, groups: Mapping[str, str] | None = None, by: str = "method"
) -> Comparison:
    """Compare results by one of ``GROUPINGS``, or by ``groups``: sample id to the name of its group.

    A sample that a hand-picked grouping does not name is left out.
    """
    sorted_in: dict[str, list[Crystal]] = {}
    for result in results:
        name = GROUPINGS[by](result) if groups is None else groups.get(result.sample_id)
        if name is not None:
            sorted_in.setdefault(name, []).extend(crystals_of(result))
    return compare_groups(sorted_in)


def comparison_table(found: Comparison) -> pd.DataFrame:
    """Crystals, groups and pairs of groups under each other, columns ``COLUMNS``."""
    rows: list[dict[str, object]] = []
    for group, crystals in found.groups.items():
        for crystal in crystals:
            rows += [
                {"sample": crystal.sample, "crystal": crystal.label, "level": "crystal", "group": group}
                | {"quantity": name, **_plain(number)}
                for name, number in crystal.numbers.items()
                if number is not None and math.isfinite(number.value)
            ]
    rows += [
        {
            "level": "group", "group": number.group, "quantity": number.quantity, "unit": number.unit,
            "value": number.mean, "err": number.sem, "std": number.std, "n": number.n,
        }
        for number in found.numbers
    ]  # fmt: skip
    rows += [_pair_row(test) for test in found.tests]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _plain(number: Measured) -> dict[str, object]:
    return {
        "unit": number.unit,
        "value": number.value,
        "err": number.err,
        "sys": number.sys,
        "std": number.std,
        "n": number.n,
    }


def _pair_row(test: GroupTest) -> dict[str, object]:
    same = [name for name in COLUMNS if hasattr(test, name)]
    return {
        "level": "pair",
        "group": test.first,
        "other_group": test.second,
        "n": test.n_first + test.n_second,
        **{name: getattr(test, name) for name in same},
    }


def comparison_json(found: Comparison, results: Sequence[Result]) -> dict[str, object]:
    """The same as plain values that JSON knows, with what differs beside the grouping and the conclusion."""
    table = comparison_table(found)
    records = [
        {key: _json(value) for key, value in row.items() if not _empty(value)}
        for row in table.to_dict(orient="records")
    ]
    return {
        "version": 1,
        "samples": [
            {"id": r.sample_id, "title": r.title, "method": r.method, "simulated": r.simulated}
            for r in results
        ],
        "groups": {
            name: [{"sample": c.sample, "crystal": c.label, "confounders": dict(c.confounders)} for c in held]
            for name, held in found.groups.items()
        },
        "confounded": list(found.confounded),
        "conclusion": found.sentence,
        "rows": records,
    }


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _json(value: object) -> object:
    return value.item() if hasattr(value, "item") else value


def comparison_csv(found: Comparison, results: Sequence[Result]) -> str:
    """The table as CSV text with its ``#`` lines."""
    kinds = [f"sample: {r.sample_id}{' [simulated]' if r.simulated else ''}: {r.title}" for r in results]
    confounded = f"not the same or not stated in all groups: {', '.join(found.confounded) or 'nothing'}"
    return written_csv(comparison_table(found), [*kinds, *NOTES, confounded, found.sentence])


def export_comparison(found: Comparison, results: Sequence[Result], folder: Path) -> list[Path]:
    """Write ``compare.csv`` and ``compare.json`` into a folder; gives what was written."""
    text = json.dumps(comparison_json(found, results), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return written_texts({"compare.csv": comparison_csv(found, results), "compare.json": text}, folder)
