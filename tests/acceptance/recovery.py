"""Simulate a preset, reduce it through the commands and measure how well its truth came back.

The truth is what the simulation wrote into ``truth.h5``; what was found is read from the exported CSV files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from tests.command import read_table, triptych

Array = npt.NDArray[np.float64]

PRESETS = ("cspbbr3-diffusion", "cspbbr2cl-diffusion", "cspbcl3-diffusion", "cspbbr3-evaporation")

QUANTITIES = ("a_sc_nm", "gamma_deg", "psi_deg")


@dataclass(frozen=True)
class Recovered:
    """Truth and findings of one preset. Truth arrays are (rows, cols); tables are the exported ones."""

    preset: str
    folder: Path
    result: Path
    xray: dict[str, Array]
    sem: dict[str, Array]
    afm: dict[str, Array]
    points: pd.DataFrame
    rois: pd.DataFrame
    modulus: pd.DataFrame

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Points of which the crystal fills at least half of the beam."""
        return self.xray["coverage"] >= 0.5

    @property
    def outside(self) -> npt.NDArray[np.bool_]:
        return self.xray["coverage"] <= 0.01

    @property
    def well_inside(self) -> npt.NDArray[np.bool_]:
        return self.inside & (self.xray["s"] >= 0.15)

    def found(self, column: str) -> npt.NDArray[np.generic]:
        """One column of ``xray_maps.csv`` on the scan grid."""
        ordered = self.points.sort_values(["row", "col"])[column].to_numpy()
        return ordered.reshape(self.xray["s"].shape)

    def error(self, column: str, where: npt.NDArray[np.bool_]) -> Array:
        """Found minus true of the points of ``where`` that have a value; psi as an axis (mod 180)."""
        difference = np.asarray(self.found(column), dtype=float) - self.xray[column]
        if column == "psi_deg":
            difference = (difference + 90.0) % 180.0 - 90.0
        chosen = difference[where]
        return chosen[np.isfinite(chosen)]

    def pull(self, column: str, where: npt.NDArray[np.bool_]) -> Array:
        """Error over its stated 1 sigma of the points of ``where`` that have a value."""
        stated = np.asarray(self.found(f"{column}_err"), dtype=float)
        valued = where & np.isfinite(np.asarray(self.found(column), dtype=float))
        return self.error(column, valued) / stated[valued]


def recover(preset: str, root: Path, *, ideal: bool) -> Recovered:
    """Simulate, reduce and export one preset below ``root``."""
    folder = root / preset
    for arguments in (
        ("simulate", folder, "--preset", preset, *(["--ideal"] if ideal else [])),
        ("reduce", folder, "--workers", "2"),
        ("export", root / "results" / f"{preset}.h5", "--to", root / "tables"),
    ):
        outcome = triptych(*arguments)
        assert outcome.code == 0, outcome.stderr
    with h5py.File(folder / "truth.h5", "r") as file:
        truth = {
            name: {key: np.asarray(item[()], dtype=float) for key, item in file[name].items()}
            for name in ("xray", "sem/0", "afm/0")
        }
    tables = root / "tables"
    return Recovered(
        preset=preset,
        folder=folder,
        result=root / "results" / f"{preset}.h5",
        xray=truth["xray"],
        sem=truth["sem/0"],
        afm=truth["afm/0"],
        points=read_table(tables, "xray_maps.csv"),
        rois=read_table(tables, "sem_rois.csv"),
        modulus=read_table(tables, "afm_summary.csv"),
    )


def xray_figures(r: Recovered) -> dict[str, float]:
    """How well the map came back: medians and 95th percentiles of errors, status shares, coverage."""
    status = r.found("status")
    figures = {
        "ok_inside": float(np.mean(status[r.inside] == "ok")),
        "ok_outside": float(np.mean(status[r.outside] == "ok")),
    }
    for column in QUANTITIES:
        size = np.abs(r.error(column, r.inside))
        figures[f"{column}_median"] = float(np.median(size))
        figures[f"{column}_p95"] = float(np.percentile(size, 95))
    figures["coverage"] = coverage([r], QUANTITIES)
    s = np.asarray(r.found("s"), dtype=float)
    known = r.inside & np.isfinite(s) & (r.xray["s"] >= 0.0)
    figures["s_known"] = float(known.sum() / (r.inside & (r.xray["s"] >= 0.0)).sum())
    figures["s_rms"] = float(np.sqrt(np.mean((s - r.xray["s"])[known] ** 2)))
    return figures


def coverage(runs: Sequence[Recovered], columns: Sequence[str]) -> float:
    """Share of inside points whose value is within its stated 1 sigma of the truth, over all given."""
    pulls = [np.abs(run.pull(column, run.inside)) for run in runs for column in columns]
    return float(np.mean(np.concatenate(pulls) < 1.0))


def sem_figures(r: Recovered) -> dict[str, float]:
    """Spacing of the regions against the law at their place."""
    valued = r.rois[r.rois["spacing_nm"].notna()]
    order = np.argsort(r.sem["s"].ravel())
    true = np.interp(valued["s"], r.sem["s"].ravel()[order], r.sem["spacing_nm"].ravel()[order])
    error = valued["spacing_nm"].to_numpy() - true
    return {
        "sem_regions": float(len(r.rois)),
        "sem_valued": float(len(valued)),
        "sem_median_nm": float(np.median(np.abs(error))),
        "sem_within_2_sigma": float(np.mean(np.abs(error) < 2.0 * valued["spacing_nm_err"].to_numpy())),
    }


def afm_figures(r: Recovered) -> dict[str, float]:
    """Relative errors of the mean and the median modulus of the crystal."""
    true = r.afm["modulus_gpa"][r.afm["inside"] > 0.5]
    found = r.modulus.iloc[0]
    return {
        "modulus_mean": float(found["modulus_mean_gpa"] / np.mean(true) - 1.0),
        "modulus_median": float(found["modulus_median_gpa"] / np.median(true) - 1.0),
        "modulus_share": float(found["n_px"] / true.size),
    }


def form_factor_figures(r: Recovered) -> dict[str, float]:
    """Mean of found minus true <a_SC> well inside, and the mean shift that is reported for it."""
    shift = np.asarray(r.found("a_sc_shift_nm"), dtype=float)
    chosen = r.well_inside & np.isfinite(shift)
    difference = r.error("a_sc_nm", chosen)
    return {
        "difference_nm": float(np.mean(difference)),
        "difference_err_nm": float(np.std(difference) / math.sqrt(len(difference))),
        "shift_nm": float(np.mean(shift[chosen])),
    }
