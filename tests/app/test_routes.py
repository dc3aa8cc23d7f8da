"""Bytes: tables, the data of the linked cursor, pictures; nothing from outside the workspace."""

from __future__ import annotations

import base64
import csv
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app import routes
from app.figures import maps
from app.library import Library
from tests.synthetic_crystal import coordinate_at
from tests.synthetic_images import BAR_ROW, SEM_SHAPE
from tests.synthetic_result import make_result

TABLES = (
    "xray_maps",
    "xray_radial",
    "sem_rois",
    "afm_lines",
    "afm_summary",
    "afm_maps",
    "afm_parts",
    "profiles",
    "correlation",
)


def picture(client: FlaskClient, path: str) -> Image.Image:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.mimetype == "image/png"
    return Image.open(io.BytesIO(answer.data))


def unpacked(packed: dict[str, str]) -> np.ndarray:
    kind, text = next(iter(packed.items()))
    return np.frombuffer(base64.b64decode(text), dtype={"f": "<f4", "b": np.uint8}[kind])


def profile_rows(client: FlaskClient, query: str) -> list[dict[str, str]]:
    text = client.get(f"/csv/dif/profiles.csv{query}").get_data(as_text=True)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [
        row
        for row in csv.DictReader(lines)
        if (row["modality"], row["quantity"], row["coordinate"]) == ("xray", "a_sc", "rectangle")
    ]


def test_profiles_leave_in_as_many_bins_as_are_drawn(client: FlaskClient) -> None:
    """Other bins hold the same points: their number and their mean over the crystal stay."""
    assert len(profile_rows(client, "")) == 10
    sums = []
    for bins in (5, 20):
        rows = profile_rows(client, f"?bins={bins}")
        assert len(rows) == bins
        assert float(rows[0]["hi"]) == pytest.approx(1.0 / bins)
        counted = [(int(row["n"]), float(row["mean"])) for row in rows if int(row["n"])]
        sums.append((sum(n for n, _ in counted), sum(n * mean for n, mean in counted)))
    assert sums[0] == pytest.approx(sums[1])
    assert sums[0][0] > 10


def test_bins_that_make_no_sense_give_the_usual_ones(client: FlaskClient) -> None:
    usual = profile_rows(client, "")
    for query in ("?bins=9999999", "?bins=x", "?bins=-5"):
        assert profile_rows(client, query) == usual


def test_every_table_leaves_as_csv(client: FlaskClient) -> None:
    for table in (
        "xray_maps",
        "xray_radial",
        "sem_rois",
        "afm_lines",
        "afm_summary",
        "profiles",
        "correlation",
    ):
        answer = client.get(f"/csv/dif/{table}.csv")
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"] == f'attachment; filename="dif_{table}.csv"'
        header = next(line for line in answer.get_data(as_text=True).splitlines() if not line.startswith("#"))
        assert header.startswith("sample,crystal,")


@pytest.mark.parametrize(
    "path",
    [
        "/csv/dif/secrets.csv",
        "/csv/none/profiles.csv",
        "/csv/damaged/profiles.csv",
        "/csv/waiting/profiles.csv",
        "/data/none/linked.json",
        "/thumb/dif/none.png",
        "/thumb/xonly/afm.png",
        "/image/dif/sem/9.png",
        "/image/xonly/sem/0.png",
        "/atlas/dif/0/99.png",
        "/atlas/hostile/0/0.png",
        "/radial/dif/0/99.bin",
    ],
)
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_linked_data_hold_s_and_values_of_every_point(client: FlaskClient) -> None:
    found = client.get("/data/dif/linked.json").json
    scan = found["xray"][0]
    grid = scan["grid"]
    row, col = np.divmod(np.arange(grid["rows"] * grid["cols"]), grid["cols"])
    x, y = grid["x0"] + col * grid["col"][0], grid["y0"] + row * grid["row"][1]
    expected = coordinate_at(x, y, (7.0, 7.0)).s["rectangle"]
    np.testing.assert_allclose(unpacked(scan["s"]), expected, atol=1e-6)
    values = make_result("dif", size=9).xray[0].maps["a_sc"].values
    np.testing.assert_allclose(unpacked(scan["values"]["a_sc"]["v"]), values.ravel(), rtol=1e-6)
    assert scan["values"]["gamma"]["unit"] == "°"
    image = found["sem"][0]
    s = unpacked(image["s"]).reshape(image["grid"]["rows"], image["grid"]["cols"])
    np.testing.assert_allclose(s[:, [0, -1]], [[0.0, 1.0]] * len(s), atol=1e-6)
    assert len(found["colours"]["b"]) > 1000


