"""The SEM image and the AFM field of :mod:`tests.synthetic_result`."""

from __future__ import annotations

import math

import numpy as np

from analysis.records import (
    AFM_STATUS,
    SEM_STATUS,
    AfmLine,
    AfmPart,
    AfmReduction,
    Array,
    Bytes,
    Coordinate,
    Measured,
    PixelGrid,
    QuantityMap,
    SemReduction,
    SemRegion,
)
from tests.synthetic_crystal import HALF_SIDE_UM, S_ERR, coordinate_at, modulus_gpa, outline_at, spacing_nm

SEM_SHAPE, SEM_PIXEL_NM, BAR_ROW, TILE_PX = (512, 1024), 2.0, 480, 240
AFM_SIDE, AFM_FIELD_UM = 64, 12.8


def make_sem(method: str, random: np.random.Generator) -> SemReduction:
    image = _sem_image(method, random)
    width_nm, height_nm = SEM_SHAPE[1] * SEM_PIXEL_NM, BAR_ROW * SEM_PIXEL_NM
    cols = np.linspace(0, SEM_SHAPE[1] - TILE_PX, 4).round().astype(int)
    corners = [(row, int(col)) for col in cols for row in (0, BAR_ROW - TILE_PX)]
    return SemReduction(
        index=0,
        crystal="A",
        image_path="sem/monolayer.tif",
        image=image,
        pixel_size_nm=SEM_PIXEL_NM,
        pixel_size_source="sidecar PixelSize",
        pixel_size_audit=(("sidecar PixelSize", SEM_PIXEL_NM, True), ("TIFF resolution", 352.78, False)),
        bar_row=BAR_ROW,
        view="bottom",
        edge_nm=(0.0, height_nm / 2),
        center_nm=(width_nm, height_nm / 2),
        regions=tuple(
            _sem_region(image, number, row, col, method) for number, (row, col) in enumerate(corners, start=1)
        ),
        notes=(),
        **_sem_maps(method),
    )


def _sem_maps(method: str) -> dict[str, object]:
    """Maps of regions of 200 nm every 100 nm, as the law has them; the first without a value."""
    shape, step = (8, 19), 0.1
    grid = PixelGrid(shape=shape, col_step_um=(step, 0.0), row_step_um=(0.0, step), x0_um=step, y0_um=step)
    x, _ = grid.positions_um()
    spacing = spacing_nm(x * 1e3 / (SEM_SHAPE[1] * SEM_PIXEL_NM), method)
    spacing[0, 0] = np.nan
    status = np.where(np.isnan(spacing), SEM_STATUS.index("no_peak"), 0).astype(np.uint8)
    known = np.where(np.isnan(spacing), np.nan, 1.0)
    made = {
        "a_sc": ("nm", spacing, 0.03),
        "psi": ("deg", 2.0 * known, 0.2),
        "order": ("", 900.0 * known, None),
    }
    maps = {
        name: QuantityMap(name=name, unit=unit, values=values, errors=None if err is None else err * known)
        for name, (unit, values, err) in made.items()
    }
    return {"maps": maps, "map_grid": grid, "map_status": status, "map_size_nm": 200.0}


def _sem_image(method: str, random: np.random.Generator) -> np.ndarray:
    row, col = np.indices(SEM_SHAPE, dtype=np.float64)
    period = spacing_nm(col[0] / SEM_SHAPE[1], method) / SEM_PIXEL_NM
    along = np.cumsum(2 * np.pi / period)[None, :]
    across = 2 * np.pi * (row - BAR_ROW / 2) / period[None, :]
    grey = 120.0 + 35.0 * np.cos(along) + 35.0 * np.cos(across) + random.normal(0.0, 12.0, SEM_SHAPE)
    grey[BAR_ROW:] = 20.0
    return np.clip(grey, 0, 255).astype(np.uint8)


