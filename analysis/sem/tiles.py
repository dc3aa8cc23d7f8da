"""Where regions are placed: in rows from edge to centre, or over the whole image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from analysis.sem.measure import find_basis
from analysis.sem.region import Place
from analysis.sem.spectrum import spectrum_of

Array = npt.NDArray[np.float64]

WANTED_PERIODS = 20.0
MIN_SIZE_PX = 64
MAX_SIZE_PX = 1024
PROBE_PX = 256
PROBES = 5
MAX_TILES = 240
HANN_STD = float(np.sqrt(1.0 / 12.0 - 1.0 / (2.0 * np.pi**2)))
"""Standard deviation of place under a Hann window, in units of its length."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """From the crystal's edge to its centre, (x, y) in px of the image; both may lie outside it."""

    edge_px: tuple[float, float]
    center_px: tuple[float, float]

    @property
    def length_px(self) -> float:
        """Distance from edge to centre."""
        return float(np.hypot(*self._along()))

    def _along(self) -> tuple[float, float]:
        return self.center_px[0] - self.edge_px[0], self.center_px[1] - self.edge_px[1]

    @property
    def direction(self) -> Array:
        """Unit vector (x, y) from edge to centre."""
        return np.array(self._along()) / self.length_px

    def coordinate(self, x_px: float, y_px: float) -> float:
        """Projection of a point on the line: 0 at the edge, 1 at the centre."""
        offset = np.array([x_px - self.edge_px[0], y_px - self.edge_px[1]])
        return float(offset @ self.direction / self.length_px)


def placed(label: str, *, row0: int, col0: int, size_px: int, line: Line | None) -> Place:
    """A region with its coordinate; s_err is the window-weighted extent (1 sigma) along the line."""
    if line is None:
        return Place(label=label, row0=row0, col0=col0, size_px=size_px)
    half = 0.5 * size_px
    return Place(
        label=label,
        row0=row0,
        col0=col0,
        size_px=size_px,
        s=line.coordinate(col0 + half, row0 + half),
        s_err=HANN_STD * size_px / line.length_px,
    )


def region_size(image: npt.NDArray[np.generic]) -> int:
    """Side in px that holds about 20 periods, from probes over ``image`` (rows, cols; the bar left out).

    Without a lattice in the probes: the probes' own size.
    """
    rows, cols = image.shape
    limit = min(rows, cols, MAX_SIZE_PX)
    probe = min(PROBE_PX, limit)
    periods = []
    while not periods:
        for row in np.unique(np.linspace(0, rows - probe, min(PROBES, 3)).astype(int)):
            for col in np.unique(np.linspace(0, cols - probe, PROBES).astype(int)):
                basis, _, _ = find_basis(spectrum_of(image[row : row + probe, col : col + probe]))
                if basis is not None:
                    periods.append(1.0 / float(np.hypot(basis[:, 0], basis[:, 1]).min()))
        if probe >= limit:
            break
        probe = min(2 * probe, limit)
    if not periods:
        return min(PROBE_PX, limit)
    wanted = round(WANTED_PERIODS * float(np.quantile(periods, 0.75)))
    return _even(int(np.clip(wanted, min(MIN_SIZE_PX, limit), limit)), limit)


def _even(size: int, limit: int) -> int:
    fast = fft.next_fast_len(size + size % 2, real=True)
    while fast % 2:
        fast = fft.next_fast_len(fast + 1, real=True)
    return fast if fast <= limit else max(2, limit - limit % 2)