def test_an_image_is_served_without_its_bar_and_cut_where_asked(client: FlaskClient) -> None:
    whole = picture(client, "/image/dif/sem/0.png?w=1024")
    assert whole.size == (SEM_SHAPE[1], BAR_ROW)
    cut = picture(client, "/image/dif/sem/0.png?x0=100&x1=300&y0=50&y1=150&w=1024")
    assert cut.size == (200, 100)
    np.testing.assert_array_equal(np.asarray(cut), np.asarray(whole)[50:150, 100:300])


@pytest.mark.parametrize(
    "query",
    [
        "x0=-5&x1=99999999",
        "x0=9&x1=2&y0=9&y1=1",
        "w=999999999",
        "w=0",
        "x0=a&y0=&w=nan",
        "x0=1e9",
        "x0=" + "9" * 400,
    ],
)
def test_any_region_that_is_asked_for_is_bounded(client: FlaskClient, query: str) -> None:
    shown = picture(client, f"/image/dif/sem/0.png?{query}")
    assert 1 <= shown.size[0] <= SEM_SHAPE[1]
    assert 1 <= shown.size[1] <= BAR_ROW


def test_the_atlas_holds_one_thumbnail_a_scan_point(client: FlaskClient, workspace: Path) -> None:
    tile = client.get("/data/dif/linked.json").json["xray"][0]["tile"]
    strip = picture(client, "/atlas/dif/0/4.png")
    assert strip.size == (9 * tile["cols"], tile["rows"])
    assert max(tile["rows"], tile["cols"]) <= 96
    tiles = np.asarray(strip, dtype=int).reshape(tile["rows"], 9, tile["cols"])
    counts = Library(workspace).pattern("dif", index=0, row=4, col=3)
    assert tile["block"] == 1
    # The grey of a tile rises with its counts: same order, and other points look different.
    seen = np.asarray(counts, dtype=float)
    order = np.corrcoef(np.log1p(seen).ravel(), tiles[:, 3].ravel())[0, 1]
    other = np.corrcoef(np.log1p(seen).ravel(), tiles[:, 5].ravel())[0, 1]
    assert order > 0.9
    assert other < 0.6


def test_the_radial_profiles_of_a_row_are_those_of_the_result(client: FlaskClient) -> None:
    scan = make_result("dif", size=9).xray[0]
    found = np.frombuffer(client.get("/radial/dif/0/4.bin").data, dtype="<f4").reshape(9, -1)
    np.testing.assert_array_equal(found, scan.radial[4])


def test_thumbnails_are_small_and_transparent_where_nothing_was_measured(client: FlaskClient) -> None:
    for modality in ("xray", "sem", "afm"):
        assert max(picture(client, f"/thumb/dif/{modality}.png").size) <= 512
    corner = np.asarray(picture(client, "/thumb/dif/xray.png"))[0, -1]
    assert corner[3] == 0


def test_an_address_with_a_version_may_be_kept_and_one_without_is_asked_again(client: FlaskClient) -> None:
    assert "immutable" in client.get("/data/dif/linked.json?v=1").headers["Cache-Control"]
    assert client.get("/data/dif/linked.json").headers["Cache-Control"] == "no-cache"


def test_compared_samples_leave_as_one_table(client: FlaskClient) -> None:
    answer = client.get("/compare/profiles.csv?s=dif&s=evap&s=none&s=dif")
    assert answer.status_code == 200
    lines = [line for line in answer.get_data(as_text=True).splitlines() if not line.startswith("#")]
    assert sum(line.startswith("sample,") for line in lines) == 1
    assert {line.split(",")[0] for line in lines[1:]} == {"dif", "evap"}
    rows = list(
        csv.DictReader(client.get("/compare/numbers.csv?s=dif&s=evap").get_data(as_text=True).splitlines())
    )
    found = {(row["sample"], row["quantity"]): row for row in rows}
    summary = make_result("dif", size=9).summary["a_sc_centre"]
    assert float(found["dif", "a_sc_centre"]["value"]) == pytest.approx(summary.value)
    assert found["dif", "a_sc_centre"]["unit"] == "nm"
    assert client.get("/compare/secrets.csv?s=dif").status_code == 404