def _sem_region(image: np.ndarray, number: int, row0: int, col0: int, method: str) -> SemRegion:
    x_nm, y_nm, size_nm = col0 * SEM_PIXEL_NM, row0 * SEM_PIXEL_NM, TILE_PX * SEM_PIXEL_NM
    s = (x_nm + size_nm / 2) / (SEM_SHAPE[1] * SEM_PIXEL_NM)
    spacing = float(spacing_nm(np.array(s), method))
    k, failed = 1.0 / spacing, number == 4
    value = np.nan if failed else 1.0
    spectrum, radial_k, radial_power = _spectrum(image[row0 : row0 + TILE_PX, col0 : col0 + TILE_PX])
    return SemRegion(
        label=f"R{number}",
        row0=row0,
        col0=col0,
        size_px=TILE_PX,
        x_nm=x_nm,
        y_nm=y_nm,
        size_nm=size_nm,
        s=s,
        s_err=S_ERR,
        k_per_nm=value * np.array([[k, 0.0], [0.0, k]]),
        delta_k_per_nm=value * k,
        delta_k_err_per_nm=value * 0.0004,
        delta_k_each_per_nm=(value * k * 1.002, value * k * 0.998),
        spacing_nm=value * spacing,
        spacing_err_nm=value * 0.0004 * spacing**2,
        a_sc_nm=value * spacing,
        a_sc_err_nm=value * 0.0005 * spacing**2,
        a_sc_sys_nm=value * 0.01 * spacing,
        gamma_deg=value * 90.4,
        lattice="none" if failed else "square",
        lattice_confidence=0.0 if failed else 0.97,
        n_periods=value * size_nm / spacing,
        status="no_peak" if failed else "ok",
        spectrum=spectrum,
        spectrum_k_max_per_nm=0.2,
        radial_k_per_nm=radial_k,
        radial_power=radial_power,
        depth_um=s * HALF_SIDE_UM,
    )


def _spectrum(tile: np.ndarray) -> tuple[np.ndarray, Array, Array]:
    """Power around k = 0 up to 0.2 1/nm (n, n), its radial average and that average's k axis."""
    window = np.hanning(TILE_PX)[:, None] * np.hanning(TILE_PX)[None, :]
    power = np.abs(np.fft.fftshift(np.fft.fft2((tile - tile.mean()) * window))) ** 2
    half = round(0.2 * TILE_PX * SEM_PIXEL_NM)
    middle = TILE_PX // 2
    cut = power[middle - half : middle + half + 1, middle - half : middle + half + 1]
    cut = cut / np.median(cut)
    ring = np.hypot(*(np.indices(cut.shape) - half)).round().astype(int)
    mean = np.bincount(ring.ravel(), weights=cut.ravel()) / np.bincount(ring.ravel())
    return cut.astype(np.float32), np.arange(half + 1) / (TILE_PX * SEM_PIXEL_NM), mean[: half + 1]


def make_afm(method: str, random: np.random.Generator) -> AfmReduction:
    pixel = AFM_FIELD_UM / AFM_SIDE
    grid = PixelGrid.of_image((AFM_SIDE, AFM_SIDE), dx_um=pixel, dy_um=pixel)
    x, y = grid.positions_um()
    centre = (AFM_FIELD_UM / 2, AFM_FIELD_UM / 2)
    coordinate = coordinate_at(x, y, centre)
    s = coordinate.s["rectangle"]
    top = 8000.0 if method == "diffusion" else 700.0
    height = top * np.clip(coordinate.depth_um / 0.4, 0.0, 1.0) + random.normal(0.0, 15.0, s.shape)
    modulus = modulus_gpa(np.nan_to_num(s), method) * random.normal(1.0, 0.15, s.shape)
    status = _afm_status(coordinate.depth_um)
    counted = status == AFM_STATUS.index("ok")
    seen = (grid, height, modulus, coordinate)
    return AfmReduction(
        index=0,
        crystal="A",
        file_path="afm/map.gwy",
        grid=grid,
        height_title="Height Sensor",
        modulus_title="DMT Modulus",
        height_nm=height,
        modulus_gpa=modulus,
        status=status,
        statistics=_afm_statistics(modulus[counted], height[counted]),
        excluded={name: int((status == code).sum()) for code, name in enumerate(AFM_STATUS) if code},
        steps=("crystal found by height", "plane through the substrate subtracted"),
        metadata={"Tip radius": "8 nm", "Poisson ratio": "0.3", "Model": "DMT"},
        lines=(
            _afm_line("line 1", "gwy", "gwyddion", (1.0, 6.4, 11.8, 6.4), 1, *seen),
            _afm_line("line 2", "config", "exact", (2.2, 2.2, 10.6, 10.6), 5, *seen),
        ),
        notes=(),
        outline=outline_at(centre),
        coordinate=coordinate,
        parts=_afm_parts(modulus, height, status, s),
        contents=("channel 0: 'Height Sensor', unit m", "volume data 0, 8 x 8 x 16, not used"),
    )


