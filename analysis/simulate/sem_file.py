"""A micrograph as Hitachi's microscopes save it: a TIFF without a scale, and a text file beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from analysis.simulate.sem import PIXEL_SIZE_NM


def write_sem(path: Path, image: npt.NDArray[np.uint8], *, sample: str, encoding: str) -> None:
    """Write ``path`` (.tif) and its sidecar .txt in this encoding; nothing in them depends on the time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path, image, photometric="minisblack", metadata=None, software="Triptych simulation", rowsperstrip=64
    )
    path.with_suffix(".txt").write_bytes(_sidecar(path.name, image.shape, sample=sample).encode(encoding))


def _sidecar(name: str, shape: tuple[int, ...], *, sample: str) -> str:
    lines = [
        "[SemImageFile]",
        "InstructName=SU8000 (simulated)",
        "SerialNumber=000000-00",
        "DataNumber=",
        f"SampleName={sample}, simulated",
        "Format=tif",
        f"ImageName={name}",
        "Directory=",
        "Media=",
        f"DataSize={shape[1]}x{shape[0]}",
        f"PixelSize={PIXEL_SIZE_NM}",
        "SignalName=SE(U)",
        "AcceleratingVoltage=2000 Volt",
        "DecelerationVoltage=0 Volt",
        "Magnification=51700",
        "WorkingDistance=3100 um",
        "EmissionCurrent=10000 nA",
        "LensMode=High",
        "PhotoSize=127",
        "MicronMarker=500",
        "DataDisplayCombine=1",
    ]
    return "\r\n".join(lines) + "\r\n"
