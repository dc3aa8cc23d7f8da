"""One scan in the files of several detectors: the very same maps, to the last bit."""

from __future__ import annotations

from pathlib import Path

import fabio.cbfimage
import h5py
import numpy as np
import pytest
import tifffile

from analysis.io.sample_file import XrayBlock
from analysis.pipeline.xray import reduce_xray
from analysis.records import XRAY_STATUS, XrayReduction
from tests.xray.frames import MASKED, SmallScan
from tests.xray.layouts import write_lambda

SCAN = SmallScan()
KEYS = {
    "shape": SCAN.shape,
    "step_um": (0.5, 0.25),
    "saxs_q_max_per_nm": 1.2,
    "energy_kev": 12.39841984,
    "distance_mm": SCAN.instrument.distance_mm,
    "beam_center_px": SCAN.instrument.beam_px,
    "poni": "size.poni",
}
SPLIT = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scan as EIGER files, signed CBF images, TIFF images, and two Lambda modules side by side."""
    folder = tmp_path_factory.mktemp("same")
    SCAN.write(folder)
    frames = SCAN.frames()
    signed = np.where(frames == MASKED, -1, frames).astype(np.int32)
    for name in ("cbf", "tif", "modules"):
        (folder / name).mkdir()
    for number, frame in enumerate(signed):
        fabio.cbfimage.CbfImage(data=frame).write(str(folder / "cbf" / f"s_{number:05d}.cbf"))
        tifffile.imwrite(folder / "tif" / f"s_{number:05d}.tif", frame, metadata=None)
    for module, cols in enumerate((slice(None, SPLIT), slice(SPLIT, None)), start=1):
        path = folder / "modules" / f"s_m{module:02d}.nxs"
        write_lambda(path, frames[:, :, cols], at=(cols.start or 0, 0))
        with h5py.File(path, "r+") as file:
            del (
                file["entry/instrument/detector/pixel_mask"],
                file["entry/instrument/detector/saturation_value"],
            )
    size = SCAN.instrument.pixel_um * 1e-6
    (folder / "size.poni").write_text(
        f"PixelSize1: {size}\nPixelSize2: {size}\nDistance: 1\nPoni1: 0\nPoni2: 0\n"
    )
    return folder


def reduced(folder: Path, frames: str, scratch: Path) -> XrayReduction:
    return reduce_xray(
        XrayBlock(**KEYS, frames=frames), index=0, folder=folder, workers=1, scratch=scratch / frames
    )


def test_every_format_gives_the_same_maps(folder: Path, tmp_path: Path) -> None:
    eiger = reduced(folder, "scan_master.h5", tmp_path)
    assert (eiger.status[:, 1:4] == XRAY_STATUS.index("ok")).all()
    for frames in ("cbf", "tif", "modules"):
        other = reduced(folder, frames, tmp_path)
        np.testing.assert_array_equal(other.status, eiger.status)
        np.testing.assert_array_equal(other.valid, eiger.valid)
        for name, values in eiger.maps.items():
            np.testing.assert_array_equal(other.maps[name].values, values.values, err_msg=f"{frames} {name}")


def test_an_image_that_is_not_there_is_a_missing_point(folder: Path, tmp_path: Path) -> None:
    gone = folder / "cbf" / "s_00007.cbf"
    kept = gone.read_bytes()
    gone.unlink()
    cut = reduced(folder, "cbf", tmp_path)
    gone.write_bytes(kept)
    lost = cut.status == XRAY_STATUS.index("frame_missing")
    assert np.flatnonzero(lost.ravel()).tolist() == [7]
    assert np.isnan(cut.maps["intensity"].values[lost]).all()
