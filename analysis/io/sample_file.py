"""``sample.toml``: what a sample is and where its raw files lie, checked key by key.

The keys, their meaning and their units are the project's contract with its users; unknown keys, wrong
types and impossible values are refused with the file, the key, the value and what was expected.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from analysis.errors import InputError

FILE_NAME = "sample.toml"
ID_PATTERN = re.compile(r"[A-Za-z0-9._-]+")
MAX_BYTES = 1_000_000

MAX_LENGTH = 1e9
"""No length, count or angle in a sample file is larger than this, whatever its unit."""


def _not_zero(value: float) -> float:
    if value == 0.0:
        raise ValueError("not zero")
    return value


Number = Annotated[float, Field(ge=-MAX_LENGTH, le=MAX_LENGTH, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=MAX_LENGTH, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=MAX_LENGTH, allow_inf_nan=False)]
NotZero = Annotated[Number, AfterValidator(_not_zero)]
Point = tuple[Number, Number]
Line = tuple[Number, Number, Number, Number]
Polygon = Annotated[list[Point], Field(min_length=3, max_length=10_000)]
PathText = Annotated[str, Field(min_length=1, max_length=4096)]
Title = Annotated[str, Field(max_length=500)]
Direction = Literal["+x", "-x", "+y", "-y"]
ReductionName = Annotated[str, Field(pattern=r"^(xray|sem|afm)\.\d{1,3}$")]
"""A block of the file: the modality and its number from 0."""


class Block(BaseModel):
    """A table of the file: frozen, no unknown keys, no silent conversion between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class XrayBlock(Block):
    """``[xray]``: one raster of detector frames."""

    crystal: Title = "A"
    frames: PathText
    background: PathText | None = None
    positions: PathText | None = None
    shape: tuple[Annotated[int, Field(ge=1, le=100_000)], Annotated[int, Field(ge=1, le=100_000)]] | None = (
        None
    )
    step_um: tuple[NotZero, NotZero] | None = None
    serpentine: bool = False
    scan_axes: tuple[Direction, Direction] = ("+x", "+y")
    poni: PathText | None = None
    energy_kev: Annotated[float, Field(ge=0.1, le=1000, allow_inf_nan=False)] | None = None
    distance_mm: Positive | None = None
    distance_err_mm: NotNegative | None = None
    pixel_size_err_pct: NotNegative | None = None
    beam_center_px: Point | None = None
    refine_beam_center: bool = False
    polarization: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    holder_transmission: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    detector_flip: Literal["none", "horizontal", "vertical"] = "none"
    exposure_s: Positive | None = None
    background_exposure_s: Positive | None = None
    monitor: PathText | None = None
    mask: PathText | None = None
    saxs_q_max_per_nm: Positive = 2.0
    q_min_per_nm: NotNegative | None = None
    first_order_q_per_nm: tuple[Positive, Positive] | None = None
    waxs: bool | None = None
    atomic_reflections: tuple[Literal["100", "110", "200"], ...] | None = None
    positions_line_um: tuple[Point, Point] | None = None
    outline_um: Polygon | None = None
    beam_fwhm_um: tuple[Positive, Positive] = (0.32, 0.24)

    @field_validator("scan_axes")
    @classmethod
    def _axes_differ(cls, axes: tuple[str, str]) -> tuple[str, str]:
        if axes[0][1] == axes[1][1]:
            raise ValueError("one axis along x and one along y")
        return axes

    @field_validator("first_order_q_per_nm")
    @classmethod
    def _window_is_ordered(cls, window: tuple[float, float] | None) -> tuple[float, float] | None:
        if window is not None and window[0] >= window[1]:
            raise ValueError("the lower limit first")
        return window

    @model_validator(mode="after")
    def _grid_is_known(self) -> XrayBlock:
        if self.positions is None and (self.shape is None or self.step_um is None):
            raise ValueError("shape and step_um, or positions")
        if self.q_min_per_nm is not None and self.q_min_per_nm >= self.saxs_q_max_per_nm:
            raise ValueError("q_min_per_nm below saxs_q_max_per_nm")
        return self


class SemRoi(Block):
    """``rois`` of ``[[sem]]``: a square region, its top-left corner and side in nm."""

    label: Annotated[str, Field(min_length=1, max_length=100)]
    x_nm: Number
    y_nm: Number
    size_nm: Positive


class SemBlock(Block):
    """``[[sem]]``: one image of the monolayer."""

    crystal: Title = "A"
    image: PathText
    pixel_size_nm: Positive | None = None
    view: Literal["bottom", "top", "side"] | None = None
    edge_nm: Point | None = None
    center_nm: Point | None = None
    outline_nm: Polygon | None = None
    rois: Annotated[list[SemRoi], Field(max_length=10_000)] | None = None
    bar_row: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    tilt_deg: Annotated[float, Field(ge=0, le=85, allow_inf_nan=False)] | None = None
    tilt_axis_deg: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] = 0.0
    foot_nm: tuple[Point, Point] | None = None
    map: bool = True
    map_size_nm: Positive | None = None
    map_step_nm: Positive | None = None
    sizes: bool = True

    @model_validator(mode="after")
    def _coordinate_is_whole(self) -> SemBlock:
        if (self.edge_nm is None) != (self.center_nm is None):
            raise ValueError("edge_nm and center_nm together")
        if self.edge_nm is not None and self.edge_nm == self.center_nm:
            raise ValueError("edge_nm and center_nm to differ")
        if self.foot_nm is not None and self.foot_nm[0] == self.foot_nm[1]:
            raise ValueError("two different points of foot_nm")
        return self


