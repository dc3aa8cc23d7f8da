"""A detector far from square to the beam: tilted frames give the right lattice. pyFAI says what it sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

from analysis.io.poni import write_poni
from analysis.io.sample_file import XrayBlock
from analysis.pipeline.xray import reduce_xray
from analysis.records import XRAY_STATUS, XrayReduction
from analysis.xray.geometry import direct_beam_px
from tests.xray.frames import Crystal, Instrument, SmallScan

ROTATIONS = (0.2, -0.12, 0.35)
DIRECT_PX = (51.2, 45.6)


@dataclass(frozen=True)
class Tilted(Instrument):
    """The small instrument turned about its sample; ``beam_px`` is the point of normal incidence."""

    @cached_property
    def pyfai(self) -> AzimuthalIntegrator:
        size = self.pixel_um * 1e-6
        return AzimuthalIntegrator(
            dist=self.distance_mm * 1e-3,
            poni1=(self.beam_px[1] + 0.5) * size,
            poni2=(self.beam_px[0] + 0.5) * size,
            rot1=ROTATIONS[0], rot2=ROTATIONS[1], rot3=ROTATIONS[2],
            pixel1=size, pixel2=size, wavelength=self.wavelength_nm * 1e-9,
        )  # fmt: skip

    def q_phi(self, col: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flat = np.ravel(row).astype(float), np.ravel(col).astype(float)
        q, phi = self.pyfai.qFunction(*flat), -self.pyfai.chi(*flat)
        return q.reshape(np.shape(row)), phi.reshape(np.shape(row))


def beam_for(direct: tuple[float, float]) -> tuple[float, float]:
    """The point of normal incidence of a detector whose direct beam arrives at ``direct`` (column, row)."""
    fit2d = Tilted(beam_px=(0.0, 0.0)).pyfai.getFit2D()
    at_zero = fit2d["centerX"] - 0.5, fit2d["centerY"] - 0.5
    return direct[0] - at_zero[0], direct[1] - at_zero[1]


SCAN = SmallScan(
    shape=(3, 3),
    instrument=Tilted(beam_px=beam_for(DIRECT_PX)),
    crystal=Crystal(a1=14.0, a2=12.5, gamma=84.0, psi=11.0),
)


@pytest.fixture(scope="module")
def reduction(tmp_path_factory: pytest.TempPathFactory) -> XrayReduction:
    folder = tmp_path_factory.mktemp("tilted")
    SCAN.write(folder)
    (folder / "tilted.poni").write_text(
        f"Distance: {SCAN.instrument.distance_mm / 1e3}\n"
        f"Poni1: {(SCAN.instrument.beam_px[1] + 0.5) * SCAN.instrument.pixel_um * 1e-6}\n"
        f"Poni2: {(SCAN.instrument.beam_px[0] + 0.5) * SCAN.instrument.pixel_um * 1e-6}\n"
        + "".join(f"Rot{k}: {turn}\n" for k, turn in enumerate(ROTATIONS, start=1))
        + f"Wavelength: {SCAN.instrument.wavelength_nm * 1e-9}\n",
        encoding="utf-8",
    )
    block = XrayBlock(
        frames="scan_master.h5", background="film_master.h5", poni="tilted.poni", shape=SCAN.shape,
        step_um=(0.5, 0.5), saxs_q_max_per_nm=1.1,
    )  # fmt: skip
    return reduce_xray(block, index=0, folder=folder, workers=1, scratch=tmp_path_factory.mktemp("scratch"))


def test_the_direct_beam_is_where_pyfai_has_it(reduction: XrayReduction) -> None:
    assert direct_beam_px(reduction.geometry) == pytest.approx(DIRECT_PX, abs=1e-6)
    assert reduction.geometry.beam_center_px == pytest.approx(SCAN.instrument.beam_px)


def test_tilted_frames_give_the_lattice(reduction: XrayReduction) -> None:
    assert (reduction.status[:, 1:] == XRAY_STATUS.index("ok")).all()
    for row in range(3):
        truth = SCAN.lattice(row)
        for name, value in (("a1", truth.a1), ("a2", truth.a2), ("gamma", truth.gamma), ("psi", truth.psi)):
            found = reduction.maps[name]
            pull = (found.values[row, 1:] - value) / found.errors[row, 1:]
            assert np.abs(pull).max() < 4.5, name
            assert found.errors[row, 1:].max() < 0.02 * value


def test_photons_are_counted_as_many_as_fell(reduction: XrayReduction) -> None:
    """Four peaks of 1500 photons on pixels of the plain size; here a pixel sees a smaller part of q.

    Photons are told as a pixel at normal incidence would count them, which is nearer than the direct beam's.
    """
    q, phi = SCAN.instrument.pixel_centres()
    jacobian = np.abs(
        np.gradient(q * np.cos(phi), axis=0) * np.gradient(q * np.sin(phi), axis=1)
        - np.gradient(q * np.cos(phi), axis=1) * np.gradient(q * np.sin(phi), axis=0)
    )
    at = round(DIRECT_PX[1]), round(DIRECT_PX[0])
    fell = 4 * SCAN.crystal.photons * SCAN.instrument.q_per_px**2 / jacobian[at]
    fell /= SCAN.instrument.pyfai.solidAngleArray(SCAN.instrument.shape)[at]
    found = reduction.maps["photons"].values[:, 1:]
    assert found.mean() == pytest.approx(fell, rel=0.03)


def test_the_polar_map_and_profiles_lie_at_the_lattices_q(reduction: XrayReduction) -> None:
    polar = reduction.polar
    inner = np.nan_to_num(polar.intensity) * (polar.q_per_nm[:, None] > 0.35)
    ring, turn = np.unravel_index(np.argmax(inner), inner.shape)
    q, phi = (
        [float(reduction.maps[name].values[1, 1]) for name in names]
        for names in (("q1", "q2"), ("gamma", "psi"))
    )
    assert min(q) - 0.04 < polar.q_per_nm[ring] < max(q) + 0.04
    peaks = np.array([phi[1] + phi[0] - 90.0, phi[1] + 90.0])
    assert np.abs((polar.phi_deg[turn] - peaks + 90.0) % 180.0 - 90.0).min() < 8.0


def test_a_mirrored_calibration_comes_back_from_the_result(reduction: XrayReduction, tmp_path: Path) -> None:
    write_poni(tmp_path / "out.poni", reduction.geometry)
    import pyFAI

    read = pyFAI.load(str(tmp_path / "out.poni"))
    q, _ = SCAN.instrument.pixel_centres()
    np.testing.assert_allclose(read.center_array(SCAN.instrument.shape, unit="q_nm^-1"), q, rtol=1e-9)
    assert replace(SCAN.instrument).pyfai.rot3 == pytest.approx(read.rot3)
