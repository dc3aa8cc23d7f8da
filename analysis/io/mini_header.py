"""What PILATUS and EIGER detectors write above an image, in a CBF or in a TIFF's description.

Lines of ``# Key value unit``: pixel size in m, exposure in s, distance in m, wavelength in angstrom, the beam
in pixels (column, row), and the count from which none is trusted. Zero means that nobody set it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from analysis.io.series import DetectorMetadata
from analysis.units import MM_PER_M, NM_PER_ANGSTROM, UM_PER_M

NUMBER = r"([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "pixel": re.compile(rf"#\s*Pixel_size:?\s+{NUMBER}\s*m\s*x\s*{NUMBER}\s*m", re.IGNORECASE),
    "exposure": re.compile(rf"#\s*Exposure_time:?\s+{NUMBER}\s*s", re.IGNORECASE),
    "cutoff": re.compile(rf"#\s*Count_cutoff:?\s+{NUMBER}", re.IGNORECASE),
    "distance": re.compile(rf"#\s*Detector_distance:?\s+{NUMBER}\s*m", re.IGNORECASE),
    "wavelength": re.compile(rf"#\s*Wavelength:?\s+{NUMBER}\s*A", re.IGNORECASE),
    "beam": re.compile(rf"#\s*Beam_xy:?\s+\(\s*{NUMBER}\s*,\s*{NUMBER}\s*\)", re.IGNORECASE),
}


def header_metadata(text: str, *, source: str, masked_value: int) -> DetectorMetadata:
    """Metadata from the lines in ``text``; ``source`` is the file's name, told beside each value."""
    found = {name: _numbers(pattern, text) for name, pattern in PATTERNS.items()}
    pixel, beam, cutoff = found["pixel"], found["beam"], _first(found["cutoff"])
    known = {
        "wavelength_nm": _first(found["wavelength"], NM_PER_ANGSTROM),
        "distance_mm": _first(found["distance"], MM_PER_M),
        # The first size is that of a column's step, as in the file's "x".
        "pixel_size_um": (pixel[0] * UM_PER_M, pixel[1] * UM_PER_M) if pixel and all(pixel) else None,
        "beam_center_px": (beam[0], beam[1]) if beam and all(beam) else None,
    }
    return DetectorMetadata(
        **known,  # type: ignore[arg-type]
        exposure_s=_first(found["exposure"]),
        saturation=int(cutoff) if cutoff is not None else None,
        masked_value=masked_value,
        sources={name: source for name, value in known.items() if value is not None},
    )


def _numbers(pattern: re.Pattern[str], text: str) -> tuple[float, ...]:
    match = pattern.search(text)
    numbers = tuple(float(group) for group in match.groups()) if match else ()
    return numbers if all(0.0 <= number < 1e12 for number in numbers) else ()


def _first(numbers: tuple[float, ...], factor: float = 1.0) -> float | None:
    return numbers[0] * factor if numbers and numbers[0] > 0.0 else None