def test_groups_leave_as_csv_and_json(client: FlaskClient) -> None:
    found = client.get("/compare/compare.json?s=dif&s=evap").get_json()
    assert set(found["groups"]) == {"diffusion", "evaporation"}
    assert "without a test" in found["conclusion"]
    picked = client.get("/compare/compare.json?s=dif&s=evap&by=picked&ga=dif").get_json()
    assert [crystal["sample"] for crystal in picked["groups"]["picked"]] == ["dif"]
    text = client.get("/compare/compare.csv?s=dif&s=evap").get_data(as_text=True)
    assert "sample,crystal,level,group" in text
    assert client.get("/compare/compare.csv").status_code == 404
    assert client.get("/compare/compare.exe?s=dif").status_code == 404


def test_a_comparison_needs_a_sample(client: FlaskClient) -> None:
    assert client.get("/compare/profiles.csv").status_code == 404


# --- nothing outside the workspace -----------------------------------------------------------------------

_OPENED: list[str] = []
_WATCHING = [False]


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _WATCHING[0] and isinstance(arguments[0], str | bytes):
        _OPENED.append(os.fsdecode(arguments[0]))


@contextmanager
def opens_noted() -> Iterator[list[str]]:
    """Notes every file that Python opens meanwhile."""
    if not getattr(sys, "_triptych_opens_noted", False):
        sys.addaudithook(_note)
        sys._triptych_opens_noted = True
    _OPENED.clear()
    _WATCHING[0] = True
    try:
        yield _OPENED
    finally:
        _WATCHING[0] = False


PIECES = st.sampled_from(
    ["..", ".", "%2e%2e", "%2E%2e%2F", "..%2f", "%00", "\\..\\", "etc", "passwd", "dif", "results", "dif.h5",
     "sample.toml", "waiting", "~", "//", "%252e%252e", "C:", "\u202e", "a" * 300, "*", "?", "#", ";", "|"]
)  # fmt: skip
TEMPLATES = (
    "/csv/{}/profiles.csv", "/csv/dif/{}.csv", "/data/{}/linked.json", "/thumb/{}/xray.png",
    "/thumb/dif/{}.png", "/image/{}/sem/0.png", "/atlas/{}/0/0.png", "/radial/{}/0/0.bin",
    "/window/{}/0.bin", "/pattern/{}/0/0/0.png", "/csv/{}/xray/0/window.csv", "/assets/{}", "/s/{}", "/{}",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    template=st.sampled_from(TEMPLATES),
    pieces=st.lists(PIECES | st.text(max_size=12), min_size=1, max_size=6),
    coded=st.booleans(),
)
def test_no_path_opens_a_file_outside_the_workspace(
    client: FlaskClient, workspace: Path, template: str, pieces: list[str], coded: bool
) -> None:
    name = "/".join(pieces)
    path = template.format(quote(name, safe="") if coded else name)
    # As a server hands it on: the bytes of the address, read as Latin-1.
    address = {"PATH_INFO": path.encode("utf-8", "surrogatepass").decode("latin-1")}
    with opens_noted() as opened:
        answer = client.get("/", environ_overrides=address)
    own = (str(Path(__file__).resolve().parents[2]), sys.prefix, sys.base_prefix)
    allowed = (str(workspace), *own, *map(os.path.realpath, own))
    assert [found for found in opened if not os.path.realpath(found).startswith(allowed)] == []
    assert answer.status_code < 500
    assert b"root:" not in answer.data


def test_a_thumbnail_of_a_uniform_lattice_does_not_make_structure_of_noise() -> None:
    noise = 12.0 + 0.01 * np.random.default_rng(1).standard_normal((9, 9))
    low, high = routes._at_least(maps.colour_limits(noise), noise, routes.UNIFORM)
    assert (low, high) == pytest.approx((10.8, 13.2), rel=0.01)
    wide = np.linspace(5.0, 20.0, 81)
    assert routes._at_least((5.0, 20.0), wide, routes.UNIFORM) == (5.0, 20.0)
