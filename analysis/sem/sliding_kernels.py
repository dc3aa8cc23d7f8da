"""Compiled steps of the sliding map: many small regions, each levelled, windowed, transformed and searched.

Transforms are of real regions (n, n): ``F[y, x]`` holds ky = y (y > n/2 is negative) and kx = x periods per
region for 0 <= x < K; what lies at kx < 0 is the complex conjugate of -k. Frequencies here are in periods per
region, (x, y) with y down, unless a name says otherwise.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from analysis.sem.lattice_kernels import all_around, choose_basis, members, on_a_ring, solve

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]
Single = np.float32
Bytes = npt.NDArray[np.uint8]
Bands = npt.NDArray[np.int8]
Transforms = npt.NDArray[np.complex64]

BANDS = 24
"""Logarithmic bands of |k| in which the background is read."""

LEVELS = 512
LEVEL_SHIFT = 21
LEVEL_ZERO = 96 << 2
"""Levels of the power's logarithm: exponent and two bits of the fraction of a float32, from 2^-31 on."""

QUANTILE = 0.3
QUANTILE_LOG = float(np.log(-np.log(1.0 - QUANTILE)))
ABOVE = 0.3
"""How far, in ln power, a band may stand above its neighbours."""

MAX_CANDIDATES = 48
MAX_PEAKS = 14
STREAK_SHARE = 0.2
NO_LATTICE, LATTICE, RING = 0, 1, 2

NOISE_INNER, NOISE_OUTER, NOISE_SHARE = 2.5, 7.0, 0.4
MAX_PHASE_NOISE = 0.1
SHARP = 0.35
"""Distance in periods per region of the samples between which a maximum is placed at last."""


@numba.njit(cache=True, nogil=True)
def window_regions(
    image: npt.NDArray[np.generic],
    row0: int,
    cols: npt.NDArray[np.int64],
    window: Floats,
    out: Floats,
) -> None:
    """Regions (m, n, n) at one row and several columns of an image, minus their plane, times the window."""
    n = window.size
    middle = 0.5 * (n - 1)
    moment = n * (n * n - 1) / 12.0
    for m in range(cols.size):
        total, slope_y, slope_x = 0.0, 0.0, 0.0
        for y in range(n):
            line, tilted = _sums(image[row0 + y, cols[m] : cols[m] + n])
            total += line
            slope_y += line * (y - middle)
            slope_x += tilted - line * middle
        slope_y /= n * moment
        slope_x /= n * moment
        for y in range(n):
            level = np.float32(total / (n * n) + slope_y * (y - middle) - slope_x * middle)
            _weighted(
                image[row0 + y, cols[m] : cols[m] + n],
                level,
                np.float32(slope_x),
                window,
                window[y],
                out[m, y],
            )


@numba.njit(cache=True, nogil=True)
def _sums(line: npt.NDArray[np.generic]) -> tuple[int, int]:
    """Sum of the values of a line (n,), and of the values times their places."""
    total, tilted = np.int64(0), np.int64(0)
    for x in range(line.size):
        value = np.int64(line[x])
        total += value
        tilted += value * x
    return int(total), int(tilted)


@numba.njit(cache=True, nogil=True)
def _weighted(
    line: npt.NDArray[np.generic], level: Single, slope: Single, window: Floats, weight: Single, out: Floats
) -> None:
    """Values of a line (n,) less ``level + slope x``, times the window and a weight."""
    for x in range(line.size):
        out[x] = (np.float32(line[x]) - level - slope * np.float32(x)) * (weight * window[x])


def band_table(n: int, width: int, k_min: float) -> Bands:
    """Band of every frequency of a transform (n, ``width``); -1 below ``k_min``, beyond ``width`` - 1."""
    y = np.minimum(np.arange(n), n - np.arange(n))
    k = np.hypot(y[:, None], np.arange(width)[None, :])
    inside = (k >= k_min) & (k <= width - 1)
    place = BANDS * np.log(np.maximum(k, k_min) / k_min) / np.log((width - 1) / k_min)
    return np.where(inside, np.minimum(place, BANDS - 1), -1).astype(np.int8)


