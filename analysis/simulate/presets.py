"""What is simulated: the four samples of ACS Nano 2025, 19, 26117, as numbers.

Spacings, scans and moduli are the paper's where it gives them; the level of a spacing law, the modulus of
samples that were never indented and the images that were never taken are invented, and said to be.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_PRESET = "cspbbr3-diffusion"


@dataclass(frozen=True, kw_only=True)
class LinearLaw:
    """A quantity that rises from edge to centre: ``value(s) = edge + rise * s``."""

    edge: float
    rise: float = 0.0


@dataclass(frozen=True, kw_only=True)
class XrayPreset:
    """Raster scan and crystal as the X-ray beam meets it.

    ``shape`` is rows (slow), columns (fast); ``offset_um`` is the crystal's centre from the field's centre,
    x to the right, y down; ``rotation_deg`` is counter-clockwise as displayed. ``photons`` is what one
    first-order peak would hold if the form factor did not fall. ``triggers_by_row``: one trigger a row.
    """

    shape: tuple[int, int]
    step_um: float
    half_sides_um: tuple[float, float]
    offset_um: tuple[float, float]
    rotation_deg: float
    spacing_nm: LinearLaw
    spacing_variation_nm: float
    gamma_variation_deg: float
    psi_variation_deg: float
    mosaic_deg: float
    sigma_q_per_nm: float
    photons: float
    a_al_nm: float
    half_integer_peaks: bool = False
    serpentine: bool = False
    triggers_by_row: bool = False
    positions_s: tuple[float, float] | None = None
    atomic_mosaic_deg: float = 4.5
    atomic_turn_deg: float = 0.0
    wide_angle: bool = False


@dataclass(frozen=True, kw_only=True)
class SemPreset:
    """Image of the monolayer: spacing law and how its lattice lies; ``edge_on_left`` or on the right."""

    spacing_nm: LinearLaw
    rotation_deg: float
    edge_on_left: bool = True
    sidecar_encoding: str = "ascii"


@dataclass(frozen=True, kw_only=True)
class AfmPreset:
    """Force map: modulus law with its relative texture, height, and where the crystal lies in the field.

    ``texture`` is the relative spread of the modulus about its law; ``skewed`` makes it lognormal.
    ``slope_nm_per_um`` is the tilt of the sample under the tip along x and y.
    """

    modulus_gpa: LinearLaw
    texture: float
    skewed: bool
    height_um: float
    half_sides_um: tuple[float, float]
    field_um: float
    offset_um: tuple[float, float]
    rotation_deg: float
    slope_nm_per_um: tuple[float, float]
    first_channel: int
    name_channels: bool = False


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One simulated sample. ``measured`` names the modalities that the paper has; the others are invented."""

    id: str
    title: str
    composition: str
    method: str
    nanocrystal_size_nm: tuple[float, float]
    measured: tuple[str, ...]
    seed: int
    xray: XrayPreset
    sem: SemPreset
    afm: AfmPreset
    notes: tuple[str, ...] = field(default=())

    @property
    def invented(self) -> tuple[str, ...]:
        """Modalities that the paper does not have of this sample."""
        return tuple(name for name in ("X-ray", "SEM", "AFM") if name not in self.measured)


DIFFUSION_MODULUS_GPA = LinearLaw(edge=1.4, rise=5.4)
"""Over a square, s has mean 1/3 and std 0.236: 3.2 GPa with a spread of 1.27, 1.3 with its texture."""

_CSPBBR3_DIFFUSION = Preset(
    id="cspbbr3-diffusion",
    title="CsPbBr3, two-layer diffusion",
    composition="CsPbBr3",
    method="diffusion",
    nanocrystal_size_nm=(7.45, 0.89),
    measured=("X-ray", "SEM", "AFM"),
    seed=20250101,
    xray=XrayPreset(
        shape=(61, 61),
        step_um=0.4,
        half_sides_um=(5.0, 5.0),
        offset_um=(0.7, -0.5),
        rotation_deg=20.0,
        spacing_nm=LinearLaw(edge=11.6, rise=6.0),
        spacing_variation_nm=0.1,
        gamma_variation_deg=3.0,
        psi_variation_deg=1.8,
        mosaic_deg=3.0,
        sigma_q_per_nm=0.014,
        photons=6500.0,
        a_al_nm=0.584,
        half_integer_peaks=True,
        triggers_by_row=True,
        positions_s=(0.897, 0.12),
    ),
    sem=SemPreset(spacing_nm=LinearLaw(edge=11.6, rise=6.0), rotation_deg=6.0, sidecar_encoding="utf-16"),
    afm=AfmPreset(
        modulus_gpa=DIFFUSION_MODULUS_GPA,
        texture=0.08,
        skewed=False,
        height_um=8.0,
        half_sides_um=(5.0, 5.0),
        field_um=12.8,
        offset_um=(0.3, 0.4),
        rotation_deg=11.0,
        slope_nm_per_um=(18.0, -11.0),
        first_channel=1,
        name_channels=True,
    ),
)

