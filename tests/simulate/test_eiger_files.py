"""The frames as an EIGER's files: layout, numbers, mask and metadata, read with h5py alone."""

from __future__ import annotations

from itertools import islice, repeat
from pathlib import Path

import h5py
import numpy as np
import pytest

from analysis.simulate.detector import eiger_4m
from analysis.simulate.eiger_file import Series, write_series
from tests.simulate.reading import described, frames, pixel_mask, q_and_phi

MASKED = 2**32 - 1


@pytest.mark.parametrize("name", ["scan", "kapton"])
def test_data_files_are_linked_numbered_and_compressed_one_frame_a_chunk(sample: Path, name: str) -> None:
    numbers: list[int] = []
    with h5py.File(sample / "xray" / f"{name}_master.h5") as master:
        data = master["entry/data"]
        for index, key in enumerate(sorted(data), start=1):
            link = data.get(key, getlink=True)
            assert (key, link.filename) == (f"data_{index:06d}", f"{name}_data_{index:06d}.h5")
            stack = data[key]
            assert stack.dtype == np.uint32
            assert stack.chunks == (1, 326, 326)
            assert stack.id.get_create_plist().get_filter(0)[0] == 32008
            low, high = int(stack.attrs["image_nr_low"]), int(stack.attrs["image_nr_high"])
            assert high - low + 1 == stack.shape[0]
            numbers.extend(range(low, high + 1))
        specific = master["entry/instrument/detector/detectorSpecific"]
        assert int(specific["nimages"][()]) * int(specific["ntrigger"][()]) == len(numbers)
    assert numbers == list(range(1, len(numbers) + 1))


def test_there_is_one_frame_for_every_scan_point(sample: Path) -> None:
    rows, cols = described(sample)["xray"]["shape"]
    assert frames(sample).shape[0] == rows * cols
    assert rows <= 15
    assert cols <= 15


def test_geometry_is_stated_with_its_units(sample: Path) -> None:
    expected = {
        "beam/incident_wavelength": (0.953725, "angstrom"),
        "detector/detector_distance": (0.398, "m"),
        "detector/x_pixel_size": (75e-6, "m"),
        "detector/y_pixel_size": (75e-6, "m"),
        "detector/beam_center_x": (163.5, "pixel"),
        "detector/beam_center_y": (163.0, "pixel"),
        "detector/detectorSpecific/photon_energy": (13000.0, "eV"),
        "detector/sensor_thickness": (450e-6, "m"),
    }
    with h5py.File(sample / "xray" / "scan_master.h5") as master:
        for name, (value, units) in expected.items():
            dataset = master["entry/instrument"][name]
            assert dataset[()] == pytest.approx(value, rel=1e-5)
            assert dataset.attrs["units"] == units.encode()
        assert int(master["entry/instrument/detector/bit_depth_image"][()]) == 32


def test_masked_pixels_and_only_they_hold_the_largest_count(diffusion: Path) -> None:
    mask = pixel_mask(diffusion)
    stack = frames(diffusion)
    assert np.array_equal(stack == MASKED, np.broadcast_to(mask != 0, stack.shape))
    assert stack[:, mask == 0].max() < 20_000


def test_a_gap_between_modules_crosses_the_small_detector(diffusion: Path) -> None:
    gap = np.all(pixel_mask(diffusion) & 1, axis=0)
    assert np.flatnonzero(gap).tolist() == list(range(159, 169))
    singles = np.count_nonzero(pixel_mask(diffusion)[:, ~gap])
    assert 5 <= singles <= 60


def test_the_whole_detector_has_the_gaps_of_the_real_one(tmp_path: Path) -> None:
    detector = eiger_4m(whole=True)
    mask = detector.pixel_mask
    assert mask.shape == (2167, 2070)
    gap = mask == 1
    assert np.flatnonzero(gap.all(axis=1)).tolist() == [
        *range(514, 551),
        *range(1065, 1102),
        *range(1616, 1653),
    ]
    assert np.flatnonzero(gap.all(axis=0)).tolist() == list(range(1030, 1040))
    part = mask[1720 : 1720 + 326, 871 : 871 + 326]
    assert np.array_equal(part, eiger_4m(whole=False).pixel_mask)
    assert (detector.beam_center_px[0] - 871, detector.beam_center_px[1] - 1720) == (163.5, 163.0)

    series = Series(frames=3, triggers=3, frames_per_file=2)
    blank = islice(repeat(np.zeros(mask.shape, dtype=np.uint32)), 3)
    write_series(tmp_path, "whole", blank, series=series, detector=detector)
    with h5py.File(tmp_path / "whole_master.h5") as master:
        assert [master["entry/data"][key].shape[0] for key in sorted(master["entry/data"])] == [2, 1]
        specific = master["entry/instrument/detector/detectorSpecific"]
        assert int(specific["y_pixels_in_detector"][()]) == 2167
        assert int(specific["ntrigger"][()]) == 3


def test_hot_pixels_that_no_mask_names_stand_in_sample_and_background_alike(diffusion: Path) -> None:
    good = pixel_mask(diffusion) == 0
    far = q_and_phi(diffusion)[0] > 0.8
    scan = frames(diffusion)[:, good & far].mean(axis=0)
    kapton = frames(diffusion, "kapton")[:, good & far].mean(axis=0)
    hot = scan > 5.0
    assert 3 <= np.count_nonzero(hot) <= 15
    assert kapton[hot] == pytest.approx(scan[hot], rel=0.5)


def test_the_beamstop_leaves_few_counts_and_not_none(diffusion: Path) -> None:
    mean = frames(diffusion, "kapton").mean(axis=0)
    row, col = np.indices(mean.shape)
    radius = np.hypot(col - 163.5, row - 163.0)
    good = pixel_mask(diffusion) == 0
    shadow, rim = mean[good & (radius < 9)], mean[good & (radius > 15) & (radius < 18)]
    assert 0.0 < shadow.mean() < 0.3 * rim.mean()
