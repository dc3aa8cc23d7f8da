r"""NanoScope files for tests, made from the public description: header lines, then raw integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HEADER_BYTES = 4096
OLD, NEW = "0x05120000", "0x09300201"


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image: ``counts`` (rows, cols) with row 0 on top, as the file's Z scale line says."""

    counts: np.ndarray
    name: str = 'S [ZSensor] "Height Sensor"'
    z_scale: str = "V [Sens. ZsensSens] (0.000375000 V/LSB) 24.57600 V"
    size: str = "2 1 ~m"
    bytes_per_pixel: int = 2
    lines: int | None = None
    more: Mapping[str, str] = field(default_factory=dict)


SENSITIVITIES = {
    "@Sens. Zsens": "V 4.273442 nm/V",
    "@Sens. ZsensSens": "V 57.39005 nm/V",
    "@Sens. StiffnessSens": "V 1.000000 ",
    "@Sens. ModulusSens": "V 1000.000 MPa/Arb",
}
NOTES = {"Tip Radius": "5", "Sample Poisson's Ratio": "0.3", "Modulus Fit Model": "Hertzian (Spherical)"}


def file_bytes(
    images: Sequence[Image], *, version: str = NEW, drop: str = "", magic: str = r"\*File list"
) -> bytes:
    """A whole file; lines that hold ``drop`` are left out."""
    stored = 4 if int(version, 16) >= 0x09200000 else 2
    lines = [
        magic,
        rf"\Version: {version}",
        rf"\Data length: {HEADER_BYTES}",
        r"\*Scanner list",
        r"\*Ciao scan list",
    ]
    lines += [rf"\{key}: {value}" for key, value in {**NOTES, **SENSITIVITIES}.items()]
    body = b""
    for image in images:
        raw = image.counts[::-1].astype("<i4" if stored == 4 else "<i2").tobytes()
        lines += [
            rf"\{key}: {value}" if value else rf"\{key}"
            for key, value in image_lines(image, len(body), len(raw)).items()
        ]
        body += raw
    lines += [r"\*File list end", ""]
    text = "\r\n".join(line for line in lines if not drop or drop not in line).encode("latin-1")
    return text.ljust(HEADER_BYTES, b"\x1a") + body


def image_lines(image: Image, offset: int, length: int) -> dict[str, str]:
    rows, cols = image.counts.shape
    return {
        "*Ciao image list": "",
        "Data offset": str(HEADER_BYTES + offset),
        "Data length": str(length),
        "Bytes/pixel": str(image.bytes_per_pixel),
        "Frame direction": "Down",
        "Samps/line": str(cols),
        "Number of lines": str(image.lines or rows),
        "Aspect Ratio": "1:1",
        "Scan Size": image.size,
        "Line Direction": "Retrace",
        "@2:Image Data": image.name,
        "@Z magnify": "C [2:Z scale] 0.003899553 ",
        "@2:Z scale": image.z_scale,
        "@2:Z offset": "V [Sens. ZsensSens] (0.000375000 V/LSB) -0.2197993 V",
        **image.more,
    }


def counts(seed: int, shape: tuple[int, int] = (5, 6), top: int = 30000) -> np.ndarray:
    return np.random.default_rng(seed).integers(-top, top, shape)


MODULUS = Image(
    counts=counts(2, top=2**30),
    name='S [Stiffness] "DMTModulus"',
    z_scale="V [Sens. ModulusSens] (0.0000009536743 Arb/LSB) 4096.000 Arb",
    bytes_per_pixel=4,
)
LOGARITHM = Image(
    counts=counts(3, top=2**30),
    name='S [LogStiffness] "LogDMTModulus"',
    z_scale="V [Sens. StiffnessSens] (0.00000000745058 log(Arb)/LSB) 32.00000 log(Arb)",
    bytes_per_pixel=4,
)
CASES: dict[str, bytes] = {
    "sixteen_bits": file_bytes([Image(counts=counts(0)), Image(counts=counts(1))], version=OLD),
    "four_bytes": file_bytes([Image(counts=counts(0)), MODULUS, LOGARITHM]),
    "square_size": file_bytes([Image(counts=counts(4, (4, 4)), size="500 500 nm")], version=OLD),
    "no_sensitivity": file_bytes(
        [Image(counts=counts(5), z_scale="V (0.005 V/LSB) 360.0000 V")], version=OLD
    ),
    "upwards": file_bytes([Image(counts=counts(6), more={"Frame direction": "Up"})], version=OLD),
}
"""Files that Gwyddion was given too."""


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