def tiles_along(line: Line, *, shape: tuple[int, int], size_px: int) -> list[Place]:
    """Regions in rows along the line, without overlap, that lie within ``shape`` and 0 <= s <= 1.

    Squares stand upright in the image; steps along and across the line are as short as they allow.
    """
    u = line.direction
    v = np.array([-u[1], u[0]])
    stride = size_px / float(np.abs(u).max())
    lanes = _lanes(line, shape=shape, size_px=size_px, stride=stride)
    places: list[Place] = []
    for lane, offset in enumerate(lanes):
        origin = np.array(line.edge_px) + offset * v
        low, high = _inside(origin, u, shape=shape, margin=0.5 * size_px)
        for step, along in enumerate(_centres(low, high, line=line, size_px=size_px, stride=stride)):
            x, y = origin + along * u
            col0, row0 = round(x - 0.5 * size_px), round(y - 0.5 * size_px)
            if 0 <= col0 <= shape[1] - size_px and 0 <= row0 <= shape[0] - size_px:
                label = str(step + 1) if len(lanes) == 1 else f"{_letters(lane)}{step + 1}"
                places.append(placed(label, row0=row0, col0=col0, size_px=size_px, line=line))
    return _thinned(places)


def _centres(low: float, high: float, *, line: Line, size_px: int, stride: float) -> Array:
    """Distances of centres from the edge within [low, high] px; whole regions on the line if it is long."""
    if high < low:
        return np.empty(0)
    margin = 0.5 * min(size_px, line.length_px)
    first, last = max(low, margin), min(high, line.length_px - margin)
    if last < first:
        middle = float(np.clip(0.5 * line.length_px, low, high))
        return np.array([middle]) if 0.0 <= middle <= line.length_px else np.empty(0)
    count = int((last - first) / stride + 1e-9) + 1
    return np.linspace(first, last, count) if count > 1 else np.array([0.5 * (first + last)])


def _letters(number: int) -> str:
    """A ... Z, AA, AB ... for 0, 1 ..."""
    tail = chr(65 + number % 26)
    return tail if number < 26 else _letters(number // 26 - 1) + tail


def _lanes(line: Line, *, shape: tuple[int, int], size_px: int, stride: float) -> Array:
    """Offsets across the line, in px, of rows of regions; the nearest to the line's own, evenly spread."""
    u = line.direction
    corners = np.array([(x, y) for x in (0.0, shape[1]) for y in (0.0, shape[0])]) - np.array(line.edge_px)
    across = corners @ np.array([-u[1], u[0]])
    margin = 0.5 * size_px * float(np.abs(u).sum())
    low, high = float(across.min()) + margin, float(across.max()) - margin
    if high < low:
        return np.array([float(np.clip(0.0, across.min(), across.max()))])
    count = int((high - low) / stride + 1e-9) + 1
    return np.linspace(low, high, count) if count > 1 else np.array([0.5 * (low + high)])


def _inside(origin: Array, u: Array, *, shape: tuple[int, int], margin: float) -> tuple[float, float]:
    """Distances along ``origin + t u`` between which a square of half side ``margin`` lies in the image."""
    low, high = -np.inf, np.inf
    for start, slope, extent in zip(origin, u, (shape[1], shape[0]), strict=True):
        if abs(slope) < 1e-12:
            if not margin - 1.0 <= start <= extent - margin + 1.0:
                return 0.0, -1.0
            continue
        ends = sorted(((margin - start) / slope, (extent - margin - start) / slope))
        low, high = max(low, ends[0]), min(high, ends[1])
    return low, high


def tiles_over(*, shape: tuple[int, int], size_px: int) -> list[Place]:
    """Regions side by side over the whole image of ``shape``, without a coordinate."""
    rows = _starts(shape[0], size_px)
    cols = _starts(shape[1], size_px)
    return _thinned(
        [
            Place(label=f"{_letters(r)}{c + 1}", row0=int(row), col0=int(col), size_px=size_px)
            for r, row in enumerate(rows)
            for c, col in enumerate(cols)
        ]
    )


def _starts(extent: int, size_px: int) -> npt.NDArray[np.int64]:
    count = max(1, extent // size_px)
    first = (extent - count * size_px) // 2
    return first + size_px * np.arange(count)


def _thinned(places: list[Place]) -> list[Place]:
    """At most MAX_TILES of the places, evenly chosen."""
    if len(places) <= MAX_TILES:
        return places
    chosen = np.linspace(0, len(places) - 1, MAX_TILES).round().astype(int)
    return [places[n] for n in chosen]