class AfmBlock(Block):
    """``[[afm]]``: one Gwyddion or NanoScope file.

    The height is corrected in this order: scars, rows, levelling, outliers. The units are for channels that
    do not say theirs.
    """

    crystal: Title = "A"
    file: PathText
    height: Title | None = None
    modulus: Title | None = None
    height_unit: Literal["m", "um", "nm"] | None = None
    modulus_unit: Literal["Pa", "kPa", "MPa", "GPa"] | None = None
    mask: Literal["auto", "none", "file"] = "auto"
    remove_scars: bool = False
    align_rows: Literal["none", "median", "differences"] = "none"
    levelling: Literal["plane", "polynomial", "facet", "none"] = "plane"
    polynomial_degree: Annotated[int, Field(ge=1, le=6)] = 2
    remove_outliers: bool = False
    outline_um: Polygon | None = None
    lines_um: Annotated[list[Line], Field(max_length=1000)] | None = None
    line_thickness_px: Annotated[int, Field(ge=1, le=100)] = 1


class RegistrationBlock(Block):
    """``[[registration]]``: the frame of one reduction laid upon another's, by landmarks or by outlines."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    source: Annotated[ReductionName, Field(alias="from")]
    target: Annotated[ReductionName, Field(alias="to")]
    kind: Literal["translation", "rigid", "similarity", "affine"] = "rigid"
    mirrored: bool = False
    landmarks_um: Annotated[list[Line], Field(min_length=1, max_length=1000)] | None = None
    landmark_err_um: Positive | None = None

    @model_validator(mode="after")
    def _frames_differ(self) -> RegistrationBlock:
        if self.source == self.target:
            raise ValueError("from and to to differ")
        return self


class Sample(Block):
    """The whole file. ``[xray]`` may stand once or as several ``[[xray]]``."""

    format: Literal[1]
    title: Title
    composition: Title = ""
    method: Title = ""
    simulated: bool = False
    nanocrystal_size_nm: tuple[Positive, NotNegative] | None = None
    synthesis: Title = ""
    solvent: Title = ""
    substrate: Title = ""
    xray: Annotated[list[XrayBlock], Field(max_length=100)] = []
    sem: Annotated[list[SemBlock], Field(max_length=1000)] = []
    afm: Annotated[list[AfmBlock], Field(max_length=1000)] = []
    registration: Annotated[list[RegistrationBlock], Field(max_length=100)] = []

    @model_validator(mode="after")
    def _one_modality(self) -> Sample:
        if not (self.xray or self.sem or self.afm):
            raise ValueError("at least one of [xray], [[sem]], [[afm]]")
        return self

    @model_validator(mode="after")
    def _registered_blocks_exist(self) -> Sample:
        for block in self.registration:
            for name in (block.source, block.target):
                modality, number = name.split(".")
                if int(number) >= len(getattr(self, modality)):
                    raise ValueError(f"a block {name} to register")
        return self

    def as_json(self) -> str:
        """The parsed file as canonical JSON: the part of a result's identity that parameters make."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


def sample_path(sample: Path) -> Path:
    """Path of the ``sample.toml`` that a user means by a folder or a file."""
    path = sample / FILE_NAME if sample.is_dir() else sample
    if not path.is_file():
        raise InputError(sample, expected=f"a folder with a {FILE_NAME}, or that file", found="neither")
    sample_id(path)
    return path


def sample_id(path: Path) -> str:
    """Name of the folder that holds ``path``: the sample's id, letters, digits, dot, dash, underscore."""
    name = path.resolve().parent.name
    if not ID_PATTERN.fullmatch(name) or name in {".", ".."}:
        raise InputError(
            path,
            expected="a folder name of letters, digits, '.', '_' and '-'",
            found=repr(name),
            remedy="rename the folder",
        )
    return name


def read_sample(path: Path) -> Sample:
    """Read and check a ``sample.toml``; raises InputError with one sentence about the first fault."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(path, expected=f"a sample file of at most {MAX_BYTES} bytes", found=f"{size} bytes")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(path, expected="UTF-8 text", found=f"byte {error.start} that is not") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(path, expected="TOML", found=f"text that is not ({error})") from None
    single = isinstance(tables.get("xray"), dict)
    if single:
        tables["xray"] = [tables["xray"]]
    try:
        # Strict JSON rules are the ones wanted: a list is a tuple, 1 is a float, but "1" is no number.
        sample = Sample.model_validate_json(json.dumps(tables, default=str))
    except ValidationError as error:
        raise _first_fault(path, error, single_xray=single) from None
    return sample


def write_sample(path: Path, text: str) -> None:
    """Write a new sample file and its folder; raises InputError where that cannot be, or one is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(path, expected="a place for a new file", found=str(error.strerror)) from None


def _first_fault(path: Path, error: ValidationError, *, single_xray: bool) -> InputError:
    faults = error.errors(include_url=False)
    fault = faults[0]
    key = ".".join(str(part) for part in fault["loc"]) or "the file"
    key = key.replace("xray.0", "xray", 1) if single_xray else key
    found = _shown(fault["input"])
    others = f"; {len(faults) - 1} more after it" if len(faults) > 1 else ""
    kind = fault["type"]
    if kind == "extra_forbidden":
        return InputError(
            path, field=key, expected="only known keys", found="an unknown key", remedy=f"remove it{others}"
        )
    if kind == "missing":
        return InputError(path, field=key, expected="this key", found="none", remedy=f"add it{others}")
    context = fault.get("ctx", {}).get("error")
    expected = str(context) if context is not None else fault["msg"].removeprefix("Input should be ")
    return InputError(path, field=key, expected=expected, found=found, remedy=f"correct it{others}")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table that has not"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