_CSPBBR2CL_DIFFUSION = Preset(
    id="cspbbr2cl-diffusion",
    title="CsPbBr2Cl, two-layer diffusion",
    composition="CsPbBr2Cl",
    method="diffusion",
    nanocrystal_size_nm=(7.45, 0.89),
    measured=("X-ray", "SEM"),
    seed=20250102,
    xray=XrayPreset(
        shape=(61, 61),
        step_um=0.5,
        half_sides_um=(6.0, 6.0),
        offset_um=(-0.9, 0.6),
        rotation_deg=24.0,
        spacing_nm=LinearLaw(edge=12.2, rise=6.0),
        spacing_variation_nm=0.1,
        gamma_variation_deg=3.0,
        psi_variation_deg=1.8,
        mosaic_deg=3.0,
        sigma_q_per_nm=0.014,
        photons=6500.0,
        a_al_nm=0.578,
        serpentine=True,
        positions_s=(0.9, 0.12),
    ),
    sem=SemPreset(spacing_nm=LinearLaw(edge=12.0, rise=6.9), rotation_deg=-4.0),
    afm=AfmPreset(
        modulus_gpa=DIFFUSION_MODULUS_GPA,
        texture=0.08,
        skewed=False,
        height_um=8.0,
        half_sides_um=(6.0, 6.0),
        field_um=16.0,
        offset_um=(-0.4, 0.3),
        rotation_deg=17.0,
        slope_nm_per_um=(-9.0, 14.0),
        first_channel=2,
    ),
    notes=("the level of the X-ray spacing law is assumed, its rise is the paper's",),
)

_CSPBCL3_DIFFUSION = Preset(
    id="cspbcl3-diffusion",
    title="CsPbCl3, two-layer diffusion",
    composition="CsPbCl3",
    method="diffusion",
    nanocrystal_size_nm=(7.45, 0.89),
    measured=("X-ray",),
    seed=20250103,
    xray=XrayPreset(
        shape=(61, 61),
        step_um=0.833,
        half_sides_um=(10.0, 10.0),
        offset_um=(1.5, 1.1),
        rotation_deg=-22.0,
        spacing_nm=LinearLaw(edge=11.0, rise=9.0),
        spacing_variation_nm=0.1,
        gamma_variation_deg=3.0,
        psi_variation_deg=1.8,
        mosaic_deg=3.0,
        sigma_q_per_nm=0.014,
        photons=6500.0,
        a_al_nm=0.561,
        positions_s=(0.9, 0.12),
    ),
    sem=SemPreset(spacing_nm=LinearLaw(edge=11.0, rise=9.0), rotation_deg=9.0, edge_on_left=False),
    afm=AfmPreset(
        modulus_gpa=DIFFUSION_MODULUS_GPA,
        texture=0.08,
        skewed=False,
        height_um=8.0,
        half_sides_um=(10.0, 10.0),
        field_um=24.6,
        offset_um=(0.5, -0.7),
        rotation_deg=-8.0,
        slope_nm_per_um=(12.0, 7.0),
        first_channel=0,
    ),
    notes=("the level of the X-ray spacing law is assumed, its rise is the paper's",),
)

_CSPBBR3_EVAPORATION = Preset(
    id="cspbbr3-evaporation",
    title="CsPbBr3, slow evaporation",
    composition="CsPbBr3",
    method="evaporation",
    nanocrystal_size_nm=(6.4, 0.6),
    measured=("X-ray", "SEM", "AFM"),
    seed=20250104,
    xray=XrayPreset(
        shape=(26, 26),
        step_um=0.24,
        half_sides_um=(2.5, 2.5),
        offset_um=(0.08, -0.1),
        rotation_deg=12.0,
        spacing_nm=LinearLaw(edge=7.39),
        spacing_variation_nm=0.1,
        gamma_variation_deg=1.0,
        psi_variation_deg=1.0,
        mosaic_deg=3.0,
        sigma_q_per_nm=0.012,
        photons=60000.0,
        a_al_nm=0.584,
        half_integer_peaks=True,
        atomic_mosaic_deg=5.0,
        atomic_turn_deg=1.5,
        wide_angle=True,
    ),
    sem=SemPreset(spacing_nm=LinearLaw(edge=8.4), rotation_deg=-7.0),
    afm=AfmPreset(
        modulus_gpa=LinearLaw(edge=0.14),
        texture=0.5,
        skewed=True,
        height_um=0.7,
        half_sides_um=(2.5, 2.5),
        field_um=6.6,
        offset_um=(-0.2, 0.15),
        rotation_deg=14.0,
        slope_nm_per_um=(-15.0, -8.0),
        first_channel=3,
    ),
)

PRESETS: dict[str, Preset] = {
    preset.id: preset
    for preset in (_CSPBBR3_DIFFUSION, _CSPBBR2CL_DIFFUSION, _CSPBCL3_DIFFUSION, _CSPBBR3_EVAPORATION)
}
