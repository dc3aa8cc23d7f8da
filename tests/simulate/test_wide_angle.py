"""Wide-angle spots on the whole detector: where they lie and which side is brighter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.simulate.detector import Detector, eiger_4m
from analysis.simulate.diffraction import Diffraction
from analysis.simulate.form_factor import CubeFormFactor
from analysis.simulate.lattice import BeamLattice, Scan, beam_lattice
from analysis.simulate.presets import PRESETS
from analysis.simulate.wide_angle import wide_angle_peaks

PRESET = PRESETS["cspbbr3-diffusion"].xray


@pytest.fixture(scope="module")
def detector() -> Detector:
    return eiger_4m(whole=True)


@pytest.fixture(scope="module")
def lattice() -> BeamLattice:
    scan = Scan.of_preset(PRESET, shape=(3, 3))
    return beam_lattice(PRESET, scan, np.random.default_rng(4))


def test_spots_lie_at_the_papers_momentum_transfers(lattice: BeamLattice, detector: Detector) -> None:
    spots = wide_angle_peaks(lattice, 1, 1, detector=detector, half_integer=False)
    q = np.sort(spots[:, 0])
    assert q.size == 12
    assert q[:4] == pytest.approx(10.76, abs=0.02)
    assert q[4:8] == pytest.approx(15.22, abs=0.03)
    assert q[8:] == pytest.approx(21.52, abs=0.04)
    psi = np.degrees(np.sum(lattice.weights[1, 1] * lattice.psi_rad[1, 1]))
    hundred = np.degrees(spots[spots[:, 0] < 11.0, 1])
    assert (hundred - psi + 45.0) % 90.0 == pytest.approx(45.0, abs=1e-6)


def test_half_integer_spots_are_weak(lattice: BeamLattice, detector: Detector) -> None:
    spots = wide_angle_peaks(lattice, 1, 1, detector=detector, half_integer=True)
    weak = spots[(spots[:, 0] > 16.5) & (spots[:, 0] < 17.5)]
    assert weak.shape[0] == 8
    assert weak[:, 4].max() < 0.15 * spots[spots[:, 0] < 11.0, 4].mean()


def test_the_spot_that_the_nanocrystals_lean_to_is_brighter(lattice: BeamLattice, detector: Detector) -> None:
    tilt = np.zeros_like(lattice.tilt_rad)
    tilt[..., 0] = np.radians(2.0)
    leaning = replace(lattice, tilt_rad=tilt, psi_rad=np.zeros_like(lattice.psi_rad))
    spots = wide_angle_peaks(leaning, 1, 1, detector=detector, half_integer=False)
    hundred = spots[spots[:, 0] < 11.0]
    right = hundred[np.abs(hundred[:, 1]) < 0.1, 4][0]
    left = hundred[np.abs(np.abs(hundred[:, 1]) - np.pi) < 0.1, 4][0]
    assert right / left == pytest.approx(np.exp(2.0 * 4.7 * 2.0 / 36.0), rel=0.02)


def test_all_three_orders_reach_the_detector_with_the_beam_off_its_centre(
    lattice: BeamLattice, detector: Detector
) -> None:
    diffraction = Diffraction.of_preset(
        PRESET,
        detector=detector,
        lattice=lattice,
        form_factor=CubeFormFactor.of_population(mean_nm=7.45, std_nm=0.89),
        wide_angle=True,
    )
    frame = diffraction.frame(1, 1, np.random.default_rng(5))
    assert frame.shape == (2167, 2070)
    q, phi = detector.polar_grid
    for at in (10.76, 15.22, 21.52):
        spots = wide_angle_peaks(lattice, 1, 1, detector=detector, half_integer=False)
        signal = []
        for spot_q, spot_phi in spots[np.abs(spots[:, 0] - at) < 0.1, :2]:
            away = (phi - spot_phi + np.pi) % (2.0 * np.pi) - np.pi
            near = (np.abs(q - spot_q) < 0.4) & (np.abs(away) < 0.08) & ~detector.masked
            if np.count_nonzero(near) > 2000:
                net = frame[near].astype(float) - diffraction.background[near]
                signal.append(net.sum() / np.sqrt(frame[near].sum() + 1.0))
        assert signal
        assert max(signal) > 5.0
