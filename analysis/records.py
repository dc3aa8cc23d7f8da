"""The records that pass between the steps: frozen, keyword-only, checked when made.

Arrays are (row, col), row 0 on top. Positions are (x, y) in um, x to the right, y down. Only angles
are counter-clockwise as displayed. A value that could not be had is NaN and has a status code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from analysis.afm_records import AfmLine as AfmLine
from analysis.afm_records import AfmPart as AfmPart
from analysis.codes import AFM_STATUS as AFM_STATUS
from analysis.codes import COORDINATES as COORDINATES
from analysis.codes import PIXEL_VERDICTS as PIXEL_VERDICTS
from analysis.codes import SEM_STATUS as SEM_STATUS
from analysis.codes import XRAY_STATUS as XRAY_STATUS
from analysis.measured import Measured as Measured
from analysis.registration_records import Transform as Transform
from analysis.registration_records import Trend as Trend
from analysis.sem_records import ParticleSizes as ParticleSizes
from analysis.sem_records import SemRegion as SemRegion
from analysis.wide_angle_records import SPOT_COLUMNS as SPOT_COLUMNS
from analysis.wide_angle_records import WIDE_ANGLE_STATUS as WIDE_ANGLE_STATUS
from analysis.wide_angle_records import EventStack as EventStack
from analysis.wide_angle_records import WideAngle as WideAngle

Array = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Json = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class PixelGrid:
    """A regular grid of pixels or scan points: index (row, col) to position (x, y) in um.

    ``x = x0_um + col * col_step[0] + row * row_step[0]`` and likewise ``y`` with element 1, so a scan whose
    fast axis runs along y, or backwards, keeps its own index order. ``x0_um, y0_um`` is the centre of
    element (0, 0).
    """

    shape: tuple[int, int]
    col_step_um: tuple[float, float]
    row_step_um: tuple[float, float]
    x0_um: float = 0.0
    y0_um: float = 0.0

    def __post_init__(self) -> None:
        cross = self.col_step_um[0] * self.row_step_um[1] - self.col_step_um[1] * self.row_step_um[0]
        if not np.isfinite(cross) or cross == 0.0 or min(self.shape) < 1:
            raise ValueError(f"a grid needs two independent finite steps and at least one pixel: {self}")

    @classmethod
    def of_image(cls, shape: tuple[int, int], *, dx_um: float, dy_um: float) -> PixelGrid:
        """Grid of an image whose origin is its top-left corner: the centre of a pixel is (col + 0.5) dx."""
        return cls(
            shape=shape,
            col_step_um=(dx_um, 0.0),
            row_step_um=(0.0, dy_um),
            x0_um=0.5 * dx_um,
            y0_um=0.5 * dy_um,
        )

    def positions_um(self) -> tuple[Array, Array]:
        """Positions x and y in um of every element, each of the grid's shape."""
        row, col = np.indices(self.shape, dtype=np.float64)
        x = self.x0_um + col * self.col_step_um[0] + row * self.row_step_um[0]
        y = self.y0_um + col * self.col_step_um[1] + row * self.row_step_um[1]
        return x, y

    def indices_at(self, x_um: npt.ArrayLike, y_um: npt.ArrayLike) -> tuple[Array, Array]:
        """Fractional (row, col) of positions in um; integers are centres of elements."""
        dx = np.asarray(x_um, dtype=np.float64) - self.x0_um
        dy = np.asarray(y_um, dtype=np.float64) - self.y0_um
        (cx, cy), (rx, ry) = self.col_step_um, self.row_step_um
        det = cx * ry - cy * rx
        return (cx * dy - cy * dx) / det, (ry * dx - rx * dy) / det

    @property
    def cell_um(self) -> tuple[float, float]:
        """Lengths in um of the steps along a row (between columns) and along a column (between rows)."""
        return float(np.hypot(*self.col_step_um)), float(np.hypot(*self.row_step_um))

    def displayed_axes(self) -> tuple[Array, Array, bool]:
        """Axes for a picture: x (ascending), y (ascending, down) in um, and whether rows run along x."""
        transposed = self.col_step_um[0] == 0.0
        x, y = self.positions_um()
        xs, ys = (x[:, 0], y[0, :]) if transposed else (x[0, :], y[:, 0])
        return np.sort(xs), np.sort(ys), transposed

    def displayed(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """The same values (shape + anything) as seen: rows downwards along +y, columns along +x."""
        x_steps, y_steps = (
            (self.row_step_um, self.col_step_um)
            if self.col_step_um[0] == 0.0
            else (self.col_step_um, self.row_step_um)
        )
        seen = np.swapaxes(values, 0, 1) if self.col_step_um[0] == 0.0 else values
        return seen[:: 1 if y_steps[1] > 0 else -1, :: 1 if x_steps[0] > 0 else -1]


@dataclass(frozen=True, kw_only=True)
class QuantityMap:
    """One quantity on a grid: values and, where known, 1-sigma errors, each (rows, cols)."""

    name: str
    unit: str
    values: Array
    errors: Array | None = None

    def __post_init__(self) -> None:
        if self.errors is not None and self.errors.shape != self.values.shape:
            raise ValueError(
                f"errors of {self.name} have shape {self.errors.shape}, values {self.values.shape}"
            )


@dataclass(frozen=True, kw_only=True)
class Outline:
    """The crystal's edge: a polygon and the oriented rectangle fitted to it.

    ``vertices_um`` is (n, 2) of x, y, not closed. ``half_sides_um`` are A along the rectangle's first axis,
    which points ``angle_rad`` counter-clockwise as displayed from +x, and B along its second. ``error_um``
    is 1 sigma of the edge's place. ``source`` is ``found``, ``given`` (in the sample file),
    ``drawn``, ``edge and centre``, or ``from`` another reduction, which it names.
    """

    vertices_um: Array
    centre_um: tuple[float, float]
    half_sides_um: tuple[float, float]
    angle_rad: float
    error_um: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Coordinate:
    """The edge-to-centre coordinate of every element of a grid or list, NaN outside (depth: negative).

    ``s`` maps a kind (``rectangle``, ``distance``, ``ray``) to values 0 at the edge ... 1 at the centre;
    ``s_err`` likewise 1 sigma; ``depth_um`` is the distance to the outline. All of one shape.
    """

    s: Mapping[str, Array]
    s_err: Mapping[str, Array]
    depth_um: Array


@dataclass(frozen=True, kw_only=True)
class DetectorGeometry:
    """Where the detector stands. ``beam_center_px`` is (column, row), pixel centres at integers;
    ``pixel_size_um`` is (along a row, along a column), that is (x, y).

    ``rotations_rad`` are pyFAI's rot1, rot2, rot3 (zero without a .poni). ``sources`` says for each of
    ``wavelength_nm``, ``distance_mm``, ``beam_center_px``, ``pixel_size_um`` where it was taken from.
    On a tilted detector ``beam_center_px`` is the point of normal incidence, not where the beam arrives.
    ``polarization`` is the share of the horizontal component, ``holder_transmission`` what of the direct beam
    comes through a flat holder behind the sample. ``mirrored`` is the ``detector_flip`` of frames that were
    mirrored, to which all of this then belongs.
    """

    wavelength_nm: float
    distance_mm: float
    pixel_size_um: tuple[float, float]
    beam_center_px: tuple[float, float]
    shape: tuple[int, int]
    rotations_rad: tuple[float, float, float] = (0.0, 0.0, 0.0)
    distance_err_mm: float | None = None
    pixel_size_err_pct: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    polarization: float | None = None
    holder_transmission: float | None = None
    mirrored: str | None = None


@dataclass(frozen=True, kw_only=True)
class BeamCenter:
    """The place of the direct beam on the detector as the pairs +b, -b of all frames tell it.

    ``column_px, row_px`` is where it is, ``*_err_px`` 1 sigma, on the detector as mirrored;
    ``shift_px`` is (columns, rows) from the place that was used to that one. ``frames`` is how many told it;
    ``applied`` says whether the place that was used had been moved by such a result before.
    """

    column_px: float
    row_px: float
    column_err_px: float
    row_err_px: float
    shift_px: tuple[float, float]
    frames: int
    applied: bool


@dataclass(frozen=True, kw_only=True)
class Position:
    """One named scan point (Pos1 at the centre ... Pos5 at the edge) with its radial profile (n_q,)."""

    name: str
    row: int
    col: int
    x_um: float
    y_um: float
    q_per_nm: float
    a_sc_nm: float
    intensity: Array
    intensity_err: Array


@dataclass(frozen=True, kw_only=True)
class Polar:
    """I(q, phi) of the averaged pattern: ``intensity`` (n_q, n_phi), NaN where nothing was seen."""

    q_per_nm: Array
    phi_deg: Array
    intensity: Array


@dataclass(frozen=True, kw_only=True)
class XrayReduction:
    """What one scan gives: maps on the scan grid, averages and what they were made from.

    ``maps`` holds intensity, a1, a2, gamma, psi, a_sc, a_sc_shift, q1, q2, sigma_q, photons, goodness, a_al
    (all NaN until WAXS is measured). ``status`` (rows, cols) indexes XRAY_STATUS. ``patterns`` is the SAXS
    region of each frame, (rows, cols, h, w), lazy; ``region`` is its (row0, col0) on the detector and
    ``valid`` (h, w) is true for pixels that count. ``radial`` (rows, cols, n_q) is background-subtracted
    mean intensity in counts per pixel, ``radial_err`` its 1 sigma. ``fit_parameters`` (rows, cols, n) holds
    what is needed to draw the fit on a pattern, columns named by ``fit_names``. ``systematic`` maps a
    quantity to its systematic error in its own unit. ``frame_numbers`` (rows, cols) is -1 for a missing one.
    ``pixel_verdict`` (h, w) indexes PIXEL_VERDICTS: why a pixel of the region is left out, 0 where ``valid``.
    ``beam_center`` is what the pairs of peaks say of the beam's place; None where too few frames tell.
    """

    index: int
    crystal: str
    frames_path: str
    grid: PixelGrid
    geometry: DetectorGeometry
    maps: Mapping[str, QuantityMap]
    status: Bytes
    frame_numbers: npt.NDArray[np.int32]
    region: tuple[int, int]
    valid: npt.NDArray[np.bool_]
    average_pattern: Array
    polar: Polar
    q_per_nm: Array
    radial: npt.NDArray[np.float32]
    radial_err: npt.NDArray[np.float32]
    average_radial: Array
    average_radial_err: Array
    fit_names: tuple[str, ...]
    fit_parameters: npt.NDArray[np.float32]
    systematic: Mapping[str, float]
    notes: tuple[str, ...]
    patterns: PatternStack | None = None
    outline: Outline | None = None
    coordinate: Coordinate | None = None
    positions: tuple[Position, ...] = ()
    wide_angle: WideAngle | None = None
    pixel_verdict: Bytes | None = None
    beam_center: BeamCenter | None = None


@dataclass(frozen=True, kw_only=True)
class PatternStack:
    """The SAXS region of every frame, compressed in a file: read one with ``row, col``.

    ``path`` is an HDF5 file and ``dataset`` the name in it of an array (rows, cols, h, w) of unsigned counts.
    """

    path: str
    dataset: str
    shape: tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class SemReduction:
    """One image: pixel size and its origin, rows above the information bar, regions from edge to centre.

    ``image`` (rows, cols) is uint8 or uint16 as read (bar included); ``bar_row`` is the first row of the bar
    (the number of rows where there is none) and ``bar_source`` where that was learned. ``pixel_size_audit``
    lists (source, nm, used), ``pixel_size_err`` is its relative 1 sigma. ``maps`` holds a_sc, spacing, gamma,
    psi and order of overlapping regions of ``map_size_nm`` centred on ``map_grid``; ``map_status`` indexes
    SEM_STATUS. ``tilt_deg`` is the angle between the surface's normal and the beam about an axis
    ``tilt_axis_deg`` counter-clockwise from +x; ``foot_nm`` two places on the line where height is 0.
    """

    index: int
    crystal: str
    image_path: str
    image: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    pixel_size_nm: float
    pixel_size_source: str
    pixel_size_audit: tuple[tuple[str, float, bool], ...]
    bar_row: int
    view: str
    edge_nm: tuple[float, float] | None
    center_nm: tuple[float, float] | None
    regions: tuple[SemRegion, ...]
    notes: tuple[str, ...]
    outline: Outline | None = None
    bar_source: str = ""
    pixel_size_err: float = 0.01
    tilt_deg: float = 0.0
    tilt_axis_deg: float = 0.0
    foot_nm: tuple[tuple[float, float], tuple[float, float]] | None = None
    maps: Mapping[str, QuantityMap] = field(default_factory=dict)
    map_grid: PixelGrid | None = None
    map_status: Bytes = field(default_factory=lambda: np.empty((0, 0), dtype=np.uint8))
    map_size_nm: float = np.nan
    sizes: ParticleSizes | None = None


@dataclass(frozen=True, kw_only=True)
class AfmReduction:
    """One field: levelled height and modulus maps, the pixels that count, lines and statistics.

    ``status`` (rows, cols) indexes AFM_STATUS. ``statistics`` maps modulus_mean, modulus_std, modulus_median,
    modulus_mad, height_mean ... to Measured. ``excluded`` counts pixels by reason. ``steps`` lists what was
    done to the height, in order. ``metadata`` holds tip radius, Poisson ratio, model where the file has them.
    ``parts`` tells the distributions over parts of the field, ``contents`` what else the file holds.
    """

    index: int
    crystal: str
    file_path: str
    grid: PixelGrid
    height_title: str
    modulus_title: str
    height_nm: Array
    modulus_gpa: Array
    status: Bytes
    statistics: Mapping[str, Measured]
    excluded: Mapping[str, int]
    steps: tuple[str, ...]
    metadata: Mapping[str, str]
    lines: tuple[AfmLine, ...]
    notes: tuple[str, ...]
    outline: Outline | None = None
    coordinate: Coordinate | None = None
    parts: tuple[AfmPart, ...] = ()
    contents: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One quantity binned along one coordinate; every array is (n_bins,), NaN in empty bins.

    ``std`` is the spread in the bin (ddof = 0), ``sem`` the standard error of its mean, ``ci_lo, ci_hi`` the
    95 % band from block bootstrap (NaN where a bin has too few values), ``n`` counts values.
    """

    modality: str
    index: int
    crystal: str
    quantity: str
    unit: str
    coordinate: str
    lo: Array
    mid: Array
    hi: Array
    mean: Array
    std: Array
    sem: Array
    median: Array
    ci_lo: Array
    ci_hi: Array
    n: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """How two quantities go together: ``pairing`` is ``coordinate`` (a co-trend, no p) or ``pixel``.

    ``crystal`` is the label of the crystal that both belong to. Pixels of one field are resampled in blocks
    of ``block_px`` squared; ``x``, ``y``, ``s`` are then means in bins of x. ``index`` is the field's. Of two
    maps laid upon each other ``p_block_bootstrap`` is the p of Spearman's rho and ``p_partial`` that of the
    partial correlation given s.
    """

    crystal: str = ""
    x_quantity: str
    y_quantity: str
    pairing: str
    n: int
    n_crystals: int
    pearson_r: float
    r_ci_lo: float
    r_ci_hi: float
    spearman_rho: float
    partial_r_s: float
    p_block_bootstrap: float
    slope: float
    slope_err: float
    x: Array
    y: Array
    x_err: Array
    y_err: Array
    s: Array
    index: int = 0
    partial_r_ci_lo: float = np.nan
    partial_r_ci_hi: float = np.nan
    blocks: int = 0
    block_px: int = 0
    p_partial: float = np.nan


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """Fingerprint of one input: path as the user wrote it, size in bytes, mtime in ns, SHA-256 or ''."""

    path: str
    size: int
    mtime_ns: int
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What made a result: software, algorithm version, the parsed sample file as JSON, every input.

    ``edits_json`` holds the outlines drawn and landmarks picked that count, with who and when.
    """

    software: str
    algorithm: int
    parameters_json: str
    inputs: tuple[InputFile, ...]
    edits_json: str = "[]"


@dataclass(frozen=True, kw_only=True)
class Result:
    """Everything a sample was reduced to: the only thing that passes from the analysis to the pages.

    ``preparation`` holds what is stated of ``synthesis``, ``solvent``, ``substrate``; ``transforms`` lay
    frames of one crystal upon each other.
    """

    sample_id: str
    title: str
    composition: str
    method: str
    simulated: bool
    nanocrystal_size_nm: tuple[float, float] | None
    provenance: Provenance
    xray: Sequence[XrayReduction] = ()
    sem: Sequence[SemReduction] = ()
    afm: Sequence[AfmReduction] = ()
    profiles: Sequence[Profile] = ()
    correlations: Sequence[Correlation] = ()
    summary: Mapping[str, Measured | None] = field(default_factory=dict)
    preparation: Mapping[str, str] = field(default_factory=dict)
    transforms: Sequence[Transform] = ()
    trends: Sequence[Trend] = ()
