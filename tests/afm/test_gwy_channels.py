"""What is read of a channel, and which channels are taken for height and modulus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gwyfile.objects import GwyContainer, GwyObject

from analysis.errors import InputError
from analysis.io.afm_channels import ChosenChannels, choose_channels
from analysis.io.gwy import read_gwy
from tests.afm.gwy_files import Channel, component, obj, raw_field, raw_file, selection, write_channels

VALUES = np.arange(6.0).reshape(2, 3)


def chosen(
    path: Path, *channels: Channel, height: str | None = None, modulus: str | None = None
) -> ChosenChannels:
    write_channels(path / "map.gwy", dict(enumerate(channels)))
    return choose_channels(read_gwy(path / "map.gwy"), height=height, modulus=modulus)


def ch(title: str | None, unit: str | None = "m", **more: object) -> Channel:
    return Channel(values=VALUES, title=title, unit=unit, **more)  # type: ignore[arg-type]


def test_channels_keep_their_numbers_and_come_in_order(tmp_path: Path) -> None:
    path = write_channels(tmp_path / "a.gwy", {12: ch("B"), 3: ch("A"), 100: ch(None)})
    gwy = read_gwy(path)
    assert [(channel.number, channel.name) for channel in gwy.channels] == [
        (3, "A"),
        (12, "B"),
        (100, "channel 100"),
    ]


def test_rows_are_y_and_pixels_need_not_be_square(tmp_path: Path) -> None:
    gwy = read_gwy(write_channels(tmp_path / "a.gwy", {0: ch("Height", width=6e-6, height=1e-6)}))
    np.testing.assert_array_equal(gwy.channels[0].values, VALUES)
    grid = gwy.channels[0].grid(gwy.path)
    assert grid.shape == (2, 3)
    np.testing.assert_allclose(grid.cell_um, (2.0, 0.5))
    np.testing.assert_allclose((grid.x0_um, grid.y0_um), (1.0, 0.25))


def test_height_and_modulus_come_in_nm_and_gpa(tmp_path: Path) -> None:
    gwy = read_gwy(write_channels(tmp_path / "a.gwy", {0: ch("Height"), 1: ch("E", "Pa"), 2: ch("E", "GPa")}))
    height, modulus, gpa = gwy.channels
    np.testing.assert_allclose(height.height_nm(), VALUES * 1e9)
    np.testing.assert_allclose(modulus.modulus_gpa(), VALUES * 1e-9)
    np.testing.assert_allclose(gpa.modulus_gpa(), VALUES)


def test_positions_do_not_count_from_the_stage(tmp_path: Path) -> None:
    line = (0.2e-6, 0.1e-6, 1.5e-6, 0.9e-6)
    gwy = read_gwy(
        write_channels(tmp_path / "a.gwy", {0: ch("Height", lines=[line], offset=(3e-6, -4e-6))})
    )  # fmt: skip
    np.testing.assert_allclose(gwy.channels[0].lines, [line])
    np.testing.assert_allclose(gwy.channels[0].offset, (3e-6, -4e-6))
    assert gwy.channels[0].grid(gwy.path).x0_um == pytest.approx(1 / 3)


def test_mask_selections_notes_and_log_are_read(tmp_path: Path) -> None:
    mask = np.array([[0, 0.4, 0.6], [1, 0, np.nan]])
    extra = {
        "/0/select/point": selection("GwySelectionPoint", [(1e-6, 2e-6), (3e-6, 4e-6)]),
        "/0/select/rectangle": selection("GwySelectionRectangle", [(0, 0, 1e-6, 1e-6)]),
        "/0/select/my lines": selection("GwySelectionLine", [(0, 0, 1e-6, 1e-6)]),
        "/0/select/empty": GwyObject("GwySelectionLine", {"max": 1}, {"max": "i"}),
        "/0/data/log": GwyObject("GwyStringList", {"strings": ["level()"]}, {"strings": "S"}),
        "/brick/0": GwyContainer(),
        "/sps/1": GwyContainer(),
        "/sps/2": GwyContainer(),
    }
    gwy = read_gwy(
        write_channels(tmp_path / "a.gwy", {0: ch("Height", mask=mask, meta={"Tip Radius": "8 nm"})}, extra)
    )
    channel = gwy.channels[0]
    assert channel.mask is not None
    assert channel.mask.tolist() == [[False, False, True], [True, False, False]]
    assert channel.points.tolist() == [[1e-6, 2e-6], [3e-6, 4e-6]]
    assert channel.rectangles.shape == (1, 4)
    assert channel.lines.shape == (1, 4)
    assert channel.metadata == {"Tip Radius": "8 nm"}
    assert channel.log == ("level()",)
    assert gwy.others == ("volume data 0", "spectra 1", "spectra 2")


def test_saved_graphs_are_read(tmp_path: Path) -> None:
    curve = GwyObject(
        "GwyGraphCurveModel",
        {"xdata": np.array([0.0, 1.0]), "ydata": np.array([2.0, 3.0]), "description": "cut"},
        {"description": "s"},
    )
    graph = GwyObject("GwyGraphModel", {"title": "Profile", "curves": [curve]}, {"title": "s", "curves": "O"})
    gwy = read_gwy(write_channels(tmp_path / "a.gwy", {0: ch("Height")}, {"/0/graph/graph/7": graph}))
    assert (gwy.graphs[0].number, gwy.graphs[0].title) == (7, "Profile")
    name, x, y = gwy.graphs[0].curves[0]
    assert (name, x.tolist(), y.tolist()) == ("cut", [0.0, 1.0], [2.0, 3.0])


def test_sizes_left_out_have_gwyddions_defaults(tmp_path: Path) -> None:
    path = tmp_path / "a.gwy"
    path.write_bytes(raw_file(component("/0/data", "o", raw_field())))
    channel = read_gwy(path).channels[0]
    assert (channel.offset, channel.unit, channel.xy_unit, channel.title) == ((0.0, 0.0), "", "", "")


def test_modulus_is_known_by_its_unit(tmp_path: Path) -> None:
    found = chosen(tmp_path, ch("DMT Modulus", None), ch("Stiffness", "Pa"), ch("Height"))
    assert found.modulus is not None
    assert found.modulus.title == "Stiffness"
    assert found.field is found.modulus


@pytest.mark.parametrize(
    ("titles", "best"),
    [
        (("Deformation", "Height"), "Height"),
        (("Height", "Height Sensor"), "Height Sensor"),
        (("Height", "ZSensor", "Deformation"), "ZSensor"),
        (("Amplitude Error", "Topography"), "Topography"),
        (("Whatever",), "Whatever"),
    ],
)
def test_height_is_known_by_unit_and_title(tmp_path: Path, titles: tuple[str, ...], best: str) -> None:
    found = chosen(tmp_path, *(ch(title) for title in titles))
    assert found.height is not None
    assert found.height.title == best
    assert found.modulus is None
    assert any("no modulus" in note for note in found.notes)


def test_configured_titles_win(tmp_path: Path) -> None:
    channels = (ch("Height Sensor"), ch("Height"), ch("DMT Modulus", "Pa"), ch("Sneddon Modulus", "Pa"))
    found = chosen(tmp_path, *channels, height="Height", modulus="sneddon modulus")
    assert found.height is not None
    assert found.modulus is not None
    assert (found.height.number, found.modulus.number) == (1, 3)


def test_a_channel_without_title_is_named_by_its_number(tmp_path: Path) -> None:
    found = chosen(tmp_path, ch(None), ch(None), height="channel 1")
    assert found.height is not None
    assert found.height.number == 1


def test_of_equal_titles_the_first_is_used_and_the_other_told(tmp_path: Path) -> None:
    found = chosen(tmp_path, ch("Height"), ch("DMT Modulus", "Pa"), ch("DMT Modulus", "Pa"))
    assert found.modulus is not None
    assert found.modulus.number == 1
    assert any("channels 2 are titled 'DMT Modulus' too" in note for note in found.notes)


@pytest.mark.parametrize(
    ("channels", "height", "modulus", "words"),
    [
        ((ch("Height"),), "Hight", None, ("afm.height", "'Hight'", "'Height'")),
        ((ch("Height"), ch("E", "Pa")), None, "DMT", ("afm.modulus", "'DMT'", "'E' (Pa)")),
        ((ch("Height"), ch("Log", None)), None, "Log", ("afm.modulus", "pressure", "no unit")),
        ((ch("DMT Modulus", "Pa"), ch("Hertz Modulus", "Pa")), None, None, ("DMT", "Hertz", "modulus =")),
        ((ch(None, "Pa"), ch(None, "Pa")), None, None, ("'channel 0'", "'channel 1'")),
        ((ch("A"), ch("B")), None, None, ("afm.height", "'A'", "'B'")),
        ((ch("Force", "N"), ch("Plain", None)), None, None, ("height (unit m)", "'Force' (N)")),
    ],
)
def test_no_choice_is_a_clear_error(
    tmp_path: Path,
    channels: tuple[Channel, ...],
    height: str | None,
    modulus: str | None,
    words: tuple[str, ...],
) -> None:
    with pytest.raises(InputError) as told:
        chosen(tmp_path, *channels, height=height, modulus=modulus)
    assert all(word in str(told.value) for word in ("map.gwy", *words)), str(told.value)


def test_height_of_the_modulus_size_is_preferred(tmp_path: Path) -> None:
    large = Channel(values=np.zeros((4, 6)), title="Height Sensor")
    found = chosen(tmp_path, large, ch("Height"), ch("E", "Pa"))
    assert found.height is not None
    assert found.height.title == "Height"


@pytest.mark.parametrize(
    "other", [Channel(values=np.zeros((4, 6)), title="Height"), ch("Height", width=3e-6)]
)
def test_height_and_modulus_of_different_fields_are_refused(tmp_path: Path, other: Channel) -> None:
    with pytest.raises(InputError, match="same pixels"):
        chosen(tmp_path, other, ch("E", "Pa"))


def test_a_lateral_unit_that_is_no_length_is_refused(tmp_path: Path) -> None:
    gwy = read_gwy(write_channels(tmp_path / "a.gwy", {0: ch("Height", xy_unit="")}))
    with pytest.raises(InputError, match="lateral unit"):
        gwy.channels[0].grid(gwy.path)


def test_an_object_in_place_of_text_is_no_title(tmp_path: Path) -> None:
    path = tmp_path / "a.gwy"
    path.write_bytes(
        raw_file(component("/0/data/title", "o", obj("A")), component("/0/data", "o", raw_field()))
    )
    assert read_gwy(path).channels[0].name == "channel 0"
