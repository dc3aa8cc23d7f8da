"""The force map: height, Young's modulus and adhesion over one crystal on a stiff substrate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from analysis.simulate.crystal import Rectangle, SmoothVariation
from analysis.simulate.presets import AfmPreset
from analysis.units import NM_PER_UM

Array = npt.NDArray[np.float64]

FLANK_UM = 0.01
"""Scale over which the crystal's side falls; the apparent modulus goes over to the substrate's with it."""

SUBSTRATE_GPA = 20.0
CEILING_GPA = 35.0
CLIPPED_PIXELS = 12
MODULUS_NOISE = 0.03
HEIGHT_NOISE_NM = 3.0
ROW_OFFSET_NM = 2.0
ROUGHNESS_NM = 6.0
ADHESION_NN = (18.0, 32.0)
TEXTURE_LENGTH_SHARE = 0.04
MASK_MARGIN_PX = 3.0


@dataclass(frozen=True, kw_only=True)
class AfmField:
    """What is true of a field, and what the instrument makes of it; every array (rows, cols)."""

    field_um: float
    crystal: Rectangle
    s: Array
    inside: npt.NDArray[np.bool_]
    true_height_nm: Array
    true_modulus_gpa: Array
    height_nm: Array
    modulus_gpa: Array
    adhesion_nn: Array
    mask: Array

    def line_um(self) -> tuple[float, float, float, float]:
        """Ends x0, y0, x1, y1 of a line through the crystal's centre, from beyond one side to the other."""
        reach = self.crystal.half_sides_um[0] * 1.08
        return (*self.crystal.position(-reach, 0.0), *self.crystal.position(reach, 0.0))


def afm_field(preset: AfmPreset, pixels: int, rng: np.random.Generator) -> AfmField:
    """Simulate a square field of ``pixels`` x ``pixels``; a pixel's centre is (col + 0.5) dx."""
    pixel_um = preset.field_um / pixels
    centre = (0.5 * preset.field_um + preset.offset_um[0], 0.5 * preset.field_um + preset.offset_um[1])
    crystal = Rectangle(
        centre_um=centre, half_sides_um=preset.half_sides_um, rotation_deg=preset.rotation_deg
    )
    at = (np.arange(pixels) + 0.5) * pixel_um
    x, y = np.meshgrid(at, at)
    u, v = crystal.own_axes(x, y)
    s, depth = crystal.signed_s(u, v), crystal.depth_um(u, v)
    inside = s >= 0.0
    modulus = _true_modulus(preset, s, inside, pixel_um, rng)
    top = _true_top(preset, u, v, rng)
    on_top = 1.0 / (1.0 + np.exp(np.clip(-depth / FLANK_UM, -60.0, 60.0)))
    return AfmField(
        field_um=preset.field_um,
        crystal=crystal,
        s=np.where(inside, s, np.nan),
        inside=inside,
        true_height_nm=np.where(inside, top, 0.0),
        true_modulus_gpa=np.where(inside, modulus, np.nan),
        height_nm=_measured_height(preset, top * on_top, x, y, rng),
        modulus_gpa=_measured_modulus(modulus, on_top, inside, rng),
        adhesion_nn=_adhesion(on_top, rng),
        mask=(depth > MASK_MARGIN_PX * pixel_um).astype(np.float64),
    )


def _true_modulus(
    preset: AfmPreset, s: Array, inside: npt.NDArray[np.bool_], pixel_um: float, rng: np.random.Generator
) -> Array:
    """Law times a fine texture of mean 1 on the crystal, lognormal where the spread is large."""
    length_px = TEXTURE_LENGTH_SHARE * min(preset.half_sides_um) / pixel_um
    grain = _standardised(gaussian_filter(rng.standard_normal(s.shape), length_px, mode="wrap"), inside)
    fine = _standardised(rng.standard_normal(s.shape), inside)
    texture = _standardised(grain + 0.6 * fine, inside)
    law = preset.modulus_gpa
    level = law.edge + law.rise * np.clip(s, 0.0, 1.0)
    if not preset.skewed:
        return np.asarray(level * np.maximum(1.0 + preset.texture * texture, 0.1))
    width = np.sqrt(np.log1p(preset.texture**2))
    factor = np.exp(width * texture)
    return np.asarray(level * factor / factor[inside].mean())


def _standardised(values: Array, inside: npt.NDArray[np.bool_]) -> Array:
    return np.asarray((values - values[inside].mean()) / values[inside].std())


def _true_top(preset: AfmPreset, u: Array, v: Array, rng: np.random.Generator) -> Array:
    """Height in nm of the crystal's top: flat, with a slow variation of 1 % and some roughness."""
    wavy = SmoothVariation.drawn(
        rng, std=0.01, length_um=0.5 * min(preset.half_sides_um), half_sides_um=preset.half_sides_um
    )
    rough = ROUGHNESS_NM * gaussian_filter(rng.standard_normal(u.shape), 1.5, mode="wrap") * 5.3
    return np.asarray(preset.height_um * NM_PER_UM * (1.0 + wavy.at(u, v)) + rough)


def _measured_height(
    preset: AfmPreset, height_nm: Array, x: Array, y: Array, rng: np.random.Generator
) -> Array:
    """Height with the sample's tilt, an offset of each scan line, and noise."""
    tilt = preset.slope_nm_per_um[0] * x + preset.slope_nm_per_um[1] * y
    rows = rng.normal(0.0, ROW_OFFSET_NM, size=(height_nm.shape[0], 1))
    return np.asarray(height_nm + tilt + rows + rng.normal(0.0, HEIGHT_NOISE_NM, size=height_nm.shape))


def _measured_modulus(
    modulus: Array, on_top: Array, inside: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Array:
    """Modulus with noise, a few pixels at the range's end, and the contact on a side in between."""
    substrate = SUBSTRATE_GPA * rng.lognormal(0.0, 0.1, size=modulus.shape)
    mixed = np.exp(on_top * np.log(modulus) + (1.0 - on_top) * np.log(substrate))
    noisy = mixed * (1.0 + rng.normal(0.0, MODULUS_NOISE, size=modulus.shape))
    spikes = rng.choice(np.flatnonzero(inside), size=CLIPPED_PIXELS, replace=False)
    noisy.flat[spikes] = CEILING_GPA
    return np.asarray(np.clip(noisy, 0.0, CEILING_GPA))


def _adhesion(on_top: Array, rng: np.random.Generator) -> Array:
    crystal, substrate = ADHESION_NN
    level = crystal * on_top + substrate * (1.0 - on_top)
    return np.asarray(level * rng.lognormal(0.0, 0.08, size=on_top.shape))
