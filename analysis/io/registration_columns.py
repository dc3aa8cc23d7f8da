"""Columns of the tables about one coordinate for all: trends, and X-ray against SEM."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from analysis.records import Result
from analysis.registration.agreement import agreements

TREND_NAMES = (
    "crystal", "modality", "quantity", "coordinate", "unit", "slope", "slope_err", "robust_slope",
    "robust_slope_err", "n", "shape", "place", "weight_constant", "weight_straight", "weight_plateau",
    "weight_step", "index",
)  # fmt: skip
AGREEMENT_NAMES = (
    "crystal", "image", "label", "s", "s_err", "xray_nm", "xray_err_nm", "sem_nm", "sem_err_nm",
    "difference_nm", "difference_err_nm", "sigmas",
)  # fmt: skip


def trend_columns(result: Result) -> pd.DataFrame:
    """Slope and shape of every quantity along s and depth."""
    return pd.DataFrame([asdict(trend) for trend in result.trends], columns=list(TREND_NAMES))


def agreement_columns(result: Result) -> pd.DataFrame:
    """<a_SC> of each SEM region beside that of the X-ray at the same s."""
    found = agreements(result.profiles, result.xray, result.sem)
    return pd.DataFrame([asdict(one) for one in found], columns=list(AGREEMENT_NAMES))
