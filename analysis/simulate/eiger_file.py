"""A series of frames as DECTRIS firmware writes it: one master file, several data files, linked from it.

Frames are uint32, one a chunk, bitshuffled and LZ4-compressed (filter 32008); image numbers count from 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt

from analysis.simulate.detector import DISTANCE_MM, ENERGY_KEV, PIXEL_SIZE_UM, Detector
from analysis.units import KEV_PER_EV, MM_PER_M, NM_PER_ANGSTROM, UM_PER_M

Frame = npt.NDArray[np.uint32]

EXPOSURE_S = 1.0
READOUT_S = 1e-5
SENSOR_THICKNESS_UM = 450.0
COUNT_CUTOFF = 2_199_023
"""Highest count that the rate correction accepts in one exposure."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """How a series is split: frames in all, triggers, and frames in one data file."""

    frames: int
    triggers: int
    frames_per_file: int

    def files(self) -> list[tuple[int, int]]:
        """First and last image number (from 1) of each data file."""
        return [
            (first, min(first + self.frames_per_file - 1, self.frames))
            for first in range(1, self.frames + 1, self.frames_per_file)
        ]


def write_series(
    folder: Path, name: str, frames: Iterator[Frame], *, series: Series, detector: Detector
) -> None:
    """Write ``<name>_master.h5`` and ``<name>_data_000001.h5`` ... into ``folder``, frame by frame."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number, (first, last) in enumerate(series.files(), start=1):
        names.append(f"{name}_data_{number:06d}.h5")
        _write_data_file(folder / names[-1], frames, first=first, last=last, shape=detector.shape)
    _write_master(folder / f"{name}_master.h5", names, series=series, detector=detector)


def _write_data_file(
    path: Path, frames: Iterator[Frame], *, first: int, last: int, shape: tuple[int, int]
) -> None:
    with h5py.File(path, "w") as file:
        group = _group(file, "entry", "NXentry")
        stack = _group(group, "data", "NXdata").create_dataset(
            "data",
            shape=(last - first + 1, *shape),
            dtype=np.uint32,
            chunks=(1, *shape),
            maxshape=(None, *shape),
            **hdf5plugin.Bitshuffle(cname="lz4"),
        )
        stack.attrs["image_nr_low"] = np.uint64(first)
        stack.attrs["image_nr_high"] = np.uint64(last)
        for index in range(last - first + 1):
            stack[index] = next(frames)


def _write_master(path: Path, data_files: list[str], *, series: Series, detector: Detector) -> None:
    with h5py.File(path, "w") as file:
        entry = _group(file, "entry", "NXentry")
        entry["definition"] = np.bytes_("NXmx")
        data = _group(entry, "data", "NXdata")
        for number, name in enumerate(data_files, start=1):
            data[f"data_{number:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
        instrument = _group(entry, "instrument", "NXinstrument")
        beam = _group(instrument, "beam", "NXbeam")
        _put(beam, "incident_wavelength", detector.wavelength_nm / NM_PER_ANGSTROM, "angstrom")
        _write_detector(_group(instrument, "detector", "NXdetector"), series=series, detector=detector)
        sample = _group(entry, "sample", "NXsample")
        sample["beam"] = h5py.SoftLink("/entry/instrument/beam")


def _write_detector(group: h5py.Group, *, series: Series, detector: Detector) -> None:
    _put(group, "beam_center_x", detector.beam_center_px[0], "pixel")
    _put(group, "beam_center_y", detector.beam_center_px[1], "pixel")
    _put(group, "bit_depth_image", np.uint16(32))
    _put(group, "bit_depth_readout", np.uint16(12))
    _put(group, "count_time", EXPOSURE_S - READOUT_S, "s")
    _put(group, "countrate_correction_applied", np.int8(1))
    _put(group, "description", np.bytes_("Dectris Eiger 4M, simulated by Triptych"))
    _put(group, "detector_distance", DISTANCE_MM / MM_PER_M, "m")
    _put(group, "detector_number", np.bytes_("simulated"))
    _put(group, "detector_readout_time", READOUT_S, "s")
    _put(group, "efficiency_correction_applied", np.int8(0))
    _put(group, "flatfield_correction_applied", np.int8(1))
    _put(group, "frame_time", EXPOSURE_S, "s")
    _put(group, "pixel_mask_applied", np.int8(1))
    _put(group, "saturation_value", np.int64(COUNT_CUTOFF))
    _put(group, "sensor_material", np.bytes_("Si"))
    _put(group, "sensor_thickness", SENSOR_THICKNESS_UM / UM_PER_M, "m")
    _put(group, "threshold_energy", 0.5 * ENERGY_KEV / KEV_PER_EV, "eV")
    _put(group, "virtual_pixel_correction_applied", np.int8(0))
    _put(group, "x_pixel_size", PIXEL_SIZE_UM / UM_PER_M, "m")
    _put(group, "y_pixel_size", PIXEL_SIZE_UM / UM_PER_M, "m")
    _write_specific(_group(group, "detectorSpecific", "NXcollection"), series=series, detector=detector)


def _write_specific(group: h5py.Group, *, series: Series, detector: Detector) -> None:
    rows, cols = detector.shape
    _put(group, "auto_summation", np.int8(1))
    _put(group, "compression", np.bytes_("bslz4"))
    _put(group, "countrate_correction_count_cutoff", np.uint32(COUNT_CUTOFF))
    _put(group, "eiger_fw_version", np.bytes_("release-1.8.0"))
    _put(group, "nimages", np.uint64(series.frames // series.triggers))
    _put(group, "nimages_per_data_file", np.uint64(series.frames_per_file))
    _put(group, "ntrigger", np.uint64(series.triggers))
    _put(group, "number_of_excluded_pixels", np.uint32(np.count_nonzero(detector.pixel_mask)))
    _put(group, "photon_energy", ENERGY_KEV / KEV_PER_EV, "eV")
    _put(group, "software_version", np.bytes_("1.8.0"))
    _put(group, "trigger_mode", np.bytes_("exts"))
    _put(group, "x_pixels_in_detector", np.uint64(cols))
    _put(group, "y_pixels_in_detector", np.uint64(rows))
    group.create_dataset(
        "pixel_mask", data=detector.pixel_mask, chunks=(rows, cols), **hdf5plugin.Bitshuffle(cname="lz4")
    )


def _group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = np.bytes_(nx_class)
    return group


def _put(group: h5py.Group, name: str, value: object, units: str | None = None) -> None:
    group[name] = value
    if units is not None:
        group[name].attrs["units"] = np.bytes_(units)
