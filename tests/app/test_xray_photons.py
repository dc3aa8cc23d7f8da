"""The whole detector at a scan point: photons where they fell, spots where they were fitted, CSV."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.io.results import write_result
from analysis.io.wide_angle_events import write_photons
from app.figures import xray_photons
from app.pages import xray
from app.server import create_app
from tests.app.test_pages import parts_of
from tests.synthetic_result import make_result
from tests.synthetic_wide_angle import with_wide_angle
from tests.synthetic_xray import BEAM_PX

DETECTOR = (542, 518)
PIXELS = {(4, 3): [7 * 518 + 9, 7 * 518 + 9, 540 * 518 + 500]}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("photons")
    (folder / "results").mkdir()
    made = with_wide_angle(make_result("one", size=9, sem=False, afm=False, folder=folder))
    packed, lengths = packed_frames((9, 9))
    stack = write_photons(folder, packed, lengths, detector=DETECTOR)
    wide = replace(made.xray[0].wide_angle, events=stack)
    write_result(folder / "results" / "one.h5", replace(made, xray=(replace(made.xray[0], wide_angle=wide),)))
    return create_app(Path(folder))


def packed_frames(shape: tuple[int, int]) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames as the format is described: gaps from photon to photon, a byte each, packed with zlib."""
    import zlib

    packed, lengths = [], np.zeros(shape, dtype=np.int64)
    for place in np.ndindex(shape):
        gaps, before = [], 0
        for pixel in PIXELS.get(place, []):
            whole, rest = divmod(pixel - before, 255)
            gaps += [255] * whole + [rest]
            before = pixel
        frame = np.frombuffer(zlib.compress(bytes(gaps)), dtype=np.uint8) if gaps else np.zeros(0, np.uint8)
        lengths[place] = frame.size
        packed.append(frame)
    return packed, lengths


def scan_of(app: object):
    return app.server.extensions["triptych"].result("one").xray[0]


def test_photons_lie_in_the_block_of_their_pixel(app: object) -> None:
    scan = scan_of(app)
    photons = app.server.extensions["triptych"].photons("one", index=0, row=4, col=3)
    region = np.zeros(scan.valid.shape)
    row, col = np.argwhere(scan.valid)[17]
    region[row, col] = 5.0
    counts, block = xray_photons.in_blocks(photons, region, scan)
    assert block == 2
    assert counts[7 // 2, 9 // 2] == 2.0
    assert counts[540 // 2, 500 // 2] == 1.0
    assert counts[(row + scan.region[0]) // 2, (col + scan.region[1]) // 2] == 5.0
    assert counts.sum() == 8.0


def test_places_are_counter_clockwise_about_the_beam(app: object) -> None:
    geometry = scan_of(app).geometry
    col, row = xray_photons.pixels_at(geometry, np.full(2, 10.0), np.array([0.0, 90.0]))
    radius = 398.0 * np.tan(2 * np.arcsin(10.0 * 0.0954 / (4 * np.pi))) / 0.3
    assert (col[0] - BEAM_PX[0], row[0] - BEAM_PX[1]) == pytest.approx((radius, 0.0), abs=1e-6)
    assert (col[1] - BEAM_PX[0], row[1] - BEAM_PX[1]) == pytest.approx((0.0, -radius), abs=1e-6)


def test_a_pinned_point_shows_its_photons_and_spots(app: object) -> None:
    scan = scan_of(app)
    with app.server.test_request_context("/"):
        page = xray.layout(sample_id="one", pv="wide", a="4.3", ps="a")
    figure = next(part for part in parts_of(page) if getattr(part, "id", None) == "xray-pattern").figure
    spots = next(trace for trace in figure.data if trace.name == "spots")
    assert len(spots.x) == 4
    phi = np.degrees(np.arctan2(-(np.asarray(spots.y) - BEAM_PX[1]), np.asarray(spots.x) - BEAM_PX[0]))
    turn = scan.maps["atomic_orientation"].values[4, 3]
    assert (phi - turn + 45.0) % 90.0 - 45.0 == pytest.approx(np.zeros(4), abs=0.01)
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]


def test_photons_leave_as_csv(app: object) -> None:
    client = app.server.test_client()
    client.environ_base["HTTP_HOST"] = "127.0.0.1:8050"
    text = client.get("/csv/one/xray/0/photons.csv?row=4&col=3").get_data(as_text=True)
    assert [line.split(",")[2:] for line in text.splitlines() if line.startswith("one,")] == [
        ["7", "9", "2"],
        ["540", "500", "1"],
    ]
    assert client.get("/csv/one/xray/0/photons.csv?row=99&col=3").status_code == 404
