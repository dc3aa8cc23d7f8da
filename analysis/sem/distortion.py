"""How far the arrays of an image stray, in common, from the symmetric lattice that they nearly are.

Drift, tilt and astigmatism of the scan shear and stretch every region alike; a real distortion of the crystal
does too, and the image alone cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.records import SemRegion

IDEAL_GAMMA_DEG = {"square": (90.0,), "hexagonal": (60.0, 120.0)}
MIN_REGIONS = 2
TOLD = 3.0
"""Stretch or shear of so many standard errors is told,"""

LEAST_STRETCH, LEAST_SHEAR_DEG = 0.003, 0.2
"""and of this size at least."""


@dataclass(frozen=True, kw_only=True)
class Distortion:
    """Means over ``n`` regions with their standard errors.

    ``stretch`` is |k1|/|k2| - 1, ``shear_deg`` gamma minus its ideal.
    """

    lattice: str
    stretch: float
    stretch_err: float
    shear_deg: float
    shear_err_deg: float
    n: int

    @property
    def is_clear(self) -> bool:
        """Whether stretch or shear stands out of the scatter between regions."""
        stretched = abs(self.stretch) > max(TOLD * self.stretch_err, LEAST_STRETCH)
        return bool(stretched or abs(self.shear_deg) > max(TOLD * self.shear_err_deg, LEAST_SHEAR_DEG))

    def sentence(self) -> str:
        """What is seen, with its size, and what may have made it."""
        return (
            f"the {self.lattice} arrays are distorted alike in {self.n} regions: |k1|/|k2| - 1 = "
            f"{100 * self.stretch:.2f} +- {100 * self.stretch_err:.2f} %, gamma off by "
            f"{self.shear_deg:.2f} +- {self.shear_err_deg:.2f} degrees "
            "(drift, tilt, astigmatism or the crystal itself)"
        )


def common_distortion(regions: Sequence[SemRegion]) -> Distortion | None:
    """Distortion of the regions whose lattice is square or hexagonal, whichever more are; None below two."""
    usable = [region for region in regions if region.status in ("ok", "few_periods")]
    names = [region.lattice for region in usable]
    name = max(IDEAL_GAMMA_DEG, key=names.count)
    alike = [region for region in usable if region.lattice == name]
    if len(alike) < MIN_REGIONS:
        return None
    each = np.array([region.delta_k_each_per_nm for region in alike])
    stretch = each[:, 0] / each[:, 1] - 1.0
    gamma = np.array([region.gamma_deg for region in alike])
    off = gamma[:, None] - np.array(IDEAL_GAMMA_DEG[name])
    shear = np.take_along_axis(off, np.abs(off).argmin(axis=1)[:, None], axis=1)[:, 0]
    root = np.sqrt(len(alike) - 1.0)
    return Distortion(
        lattice=name,
        stretch=float(stretch.mean()),
        stretch_err=float(stretch.std() / root),
        shear_deg=float(shear.mean()),
        shear_err_deg=float(shear.std() / root),
        n=len(alike),
    )
