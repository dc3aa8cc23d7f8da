"""A plausible result made of formulae alone: what pages, figures, files and tables are tried with.

Nothing of the analysis but the records takes part, so a fault of the analysis cannot hide here. One crystal,
a square of 10 um turned by 8 degrees, is seen by all three instruments; its lattice widens and it stiffens
towards the centre (``diffusion``), or neither (any other method).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from analysis.records import (
    AFM_STATUS,
    COORDINATES,
    AfmReduction,
    Array,
    Coordinate,
    Correlation,
    InputFile,
    Measured,
    Profile,
    Provenance,
    Result,
    SemReduction,
    Transform,
    Trend,
    XrayReduction,
)
from tests.synthetic_crystal import HALF_SIDE_UM, a_sc_nm, modulus_gpa
from tests.synthetic_images import make_afm, make_sem
from tests.synthetic_xray import PSI_DEG, make_xray


def make_result(
    sample_id: str = "synthetic",
    *,
    method: str = "diffusion",
    seed: int = 0,
    xray: bool = True,
    sem: bool = True,
    afm: bool = True,
    size: int = 15,
    folder: Path | None = None,
) -> Result:
    """A result with the modalities asked for; ``size`` is the number of scan points a side.

    The patterns are written to ``<sample_id>_patterns.h5`` in ``folder``; without one there are none.
    """
    random = np.random.default_rng(seed)
    scans = (make_xray(sample_id, method, random, size, folder),) if xray else ()
    images = (make_sem(method, random),) if sem else ()
    fields = (make_afm(method, random),) if afm else ()
    return Result(
        sample_id=sample_id,
        title=f"Synthetic crystal, {method}",
        composition="CsPbBr3",
        method=method,
        simulated=True,
        nanocrystal_size_nm=(7.45, 0.89),
        provenance=_provenance(),
        xray=scans,
        sem=images,
        afm=fields,
        profiles=[*_xray_profiles(scans), *_sem_profiles(images), *_afm_profiles(fields)],
        correlations=_correlations(method, random) if xray and afm else (),
        summary=_summary(method, xray=xray, afm=afm),
        preparation={"synthesis": "hot injection", "solvent": "toluene", "substrate": ""},
        transforms=(_transform(),) if xray and afm else (),
        trends=_trends(method) if xray else (),
    )


def _transform() -> Transform:
    """The AFM's frame shifted upon the scan's, by three pairs of landmarks that do not quite agree."""
    places = np.array([[3.0, 3.0, 4.0, 2.5], [9.0, 4.0, 10.1, 3.5], [5.0, 10.0, 5.9, 9.5]])
    matrix = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]])
    return Transform(
        kind="translation",
        mirrored=False,
        matrix=matrix,
        covariance=0.003 * np.eye(2),
        residuals_um=places[:, 2:] - places[:, :2] - (1.0, -0.5),
        leave_one_out_um=np.array([0.0, 0.15, 0.15]),
        landmarks_um=places,
        source="afm.0",
        target="xray.0",
    )


def _trends(method: str) -> tuple[Trend, ...]:
    rise = 6.0 if method == "diffusion" else 0.0
    likely = {"constant": 0.05, "straight": 0.85, "plateau": 0.08, "step": 0.02}
    return tuple(
        Trend(
            modality="xray", index=0, crystal="A", quantity="a_sc", coordinate=coordinate, unit=unit,
            slope=slope, slope_err=0.05, robust_slope=slope, robust_slope_err=0.06, n=81, shape="straight",
            place=np.nan, **{f"weight_{name}": weight for name, weight in likely.items()},
        )
        for coordinate, unit, slope in (("rectangle", "nm", rise), ("depth", "nm/um", 0.2 * rise))
    )  # fmt: skip


def _provenance() -> Provenance:
    return Provenance(
        software="triptych 0",
        algorithm=1,
        parameters_json='{"format": 1}',
        inputs=(InputFile(path="xray/scan_master.h5", size=1234, mtime_ns=5678),),
    )


def _xray_profiles(scans: tuple[XrayReduction, ...]) -> list[Profile]:
    return [
        _profile(
            "xray", quantity, scan.maps[quantity].unit, kind, scan.coordinate, scan.maps[quantity].values
        )
        for scan in scans
        for quantity in ("a_sc", "a1", "a2", "gamma", "psi")
        for kind in COORDINATES
        if scan.coordinate is not None
    ]


def _sem_profiles(images: tuple[SemReduction, ...]) -> list[Profile]:
    profiles = []
    for image in images:
        s = np.array([region.s for region in image.regions])
        kinds = {kind: s for kind in COORDINATES if kind != "depth"}
        coordinate = Coordinate(s=kinds, s_err=kinds, depth_um=s * HALF_SIDE_UM)
        for quantity in ("spacing", "a_sc"):
            values = np.array([getattr(region, f"{quantity}_nm") for region in image.regions])
            profiles += [_profile("sem", quantity, "nm", kind, coordinate, values) for kind in COORDINATES]
    return profiles


def _afm_profiles(fields: tuple[AfmReduction, ...]) -> list[Profile]:
    profiles = []
    for field in fields:
        counted = field.status == AFM_STATUS.index("ok")
        for quantity, unit, values in (
            ("modulus", "GPa", field.modulus_gpa),
            ("height", "nm", field.height_nm),
        ):
            kept = np.where(counted, values, np.nan)
            profiles += [
                _profile("afm", quantity, unit, kind, field.coordinate, kept)
                for kind in COORDINATES
                if field.coordinate is not None
            ]
    return profiles


def _profile(
    modality: str, quantity: str, unit: str, kind: str, coordinate: Coordinate, values: Array
) -> Profile:
    place = coordinate.depth_um if kind == "depth" else coordinate.s[kind]
    edges = np.linspace(0.0, HALF_SIDE_UM if kind == "depth" else 1.0, 11)
    seen = np.isfinite(place) & np.isfinite(values)
    kept = [values[seen & (place >= lo) & (place < hi)] for lo, hi in pairwise(edges)]
    n = np.array([bin_values.size for bin_values in kept])
    mean = np.array([v.mean() if v.size else np.nan for v in kept])
    std = np.array([v.std() if v.size else np.nan for v in kept])
    sem = std / np.sqrt(np.maximum(n, 1))
    many = np.where(n >= 3, 1.0, np.nan)
    return Profile(
        modality=modality,
        index=0,
        crystal="A",
        quantity=quantity,
        unit=unit,
        coordinate=kind,
        lo=edges[:-1],
        mid=(edges[:-1] + edges[1:]) / 2,
        hi=edges[1:],
        mean=mean,
        std=std,
        sem=sem,
        median=np.array([np.median(v) if v.size else np.nan for v in kept]),
        ci_lo=mean - 2 * sem * many,
        ci_hi=mean + 2 * sem * many,
        n=n,
    )


def _correlations(method: str, random: np.random.Generator) -> tuple[Correlation, ...]:
    s = np.linspace(0.05, 0.95, 10)
    a_sc = a_sc_nm(s, method) + random.normal(0.0, 0.05, 10)
    modulus = modulus_gpa(s, method) * random.normal(1.0, 0.05, 10)
    shared = {"n_crystals": 1, "spearman_rho": 0.97, "slope": 0.9, "slope_err": 0.05, "s": s}
    co_trend = Correlation(
        x_quantity="a_sc", y_quantity="modulus", pairing="coordinate", n=10,
        pearson_r=float(np.corrcoef(a_sc, modulus)[0, 1]), r_ci_lo=0.9, r_ci_hi=0.99, partial_r_s=np.nan,
        p_block_bootstrap=np.nan, x=a_sc, y=modulus, x_err=np.full(10, 0.03), y_err=0.05 * modulus, **shared,
    )  # fmt: skip
    paired = Correlation(
        x_quantity="height", y_quantity="modulus", pairing="pixel", n=2000,
        pearson_r=0.08, r_ci_lo=-0.1, r_ci_hi=0.25, partial_r_s=0.02, p_block_bootstrap=0.4,
        x=8000.0 + 10 * s, y=modulus, x_err=np.full(10, 20.0), y_err=0.05 * modulus, **shared,
    )  # fmt: skip
    return co_trend, paired


def _summary(method: str, *, xray: bool, afm: bool) -> dict[str, Measured | None]:
    edge, centre = (float(a_sc_nm(np.array(s), method)) for s in (0.12, 0.9))
    of_xray = {
        "a_sc_edge": Measured(value=edge, unit="nm", err=0.02, sys=0.04, std=0.3, n=30),
        "a_sc_centre": Measured(value=centre, unit="nm", err=0.02, sys=0.04, std=0.2, n=9),
        "a_sc_change": Measured(value=centre - edge, unit="nm", err=0.03, sys=0.01),
        "a_sc_gradient_per_um": Measured(value=(centre - edge) / 3.9, unit="nm/um", err=0.01),
        "a_sc_gradient_per_s": Measured(value=(centre - edge) / 0.78, unit="nm", err=0.05),
        "gamma": Measured(value=90.1, unit="deg", err=0.1, std=1.5, n=81),
        "psi": Measured(value=PSI_DEG, unit="deg", err=0.1, std=1.0, n=81),
    }
    level, slope = (1.4, 5.4) if method == "diffusion" else (0.14, 0.0)
    of_afm = {
        "modulus": Measured(value=level + slope / 3, unit="GPa", err=0.02, std=1.3, n=1500),
        "modulus_median": Measured(value=level + slope / 3.5, unit="GPa", n=1500),
        "modulus_mad": Measured(value=0.9, unit="GPa", n=1500),
        "height": Measured(value=8000.0 if slope else 700.0, unit="nm", err=1.0, std=15.0, n=1500),
        "modulus_gradient_per_s": Measured(value=slope, unit="GPa", err=0.1),
    }
    shown: dict[str, Measured | None] = {name: value if xray else None for name, value in of_xray.items()}
    shown |= {name: value if afm else None for name, value in of_afm.items()}
    return shown | {"a_al": None}
