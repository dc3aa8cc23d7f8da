"""``truth.h5``: what was simulated, beside the raw files, to test what is read from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from analysis.simulate.afm import AfmField
from analysis.simulate.crystal import Rectangle
from analysis.simulate.lattice import NEGLIGIBLE_COVERAGE, BeamLattice, Scan, spacing_nm
from analysis.simulate.presets import Preset

Array = npt.NDArray[np.float64]

SEM_POINTS = 201
LATTICE_MEANING = (
    "mean of the lattice over the parts of the crystal that the beam's Gaussian footprint (240 nm vertical, "
    f"320 nm horizontal FWHM) meets, weighted with it; NaN where coverage < {NEGLIGIBLE_COVERAGE}"
)


def write_truth(
    path: Path,
    preset: Preset,
    *,
    attributes: Mapping[str, object],
    scan: Scan,
    lattice: BeamLattice,
    afm: AfmField,
) -> None:
    """Write all three modalities' truth; every dataset carries its units and its meaning."""
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
        _write_xray(file.create_group("xray"), scan, lattice, preset.xray.atomic_mosaic_deg)
        _write_sem(file.create_group("sem/0"), preset)
        _write_afm(file.create_group("afm/0"), afm)


def _write_xray(group: h5py.Group, scan: Scan, lattice: BeamLattice, mosaic_deg: float) -> None:
    a1, a2 = lattice.mean("a1_nm"), lattice.mean("a2_nm")
    lattice_maps = {
        "a1_nm": (a1, "nm"),
        "a2_nm": (a2, "nm"),
        "gamma_deg": (np.rad2deg(lattice.mean("gamma_rad")), "deg"),
        "psi_deg": (np.rad2deg(lattice.mean("psi_rad")), "deg"),
        "a_sc_nm": (0.5 * (a1 + a2), "nm"),
        "a_al_nm": (lattice.mean("a_al_nm"), "nm"),
        "atomic_psi_deg": (np.rad2deg(lattice.mean("atomic_psi_rad")), "deg"),
    }
    for name, (values, unit) in lattice_maps.items():
        _put(group, name, values, unit, LATTICE_MEANING)
    _put(group, "s", lattice.s, "1", "edge-to-centre coordinate of the beam's centre, NaN outside")
    _put(group, "coverage", lattice.coverage, "1", "share of the beam's footprint on the crystal")
    on_crystal = lattice.coverage[..., None] >= NEGLIGIBLE_COVERAGE
    lean = np.where(on_crystal, np.rad2deg(lattice.tilt_rad), np.nan)
    _put(group, "atomic_lean_deg", lean, "deg", "lean of the nanocrystals to the right and up")
    group.attrs["atomic_mosaic_deg"] = mosaic_deg
    group.attrs["step_um"] = (scan.step_um, scan.step_um)
    group.attrs["axes"] = "rows slow along +y (down), columns fast along +x; origin: the first point"
    _put_crystal(group, scan.crystal)


def _write_sem(group: h5py.Group, preset: Preset) -> None:
    s = np.linspace(0.0, 1.0, SEM_POINTS)
    _put(group, "s", s, "1", "coordinate along the line from edge_nm to center_nm")
    _put(group, "spacing_nm", spacing_nm(preset.sem.spacing_nm, s), "nm", "lattice spacing on that line")
    group.attrs["lattice"] = "square, gamma 90 degrees everywhere"
    group.attrs["rotation_deg"] = preset.sem.rotation_deg
    group.attrs["rotation"] = "of the lattice on the line, counter-clockwise as displayed, modulo 90"


def _write_afm(group: h5py.Group, afm: AfmField) -> None:
    modulus, height = _rounded(afm.true_modulus_gpa, bits=12), _rounded(afm.true_height_nm, bits=4)
    _put(group, "modulus_gpa", modulus, "GPa", "Young's modulus without noise, NaN outside")
    _put(group, "height_nm", height, "nm", "height above the substrate, without tilt and noise")
    _put(
        group,
        "s",
        _rounded(afm.s, bits=12),
        "1",
        "edge-to-centre coordinate of the pixel's centre, NaN outside",
    )
    _put(group, "inside", afm.inside, "1", "whether the pixel's centre is on the crystal")
    group.attrs["field_um"] = afm.field_um
    _put_crystal(group, afm.crystal)


def _put_crystal(group: h5py.Group, crystal: Rectangle) -> None:
    group.attrs["crystal_centre_um"] = crystal.centre_um
    group.attrs["crystal_half_sides_um"] = crystal.half_sides_um
    group.attrs["crystal_rotation_deg"] = crystal.rotation_deg


def _rounded(values: Array, *, bits: int) -> npt.NDArray[np.float32]:
    """Values to the nearest ``2^-bits``: far below any noise, and the file stays small."""
    return np.ldexp(np.rint(np.ldexp(values, bits)), -bits).astype(np.float32)


def _put(group: h5py.Group, name: str, values: npt.NDArray[np.generic], units: str, meaning: str) -> None:
    dataset = group.create_dataset(name, data=values, compression="gzip", shuffle=True)
    dataset.attrs["units"] = units
    dataset.attrs["meaning"] = meaning
