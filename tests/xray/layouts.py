"""Detector files of other layouts, written with h5py alone; frames carry their number in every pixel."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

SHAPE = (24, 40)


def numbered(count: int, *, first: int = 1, kind: type = np.uint32) -> np.ndarray:
    numbers = np.arange(first, first + count).astype(kind)
    return np.broadcast_to(numbers[:, None, None], (count, *SHAPE)).copy()


@contextmanager
def little_memory(limit_mb: float = 20.0) -> Iterator[None]:
    """Fails where what runs inside allocates more: a declared size must be refused before it is believed."""
    tracemalloc.start()
    try:
        yield
        peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert peak_mb < limit_mb


def stored(file: h5py.File, name: str, frames: np.ndarray) -> h5py.Dataset:
    return file.create_dataset(
        name, data=frames, chunks=(1, *frames.shape[1:]), **hdf5plugin.Bitshuffle(cname="lz4")
    )


def put(group: h5py.Group, name: str, value: object, units: str = "") -> None:
    group[name] = value
    if units:
        group[name].attrs["units"] = units


def write_lambda(path: Path, frames: np.ndarray, *, at: tuple[int, int] | None = None) -> None:
    """One module's file; ``at`` is (x, y) of its first pixel."""
    with h5py.File(path, "w") as file:
        detector = file.create_group("entry/instrument/detector")
        detector.attrs["NX_class"] = "NXdetector"
        detector["description"] = b"Lambda"
        stored(file, "entry/instrument/detector/data", frames)
        mask = np.zeros(frames.shape[1:], np.uint32)
        mask[0, 1], mask[2, 3] = 2, 1 << 31
        detector["pixel_mask"] = mask
        detector["flatfield"] = np.ones(frames.shape[1:], np.float32)
        put(detector, "x_pixel_size", 55.0, "um")
        put(detector, "y_pixel_size", 55.0, "um")
        put(detector, "distance", 0.4, "m")
        put(detector, "count_time", 500.0, "ms")
        detector["saturation_value"] = 60_000
        if at is not None:
            detector["translation/distance"] = np.array([*at, 0.0])


def write_bliss(
    folder: Path,
    count: int,
    *,
    per_file: int = 5,
    title: str = "amesh sampx 0 2 4 sampy 0 1.5 3 0.1",
    positions: tuple[np.ndarray, np.ndarray] | None = None,
    scan: str = "1.1",
    detector: str = "eiger",
    link: bool = False,
) -> Path:
    """A data set of one scan, its frames in a folder beside, reached by a virtual dataset or by one link."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sample_dataset.h5"
    where = folder / f"scan{scan.split('.')[0].zfill(4)}"
    where.mkdir(exist_ok=True)
    layout = h5py.VirtualLayout(shape=(count, *SHAPE), dtype=np.uint32)
    for place, start in enumerate(range(0, count, per_file)):
        frames = numbered(min(per_file, count - start), first=start + 1)
        name = where / f"{detector}_{place:04d}.h5"
        with h5py.File(name, "w") as file:
            stored(file, f"entry_0000/ESRF-ID13/{detector}/data", frames)
            file["entry_0000/measurement/data"] = h5py.SoftLink(f"/entry_0000/ESRF-ID13/{detector}/data")
        source = h5py.VirtualSource(
            f"./{where.name}/{name.name}", "/entry_0000/measurement/data", shape=frames.shape
        )
        layout[start : start + len(frames)] = source
    with h5py.File(path, "a") as file:
        instrument = file.create_group(f"{scan}/instrument")
        measurement = file.create_group(f"{scan}/measurement")
        file[f"{scan}/title"] = title
        if link:
            target = f"{where.name}/{detector}_0000.h5"
            instrument[f"{detector}/data"] = h5py.ExternalLink(target, "/entry_0000/measurement/data")
        else:
            instrument.create_group(detector).create_virtual_dataset("data", layout)
        instrument[f"{detector}/acq_parameters/acq_expo_time"] = 0.1
        put(instrument[detector], "x_pixel_size", 7.5e-5, "m")
        put(instrument[detector], "y_pixel_size", 7.5e-5, "m")
        measurement[detector] = h5py.SoftLink(f"/{scan}/instrument/{detector}/data")
        measurement["ct34"] = 1000.0 + np.arange(count)
        for name, values in zip(("sampx", "sampy"), positions or (), strict=False):
            put(instrument, f"{name}/value", values, "mm")
            instrument[name].attrs["NX_class"] = "NXpositioner"
            measurement[name] = h5py.SoftLink(f"/{scan}/instrument/{name}/value")
            instrument[f"positioners/{name}"] = h5py.SoftLink(f"/{scan}/instrument/{name}/value")
        instrument["start_positioners/sampx"] = 0.0
    return path