@numba.njit(cache=True, nogil=True)
def background_log(power: Floats, bands: Bands) -> Array:
    """ln of the mean background power in each band, from a low quantile, smoothed; (BANDS,).

    The quantile q of exponential power is -ln(1 - q) of its mean. A band that stands above its neighbours
    holds the lattice and is brought down to them.
    """
    counts = np.zeros((BANDS, LEVELS), dtype=np.int32)
    total = np.zeros(BANDS, dtype=np.int32)
    bits = power.view(np.int32)
    for y in range(power.shape[0]):
        for x in range(power.shape[1]):
            band = bands[y, x]
            if band >= 0:
                level = (bits[y, x] >> LEVEL_SHIFT) - LEVEL_ZERO
                counts[band, min(max(level, 0), LEVELS - 1)] += 1
                total[band] += 1
    logs, smooth = np.zeros(BANDS), np.zeros(BANDS)
    for band in range(BANDS - 1, -1, -1):
        if total[band] or band == BANDS - 1:
            logs[band] = _quantile_log(counts[band], QUANTILE * total[band])
        else:
            logs[band] = logs[band + 1]
    for _ in range(3):
        _smooth(logs, smooth)
        for band in range(BANDS):
            logs[band] = min(logs[band], smooth[band] + ABOVE)
    _smooth(logs, smooth)
    for band in range(BANDS):
        smooth[band] -= QUANTILE_LOG
    return smooth


@numba.njit(cache=True, nogil=True)
def _quantile_log(counts: npt.NDArray[np.int32], wanted: float) -> float:
    """ln of the power below which ``wanted`` of the counted ones lie, straight within its level."""
    seen = 0.0
    level = 0
    while level < LEVELS - 1 and seen + counts[level] < wanted:
        seen += counts[level]
        level += 1
    share = (wanted - seen) / max(counts[level], 1)
    exponent = (level + LEVEL_ZERO) // 4 - 127
    fraction = 1.0 + (((level + LEVEL_ZERO) % 4) + share) / 4.0
    return float(exponent * np.log(2.0) + np.log(fraction))


@numba.njit(cache=True, nogil=True)
def _smooth(values: Array, out: Array) -> None:
    """Means over five bands; over fewer at the ends."""
    for n in range(values.size):
        reach = min(2, n, values.size - 1 - n)
        total = 0.0
        for m in range(n - reach, n + reach + 1):
            total += values[m]
        out[n] = total / (2 * reach + 1)


@numba.njit(cache=True, nogil=True)
def _at(power: Floats, y: int, x: int) -> float:
    """Power at (y, x) of either sign; 0 where the transform was cut."""
    if x < 0:
        y, x = -y, -x
    return float(power[y % power.shape[0], x]) if x < power.shape[1] else 0.0


@numba.njit(cache=True, nogil=True)
def _value(transform: Transforms, y: int, x: int) -> complex:
    """Transform about the region's centre at (y, x) of either sign."""
    n = transform.shape[0]
    turn = np.pi * (x + y) * (n - 1) / n
    found = np.conj(transform[-y % n, -x]) if x < 0 else transform[y % n, x]
    return complex(found * complex(np.cos(turn), np.sin(turn)))


