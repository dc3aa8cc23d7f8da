"""``summary.json``: the numbers of a sample, each with what is known of it."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from analysis.records import XRAY_STATUS, Correlation, Measured, Result

VERSION = 1
QUANTITIES = (
    "a_sc_edge",
    "a_sc_centre",
    "a_sc_change",
    "a_sc_gradient_per_um",
    "a_sc_gradient_per_s",
    "gamma",
    "psi",
    "a_al",
    "modulus",
    "modulus_median",
    "modulus_mad",
    "height",
    "modulus_gradient_per_s",
)
"""Always there, null where they could not be had; a summary may hold more."""

CORRELATION_NUMBERS = (
    "n",
    "n_crystals",
    "pearson_r",
    "r_ci_lo",
    "r_ci_hi",
    "spearman_rho",
    "partial_r_s",
    "p_block_bootstrap",
    "slope",
    "slope_err",
)

JsonDict = dict[str, object]


def summary_json(result: Result) -> JsonDict:
    """The summary as plain values that JSON knows: NaN and infinities are null."""
    names = dict.fromkeys((*QUANTITIES, *result.summary))
    return {
        "version": VERSION,
        "id": result.sample_id,
        "title": result.title,
        "method": result.method,
        "simulated": result.simulated,
        "software": result.provenance.software,
        **{name: _measured(result.summary.get(name)) for name in names},
        "positions": _positions(result),
        "sem": _regions(result),
        "correlation": [_correlation(pair) for pair in result.correlations],
        "points": _points(result),
    }


def _measured(found: Measured | None) -> JsonDict | None:
    if found is None or not math.isfinite(found.value):
        return None
    return {
        "value": float(found.value),
        "err": _finite(found.err),
        "sys": _finite(found.sys),
        "std": _finite(found.std),
        "n": None if found.n is None else int(found.n),
        "unit": found.unit,
    }


def _finite(number: float | None) -> float | None:
    return float(number) if number is not None and math.isfinite(number) else None


def _positions(result: Result) -> list[JsonDict]:
    return [
        {
            "name": at.name,
            "q_per_nm": _finite(at.q_per_nm),
            "a_sc_nm": _finite(at.a_sc_nm),
            "crystal": scan.crystal,
            "scan": scan.index,
            "row": at.row,
            "col": at.col,
            "s": None if scan.coordinate is None else _finite(scan.coordinate.s["rectangle"][at.row, at.col]),
        }
        for scan in result.xray
        for at in scan.positions
    ]


def _regions(result: Result) -> list[JsonDict]:
    return [
        {
            "delta_k_per_nm": _finite(region.delta_k_per_nm),
            "a_sc_nm": _finite(region.a_sc_nm),
            "s": _finite(region.s),
            "spacing_nm": _finite(region.spacing_nm),
            "label": region.label,
            "status": region.status,
            "crystal": image.crystal,
            "image": image.index,
        }
        for image in result.sem
        for region in image.regions
    ]


def _correlation(pair: Correlation) -> JsonDict:
    numbers: JsonDict = {name: _finite(getattr(pair, name)) for name in CORRELATION_NUMBERS}
    words = {name: getattr(pair, name) for name in ("crystal", "x_quantity", "y_quantity", "pairing")}
    return {**words, **numbers, "n": int(pair.n), "n_crystals": int(pair.n_crystals)}


def _points(result: Result) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for scan in result.xray:
        for code, n in enumerate(np.bincount(scan.status.ravel(), minlength=len(XRAY_STATUS))):
            counts[XRAY_STATUS[code]] += int(n)
    return {name: counts[name] for name in XRAY_STATUS if counts[name]}