def _afm_parts(modulus: Array, height: Array, status: Bytes, s: Array) -> tuple[AfmPart, ...]:
    counted, place = status == AFM_STATUS.index("ok"), np.nan_to_num(s, nan=-1.0)
    masks = {
        "crystal": counted,
        "edge": counted & (place > 0.05) & (place < 0.2),
        "centre": counted & (place > 0.8),
        "substrate": status == AFM_STATUS.index("outside"),
    }
    return tuple(
        _afm_part(name, quantity, unit, values[mask])
        for quantity, unit, values in (("modulus", "GPa", modulus), ("height", "nm", height))
        for name, mask in masks.items()
    )


def _afm_part(part: str, quantity: str, unit: str, values: Array) -> AfmPart:
    median = float(np.median(values))
    shares = {f"p{share:02d}": float(np.percentile(values, share)) for share in (1, 5, 25, 75, 95, 99)}
    logs = np.log(values[values > 0.0])
    fitted = quantity == "modulus"
    return AfmPart(
        part=part,
        quantity=quantity,
        unit=unit,
        n=values.size,
        mean=float(values.mean()),
        sem=0.02,
        std=float(values.std()),
        median=median,
        mad=float(np.median(np.abs(values - median))),
        **shares,
        lognormal_median=float(np.exp(logs.mean())) if fitted else np.nan,
        lognormal_sigma=float(logs.std()) if fitted else np.nan,
        lognormal_distance=0.1 if fitted else np.nan,
        lognormal_n=logs.size if fitted else 0,
    )


def _afm_status(depth_um: Array) -> Bytes:
    status = np.full(depth_um.shape, AFM_STATUS.index("ok"), dtype=np.uint8)
    status[depth_um < 0.4] = AFM_STATUS.index("edge")
    status[depth_um < 0] = AFM_STATUS.index("outside")
    status[30:33, 20:22] = AFM_STATUS.index("clipped")
    status[40:44, 40:44] = AFM_STATUS.index("masked")
    return status


def _afm_statistics(modulus: Array, height: Array) -> dict[str, Measured]:
    n, median = modulus.size, float(np.median(modulus))
    spread = float(modulus.std())
    return {
        "modulus_mean": Measured(
            value=float(modulus.mean()), unit="GPa", err=spread / math.sqrt(n), std=spread, n=n
        ),
        "modulus_std": Measured(value=spread, unit="GPa", n=n),
        "modulus_median": Measured(value=median, unit="GPa", n=n),
        "modulus_mad": Measured(value=float(np.median(np.abs(modulus - median))), unit="GPa", n=n),
        "height_mean": Measured(value=float(height.mean()), unit="nm", std=float(height.std()), n=n),
    }


def _afm_line(
    name: str,
    source: str,
    convention: str,
    ends_um: tuple[float, float, float, float],
    thickness_px: int,
    grid: PixelGrid,
    height: Array,
    modulus: Array,
    coordinate: Coordinate,
) -> AfmLine:
    x0, y0, x1, y1 = ends_um
    along = np.linspace(0.0, 1.0, 60)
    x, y = x0 + along * (x1 - x0), y0 + along * (y1 - y0)
    place = tuple(index.round().astype(int) for index in grid.indices_at(x, y))
    return AfmLine(
        name=name,
        source=source,
        convention=convention,
        thickness_px=thickness_px,
        thickness_nm=thickness_px * AFM_FIELD_UM / AFM_SIDE * 1e3,
        ends_um=ends_um,
        distance_um=along * math.hypot(x1 - x0, y1 - y0),
        x_um=x,
        y_um=y,
        height_nm=height[place],
        modulus_gpa=modulus[place],
        s=coordinate.s["rectangle"][place],
        depth_um=coordinate.depth_um[place],
    )
