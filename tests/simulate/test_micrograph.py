"""The micrograph: a Hitachi-like pair of files whose lattice widens from edge to centre as the law says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from analysis.simulate.monolayer import monolayer
from analysis.simulate.presets import LinearLaw
from tests.simulate.reading import Array, described, truth

PIXEL_NM = 1.2
LAWS = {
    "cspbbr3-diffusion": (11.6, 6.0),
    "cspbbr2cl-diffusion": (12.0, 6.9),
    "cspbcl3-diffusion": (11.0, 9.0),
    "cspbbr3-evaporation": (8.4, 0.0),
}


def sidecar(sample: Path) -> dict[str, str]:
    """The text file beside the image, in whichever of two encodings."""
    raw = (sample / "sem" / "monolayer.txt").read_bytes()
    text = raw.decode("utf-16" if raw[:2] == b"\xff\xfe" else "ascii")
    assert text.startswith("[SemImageFile]\r\n")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_the_image_has_no_scale_and_its_sidecar_has(sample: Path) -> None:
    with tifffile.TiffFile(sample / "sem" / "monolayer.tif") as file:
        page = file.pages[0]
        assert page.dtype == np.uint8
        assert page.tags["XResolution"].value == (1, 1)
        shape = page.shape
    notes = sidecar(sample)
    assert float(notes["PixelSize"]) == PIXEL_NM
    assert notes["DataSize"] == f"{shape[1]}x{shape[0]}"
    assert notes["ImageName"] == "monolayer.tif"


def test_one_sidecar_is_utf16_and_the_others_are_not(samples: Path) -> None:
    starts = {name: (samples / name / "sem" / "monolayer.txt").read_bytes()[:2] for name in LAWS}
    assert [name for name, start in starts.items() if start == b"\xff\xfe"] == ["cspbbr3-diffusion"]


def test_the_last_rows_are_a_bar_of_black_and_white(sample: Path) -> None:
    image = tifffile.imread(sample / "sem" / "monolayer.tif")
    assert set(np.unique(image[-32:])) == {0, 255}
    assert 0.005 < np.mean(image[-32:] == 255) < 0.2
    assert image[:-32].std() > 15
    assert np.mean((image[:-32] == 0) | (image[:-32] == 255)) < 0.02


def lattice_vectors(region: Array) -> tuple[complex, complex]:
    """The two shortest strong vectors of a region's spectrum, kx + i ky in 1/nm, ky upwards."""
    n = region.shape[0]
    window = np.hanning(n)[:, None] * np.hanning(n)[None, :]
    size = 1024
    power = np.abs(np.fft.fftshift(np.fft.fft2((region - region.mean()) * window, s=(size, size)))) ** 2
    k = np.fft.fftshift(np.fft.fftfreq(size, PIXEL_NM))
    kx, ky = np.meshgrid(k, -k)
    radius = np.hypot(kx, ky)
    power[(radius < 0.04) | (radius > 0.14) | (kx <= 0.0)] = 0.0
    first = np.unravel_index(np.argmax(power), power.shape)
    one = complex(kx[first], ky[first])
    turned = np.abs((kx + 1j * ky) - 1j * one) > 0.25 * abs(one)
    other = np.abs((kx + 1j * ky) + 1j * one) > 0.25 * abs(one)
    power[turned & other] = 0.0
    second = np.unravel_index(np.argmax(power), power.shape)
    return one, complex(kx[second], ky[second])


@pytest.mark.parametrize("x_px", [0, 600, 1200, 1792])
def test_the_local_period_is_the_laws_at_the_regions_centre(sample: Path, x_px: int) -> None:
    image = tifffile.imread(sample / "sem" / "monolayer.tif").astype(float)
    one, two = lattice_vectors(image[12:268, x_px : x_px + 256])
    block = described(sample)["sem"][0]
    (edge_x, edge_y), (center_x, center_y) = block["edge_nm"], block["center_nm"]
    assert edge_y == center_y == pytest.approx(140 * PIXEL_NM)
    s = ((x_px + 128) * PIXEL_NM - edge_x) / (center_x - edge_x)
    edge, rise = LAWS[sample.name]
    expected = edge + rise * s
    measured = 0.5 * (1.0 / abs(one) + 1.0 / abs(two))
    # a region of 307 nm spans a range of spacings; its strongest frequency lies within that
    assert measured == pytest.approx(expected, abs=0.08 + 0.02 * rise)
    angle = np.degrees(np.angle(two / one)) % 180.0
    assert angle == pytest.approx(90.0, abs=2.0)


@pytest.mark.parametrize(
    ("preset", "rotation"),
    [("cspbbr3-diffusion", 6.0), ("cspbbr2cl-diffusion", -4.0), ("cspbcl3-diffusion", 9.0)],
)
def test_the_lattice_is_turned_counter_clockwise_as_displayed(
    samples: Path, preset: str, rotation: float
) -> None:
    image = tifffile.imread(samples / preset / "sem" / "monolayer.tif").astype(float)
    one, _ = lattice_vectors(image[12:268, 900:1156])
    angle = (np.degrees(np.angle(one)) + 45.0) % 90.0 - 45.0
    assert angle == pytest.approx(rotation, abs=1.0)


def test_the_stated_truth_is_the_law(sample: Path) -> None:
    s, spacing = truth(sample, "sem/0/s"), truth(sample, "sem/0/spacing_nm")
    edge, rise = LAWS[sample.name]
    assert (s[0], s[-1]) == (0.0, 1.0)
    assert spacing == pytest.approx(edge + rise * s)


def test_neighbours_stand_one_local_spacing_apart_everywhere() -> None:
    law = LinearLaw(edge=12.0, rise=7.0)
    sites = monolayer(
        law,
        length_nm=2400.0,
        along_nm=(0.0, 2400.0),
        across_nm=(-200.0, 200.0),
        rotation_rad=0.1,
        origin=(0.2, 0.7),
    )
    points = np.column_stack([sites.along_nm, sites.across_nm])
    inner = np.abs(points[:, 1]) < 150.0
    inner &= (points[:, 0] > 50.0) & (points[:, 0] < 2350.0)
    for index in np.flatnonzero(inner)[::97]:
        distances = np.sort(np.hypot(*(points - points[index]).T))[1:5]
        expected = 12.0 + 7.0 * points[index, 0] / 2400.0
        assert distances == pytest.approx(expected, rel=0.01)
