"""Where regions are placed: in a row from edge to centre, or over the whole image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from analysis.sem.annotations import without_annotations
from analysis.sem.measure import find_basis
from analysis.sem.region import Place
from analysis.sem.spectrum import HANN_STD, spectrum_of

Array = npt.NDArray[np.float64]

WANTED_PERIODS = 20.0
MIN_SIZE_PX = 64
MAX_SIZE_PX = 1024
PROBES = ((256, 2, 5), (512, 1, 2), (1024, 1, 1))
"""Sides in px, rows and columns of the probes that look for a lattice, tried in this order."""

MAX_TILES = 240


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

    Without a lattice in any probe: the size of the smallest probes.
    """
    return size_for(probed_periods(image), shape=(image.shape[0], image.shape[1]))


def size_for(periods: Array, *, shape: tuple[int, int]) -> int:
    """Side in px for the periods (n, 2) that :func:`probed_periods` found in an image of ``shape``."""
    limit = int(min(*shape, MAX_SIZE_PX))
    if not periods.size:
        return min(PROBES[0][0], limit)
    wanted = round(WANTED_PERIODS * float(np.quantile(periods[:, 1], 0.75)))
    return _even(min(max(wanted, MIN_SIZE_PX), limit), limit)


def probed_periods(image: npt.NDArray[np.generic]) -> Array:
    """Smaller and larger period in px of the lattice in each probe that shows one, (n, 2)."""
    limit = int(min(*image.shape, MAX_SIZE_PX))
    periods: list[tuple[float, float]] = []
    for probe, rows, cols in PROBES:
        if not periods:
            periods = _periods(image, size_px=min(probe, limit), rows=rows, cols=cols)
    return np.array(periods).reshape(-1, 2)


def _periods(
    image: npt.NDArray[np.generic], *, size_px: int, rows: int, cols: int
) -> list[tuple[float, float]]:
    """Periods of each probe of ``size_px`` that shows a lattice; probes in rows x cols."""
    found = []
    white = float(image.max())
    for row in np.unique(_spread(image.shape[0] - size_px, rows)):
        for col in np.unique(_spread(image.shape[1] - size_px, cols)):
            region, _ = without_annotations(image[row : row + size_px, col : col + size_px], white=white)
            basis, _, on_ring = find_basis(spectrum_of(region))
            if basis is not None and not on_ring:
                each = 1.0 / np.hypot(basis[:, 0], basis[:, 1])
                found.append((float(each.min()), float(each.max())))
    return found


def _spread(room: int, count: int) -> npt.NDArray[np.int64]:
    steps = np.linspace(0, room, count + 2)[1:-1] if count < 3 else np.linspace(0, room, count)
    return steps.astype(np.int64)


def _even(size: int, limit: int) -> int:
    fast = int(fft.next_fast_len(size + size % 2, real=True))
    while fast % 2:
        fast = int(fft.next_fast_len(fast + 1, real=True))
    return fast if fast <= limit else max(2, limit - limit % 2)


def tiles_along(line: Line, *, shape: tuple[int, int], size_px: int) -> list[Place]:
    """Regions in a row along the line, without overlap, that lie within ``shape`` and 0 <= s <= 1.

    The row lies on the line, or as near to it as the image allows: off the line a region has the same
    projection but another distance from the crystal's other edges. Squares stand upright in the image.
    """
    u = line.direction
    v = np.array([-u[1], u[0]])
    stride = size_px / float(np.abs(u).max())
    origin = np.array(line.edge_px) + _offset(line, shape=shape, size_px=size_px) * v
    low, high = _inside(origin, u, shape=shape, margin=0.5 * size_px)
    places: list[Place] = []
    for along in _centres(low, high, line=line, size_px=size_px, stride=stride):
        x, y = origin + along * u
        col0, row0 = round(x - 0.5 * size_px), round(y - 0.5 * size_px)
        col0 = int(np.clip(col0, 0, shape[1] - size_px))
        row0 = int(np.clip(row0, 0, shape[0] - size_px))
        places.append(placed(str(len(places) + 1), row0=row0, col0=col0, size_px=size_px, line=line))
    return _thinned(places)


def _offset(line: Line, *, shape: tuple[int, int], size_px: int) -> float:
    """Distance across the line, in px, to the nearest parallel on which regions lie within the image."""
    v = np.array([-line.direction[1], line.direction[0]])
    half = 0.5 * size_px
    corners = [(x, y) for x in (half, shape[1] - half) for y in (half, shape[0] - half)]
    across = (np.array(corners) - np.array(line.edge_px)) @ v
    return float(np.clip(0.0, across.min(), across.max()))


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