@numba.njit(cache=True, nogil=True)
def find_candidates(power: Floats, bands: Bands, inverse: Floats, least: float) -> Array:
    """Local maxima, strongest first, without streaks: (m, 3) of kx, ky (signed, whole) and ratio.

    ``inverse`` (BANDS,) is one over the background. Of +-k the one with kx > 0, or kx = 0 and ky > 0.
    """
    n, width = power.shape
    found = np.empty((MAX_CANDIDATES, 3))
    count = 0
    for y in range(n):
        for x in range(width - 1):
            band = bands[y, x]
            if band < 0 or power[y, x] * inverse[band] < least or (x == 0 and y > n // 2):
                continue
            ratio = power[y, x] * inverse[band]
            if count == MAX_CANDIDATES and ratio <= found[count - 1, 2]:
                continue
            if not _is_top(power, y, x):
                continue
            place = min(count, MAX_CANDIDATES - 1)
            while place > 0 and found[place - 1, 2] < ratio:
                for column in range(3):
                    found[place, column] = found[place - 1, column]
                place -= 1
            found[place, 0] = x
            found[place, 1] = y if y <= n // 2 else y - n
            found[place, 2] = ratio
            count = min(count + 1, MAX_CANDIDATES)
    kept = 0
    for m in range(count):
        if kept < MAX_PEAKS and not _is_streak(power, int(found[m, 1]), int(found[m, 0])):
            for column in range(3):
                found[kept, column] = found[m, column]
            kept += 1
    return found[:kept]


@numba.njit(cache=True, nogil=True)
def _is_top(power: Floats, y: int, x: int) -> bool:
    here = power[y, x]
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            if (dy or dx) and _at(power, y + dy, x + dx) > here:
                return False
    return True


@numba.njit(cache=True, nogil=True)
def _is_streak(power: Floats, y: int, x: int) -> bool:
    """Whether, along one of eight directions, both sides of a maximum reach a share of it."""
    least = STREAK_SHARE * _at(power, y, x)
    for direction in range(8):
        sine, cosine = np.sin(np.pi * direction / 8.0), np.cos(np.pi * direction / 8.0)
        high = True
        for sign in (-1.0, 1.0):
            higher = 0
            for step in range(3, 8):
                dy, dx = int(np.rint(sign * step * sine)), int(np.rint(sign * step * cosine))
                higher += _at(power, y + dy, x + dx) > least
            high = high and higher > 2
        if high:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def refine(power: Floats, peaks: Array, correction: Array) -> Array:
    """Places (m, 2) of the maxima below the grid: the vertex in ln power along each axis.

    ``correction`` is the true offset for vertex offsets 0 ... 1/2 in even steps of a pure wave.
    """
    places = np.empty((peaks.shape[0], 2))
    for m in range(peaks.shape[0]):
        x, y = int(peaks[m, 0]), int(peaks[m, 1])
        middle = np.log(max(_at(power, y, x), 1e-30))
        for axis in range(2):
            dx, dy = (1, 0) if axis == 0 else (0, 1)
            low = np.log(max(_at(power, y - dy, x - dx), 1e-30))
            high = np.log(max(_at(power, y + dy, x + dx), 1e-30))
            shift = min(max(_vertex(low, middle, high), -0.5), 0.5)
            place = abs(shift) * 2.0 * (correction.size - 1)
            below = min(int(place), correction.size - 2)
            exact = correction[below] + (place - below) * (correction[below + 1] - correction[below])
            places[m, axis] = peaks[m, axis] + (exact if shift >= 0.0 else -exact)
    return places


@numba.njit(cache=True, nogil=True)
def quadrature_noise(transform: Transforms, place: Array, inner: float, outer: float, out: Floats) -> None:
    """Noise in quadrature with a peak, in units of its amplitude, at pairs of frequencies around it.

    ``out`` (m, 2) takes real and imaginary parts. The pairs lie about the half-integer place nearest to the
    peak; NaN where the transform was cut or a pair lies outside ``inner`` to ``outer`` periods.
    """
    x2, y2 = int(np.rint(2.0 * place[0])), int(np.rint(2.0 * place[1]))
    peak = _value(transform, int(np.rint(place[1])), int(np.rint(place[0])))
    size2 = max(peak.real**2 + peak.imag**2, 1e-30)
    turn_real, turn_imag = peak.real / size2, -peak.imag / size2
    reach = int(NOISE_OUTER) + 1
    width = transform.shape[1]
    n = 0
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            x, y = (x2 + x2 % 2) // 2 + dx, (y2 + y2 % 2) // 2 + dy
            away = np.hypot(x - 0.5 * x2, y - 0.5 * y2)
            out[n, 0] = out[n, 1] = np.nan
            if inner <= away <= outer and abs(x) < width and abs(x2 - x) < width:
                one, other = _value(transform, y, x), _value(transform, y2 - y, x2 - x)
                # (one t - conj(other t)) / 2i with t the turn that makes the peak real and 1.
                real = (one.real - other.real) * turn_real - (one.imag - other.imag) * turn_imag
                imag = (one.real + other.real) * turn_imag + (one.imag + other.imag) * turn_real
                out[n, 0], out[n, 1] = 0.5 * imag, -0.5 * real
            n += 1


NOISE_PAIRS = (2 * (int(NOISE_OUTER) + 1) + 1) ** 2


@numba.njit(cache=True, nogil=True)
def noise_products(transform: Transforms, places: Array) -> Array:
    """Mean products (2, 2) of the quadrature noise of two peaks at ``places`` (2, 2), real parts."""
    nearest = min(np.hypot(places[0, 0], places[0, 1]), np.hypot(places[1, 0], places[1, 1]))
    outer = min(NOISE_OUTER, max(NOISE_SHARE * nearest, 1.0))
    inner = min(NOISE_INNER, 0.7 * outer)
    parts = np.empty((2, NOISE_PAIRS, 2), dtype=np.float32)
    for peak in range(2):
        quadrature_noise(transform, places[peak], inner, outer, parts[peak])
    out = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            count = 0
            for m in range(NOISE_PAIRS):
                product = parts[i, m, 0] * parts[j, m, 0] + parts[i, m, 1] * parts[j, m, 1]
                if product == product:
                    out[i, j] += product
                    count += 1
            out[i, j] /= max(count, 1)
    return out


@numba.njit(cache=True, nogil=True)
def sharpen(windowed: Floats, places: Array, sums: Floats) -> None:
    """Move two peaks (2, 2) to the vertex of ln power at SHARP periods around each, exactly transformed.

    ``windowed`` (n, n) is the region; ``sums`` (12, n) is scratch: for each peak and each of three ky the
    real and imaginary sums down the columns.
    """
    n = windowed.shape[0]
    sums[:] = np.float32(0.0)
    wave, step = np.empty((6, 2)), np.empty((6, 2))
    for peak in range(2):
        for ky in range(3):
            turn = -2.0 * np.pi * (places[peak, 1] + (ky - 1) * SHARP) / n
            step[3 * peak + ky, 0], step[3 * peak + ky, 1] = np.cos(turn), np.sin(turn)
            first = -0.5 * (n - 1) * turn
            wave[3 * peak + ky, 0], wave[3 * peak + ky, 1] = np.cos(first), np.sin(first)
    for y in range(n):
        for m in range(6):
            _add(sums[2 * m], sums[2 * m + 1], windowed[y], np.float32(wave[m, 0]), np.float32(wave[m, 1]))
            real = wave[m, 0] * step[m, 0] - wave[m, 1] * step[m, 1]
            wave[m, 1] = wave[m, 0] * step[m, 1] + wave[m, 1] * step[m, 0]
            wave[m, 0] = real
    for peak in range(2):
        logs = _log_powers(sums[6 * peak : 6 * peak + 6], places[peak, 0])
        places[peak, 0] += SHARP * _vertex(logs[1, 0], logs[1, 1], logs[1, 2])
        places[peak, 1] += SHARP * _vertex(logs[0, 1], logs[1, 1], logs[2, 1])


@numba.njit(cache=True, nogil=True)
def _add(real: Floats, imag: Floats, line: Floats, cosine: Single, sine: Single) -> None:
    for x in range(line.size):
        real[x] += cosine * line[x]
        imag[x] += sine * line[x]


@numba.njit(cache=True, nogil=True)
def _log_powers(sums: Floats, kx: float) -> Array:
    """ln power (3, 3) at three ky, whose column sums (6, n) are given, at ``kx`` and SHARP to its sides."""
    n = sums.shape[1]
    out = np.empty((3, 3))
    total = np.empty((3, 2))
    for column in range(3):
        turn = -2.0 * np.pi * (kx + (column - 1) * SHARP) / n
        step_cosine, step_sine = np.cos(turn), np.sin(turn)
        cosine, sine = np.cos(-0.5 * (n - 1) * turn), np.sin(-0.5 * (n - 1) * turn)
        total[:] = 0.0
        for x in range(n):
            for row in range(3):
                total[row, 0] += sums[2 * row, x] * cosine - sums[2 * row + 1, x] * sine
                total[row, 1] += sums[2 * row, x] * sine + sums[2 * row + 1, x] * cosine
            cosine, sine = cosine * step_cosine - sine * step_sine, cosine * step_sine + sine * step_cosine
        for row in range(3):
            out[row, column] = np.log(max(total[row, 0] ** 2 + total[row, 1] ** 2, 1e-30))
    return out


@numba.njit(cache=True, nogil=True)
def _vertex(low: float, middle: float, high: float) -> float:
    """Vertex of the parabola through three values in even steps, within one step."""
    curvature = low - 2.0 * middle + high
    shift = 0.5 * (low - high) / curvature if curvature < 0.0 else 0.0
    return min(max(shift, -1.0), 1.0)


@numba.njit(cache=True, nogil=True)
def _power(transform: Transforms, out: Floats) -> None:
    parts = transform.view(np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            out[y, x] = parts[y, 2 * x] ** 2 + parts[y, 2 * x + 1] ** 2


@numba.njit(cache=True, nogil=True)
def search_regions(
    windowed: Floats,
    transforms: Transforms,
    bands: Bands,
    correction: Array,
    least: float,
    kind: Bytes,
    basis: Array,
    noise: Array,
    order: Array,
) -> None:
    """Fill, for each windowed region (m, n, n) and its transform (m, n, K), what was found there.

    ``kind`` (m,): NO_LATTICE, LATTICE or RING; ``basis`` (m, 2, 2) in periods per region; ``noise``
    (m, 2, 2): mean products of the basis' quadrature noise; for a ring their first elements are its |k| and
    1 sigma; ``order`` (m,): geometric mean of the peak power
    over background of the two peaks, of the strongest for no lattice, of noise alone about 10.
    """
    n, width = transforms.shape[1], transforms.shape[2]
    power = np.empty((n, width), dtype=np.float32)
    inverse = np.empty(BANDS, dtype=np.float32)
    two = np.empty((2, 2))
    sums = np.empty((12, n), dtype=np.float32)
    for m in range(transforms.shape[0]):
        transform = transforms[m]
        _power(transform, power)
        logs = background_log(power, bands)
        for band in range(BANDS):
            inverse[band] = np.exp(-logs[band])
        peaks = find_candidates(power, bands, inverse, least)
        kind[m] = NO_LATTICE
        order[m] = peaks[0, 2] if len(peaks) else 1.0
        if len(peaks) < 2:
            continue
        places = refine(power, peaks, correction)
        found, reduced = choose_basis(places, peaks[:, 2], least, width - 2.0)
        if found:
            ring, mean, error = on_a_ring(places, peaks[:, 2], reduced)
        else:
            ring, mean, error = all_around(places)
        if ring:
            kind[m] = RING
            basis[m, 0, 0], noise[m, 0, 0] = mean, error
        if ring or not found:
            continue
        chosen, indices = members(reduced, places)
        if chosen[1] < 0:
            continue
        for axis in range(2):
            two[0, axis], two[1, axis] = places[chosen[0], axis], places[chosen[1], axis]
        sharpen(windowed[m], two, sums)
        products = noise_products(transform, two)
        if max(products[0, 0], products[1, 1]) > MAX_PHASE_NOISE:
            continue
        kind[m] = LATTICE
        solve(indices, two, products, basis[m], noise[m])
        order[m] = np.sqrt(peaks[chosen[0], 2] * peaks[chosen[1], 2])
