"""From a Gwyddion file to a reduction: simulated crystals with their truth, real files, every refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gwyfile.objects import GwyObject

from analysis.errors import InputError
from analysis.io.gwy import read_gwy
from analysis.io.sample_file import AfmBlock
from analysis.pipeline.afm import afm_inputs, check_afm, reduce_afm
from analysis.records import AFM_STATUS, AfmReduction
from analysis.simulate.afm import AfmField, afm_field
from analysis.simulate.gwy_file import write_gwy
from analysis.simulate.presets import PRESETS
from tests.afm.gwy_files import Channel, selection, write_channels
from tests.afm.made_fields import Block

OUTSIDE, OK = AFM_STATUS.index("outside"), AFM_STATUS.index("ok")
PIXEL_NM = 50.0


def block_file(folder: Path, *, lines: tuple[tuple[float, ...], ...] = (), mask: bool = False) -> Block:
    """A block of 800 nm with 2 GPa on stiff ground: 72 x 96 pixels of 50 nm."""
    block = Block(tilt=(900.0, -700.0), noise=2.0)
    rng = np.random.default_rng(6)
    modulus = np.where(block.inside(), 2e9, 2e10) * rng.lognormal(0.0, 0.1, block.shape)
    size = {"width": 96 * PIXEL_NM * 1e-9, "height": 72 * PIXEL_NM * 1e-9}
    saved = block.inside() if mask else None
    write_channels(
        folder / "map.gwy",
        {
            4: Channel(values=block.measured() * 1e-9, title="Height Sensor", lines=lines, **size),
            7: Channel(values=modulus, title="DMT Modulus", unit="Pa", mask=saved, lines=lines, **size),
        },
    )
    return block


def reduced(folder: Path, **keys: object) -> AfmReduction:
    return reduce_afm(AfmBlock.model_validate({"file": "map.gwy", **keys}), index=0, folder=folder)


@pytest.fixture(scope="module", params=PRESETS)
def simulated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[AfmField, Path]:
    folder = tmp_path_factory.mktemp("afm")
    preset = PRESETS[request.param].afm
    field = afm_field(preset, 128, np.random.default_rng(20))
    write_gwy(folder / "map.gwy", field, first_channel=preset.first_channel)
    return field, folder


def test_modulus_and_height_of_simulated_crystals_come_back(simulated: tuple[AfmField, Path]) -> None:
    field, folder = simulated
    found = reduced(folder)
    true = field.true_modulus_gpa[field.inside]
    statistics = found.statistics
    assert statistics["modulus_mean"].value == pytest.approx(true.mean(), rel=0.05)
    assert statistics["modulus_median"].value == pytest.approx(np.median(true), rel=0.05)
    assert statistics["modulus_std"].value == pytest.approx(true.std(), rel=0.08)
    top = field.true_height_nm[field.inside].mean()
    assert statistics["height_mean"].value == pytest.approx(top, rel=0.002)
    assert ((found.status != OUTSIDE) != field.inside).sum() <= 5
    assert found.excluded["clipped"] == 12
    assert statistics["modulus_mean"].n == (found.status == OK).sum() > 0.93 * field.inside.sum()


def test_saved_line_of_a_simulated_crystal_is_sampled_both_ways(simulated: tuple[AfmField, Path]) -> None:
    field, folder = simulated
    found = reduced(folder)
    assert [(line.name, line.source, line.convention) for line in found.lines] == [
        ("line 1", "gwy", "gwyddion"),
        ("line 1", "gwy", "exact"),
    ]
    for line in found.lines:
        np.testing.assert_allclose(line.ends_um, field.line_um(), atol=1e-9)
        middle = line.height_nm[line.height_nm.size // 2]
        assert middle == pytest.approx(field.true_height_nm[field.inside].mean(), rel=0.05)
        assert abs(line.height_nm[0]) < 0.03 * middle


def test_provenance_and_steps_are_told(simulated: tuple[AfmField, Path]) -> None:
    found = reduced(simulated[1])
    assert found.metadata["Tip radius"] == "8 nm"
    assert found.metadata["Poisson ratio"] == "0.3"
    assert found.metadata["Model"] == "DMT"
    assert found.metadata["Spring constant"] == "200 N/m"
    assert (found.height_title, found.modulus_title) == ("Height Sensor", "DMT Modulus")
    assert "crystal" in found.steps[-2]
    assert "plane" in found.steps[-1]


def test_maps_are_in_nm_and_gpa_over_the_ground(tmp_path: Path) -> None:
    block = block_file(tmp_path)
    found = reduced(tmp_path)
    np.testing.assert_allclose(found.height_nm, block.top(), atol=12.0)
    assert np.median(found.modulus_gpa[block.inside()]) == pytest.approx(2.0, rel=0.02)
    np.testing.assert_allclose(found.grid.cell_um, (0.05, 0.05))
    assert found.grid.shape == block.shape
    assert found.status[0, 0] == OUTSIDE
    assert found.status[37, 45] == OK


def test_the_flanks_are_edge(tmp_path: Path) -> None:
    block = block_file(tmp_path)
    found = reduced(tmp_path)
    edge = found.status == AFM_STATUS.index("edge")
    assert found.excluded["edge"] == edge.sum() > 150
    assert not edge[~block.inside()].any()
    assert (found.status == OK).sum() + edge.sum() == block.inside().sum()


def test_mask_from_the_file_is_the_crystal(tmp_path: Path) -> None:
    block = block_file(tmp_path, mask=True)
    found = reduced(tmp_path, mask="file")
    np.testing.assert_array_equal(found.status != OUTSIDE, block.inside())
    np.testing.assert_allclose(found.height_nm, block.top(), atol=12.0)
    assert any("channel 7 'DMT Modulus'" in step for step in found.steps)


def test_a_mask_of_the_whole_field_counts_every_pixel(tmp_path: Path) -> None:
    block_file(tmp_path)
    found = reduced(tmp_path, mask="none")
    assert (found.status == OK).all()
    assert any("mean plane" in note for note in found.notes)


def test_lines_saved_twice_are_one_and_configured_ones_follow(tmp_path: Path) -> None:
    block_file(tmp_path, lines=((1e-6, 1e-6, 3e-6, 2e-6),))
    found = reduced(tmp_path, lines_um=[(0.5, 0.5, 4.0, 3.0)])
    assert [(line.name, line.source) for line in found.lines[::2]] == [
        ("line 1", "gwy"),
        ("line 2", "config"),
    ]
    assert found.lines[2].ends_um == (0.5, 0.5, 4.0, 3.0)
    assert {line.thickness_px for line in found.lines} == {1}
    for line in found.lines:
        assert line.height_nm.size == line.modulus_gpa.size == line.distance_um.size


def test_saved_lines_out_of_the_field_are_left_out_and_told(tmp_path: Path) -> None:
    block_file(tmp_path, lines=((1e-6, 1e-6, 9e-6, 2e-6),))
    found = reduced(tmp_path)
    assert found.lines == ()
    assert any("out of the field" in note for note in found.notes)


def test_height_alone_is_reduced_with_a_note(tmp_path: Path) -> None:
    block = Block(noise=2.0)
    write_channels(tmp_path / "map.gwy", {0: Channel(values=block.measured() * 1e-9, title="Height")})
    found = reduced(tmp_path)
    assert set(found.statistics) == {"height_mean"}
    assert found.statistics["height_mean"].value == pytest.approx(800.0, rel=0.01)
    assert np.isnan(found.modulus_gpa).all()
    assert found.modulus_title == ""
    assert any("no modulus" in note for note in found.notes)


def test_modulus_alone_is_reduced_where_the_mask_needs_no_height(tmp_path: Path) -> None:
    modulus = np.random.default_rng(0).lognormal(21, 0.1, (30, 40))
    write_channels(tmp_path / "map.gwy", {0: Channel(values=modulus, title="E", unit="Pa")})
    found = reduced(tmp_path, mask="none")
    assert found.statistics["modulus_mean"].value == pytest.approx(modulus.mean() * 1e-9)
    assert np.isnan(found.height_nm).all()
    with pytest.raises(InputError, match='mask = "none"'):
        reduced(tmp_path)


def test_missing_pixels_are_not_finite(tmp_path: Path) -> None:
    modulus = np.random.default_rng(0).lognormal(21, 0.1, (30, 40))
    modulus[3, 4:9] = np.nan
    write_channels(tmp_path / "map.gwy", {0: Channel(values=modulus, title="E", unit="Pa")})
    found = reduced(tmp_path, mask="none")
    assert found.excluded["not_finite"] == 5
    assert np.isfinite(found.statistics["modulus_mean"].value)


@pytest.mark.real
def test_real_modulus_has_its_known_median(real_data: Path) -> None:
    block = AfmBlock(file="gwy/pfqnm_8_channels.gwy", mask="none")
    found = reduce_afm(block, index=0, folder=real_data)
    assert found.modulus_title == "Stiffness"
    assert round(found.statistics["modulus_median"].value, 3) == 0.268
    assert found.excluded["clipped"] == 10
    assert found.excluded["edge"] == 0
    assert found.metadata["Poisson ratio"] == "0.3"
    assert found.metadata["Tip radius"] == "1.5"
    assert found.metadata["Model"] == "Hertzian (Spherical)"
    assert found.grid.cell_um[0] * 512 == pytest.approx(0.433594)


@pytest.mark.real
def test_check_tells_channels_units_lines_and_graphs(real_data: Path) -> None:
    report = "\n".join(
        check_afm(AfmBlock(file="gwy/profile-interpolation.gwy", mask="none"), folder=real_data)
    )
    for words in ("'Height', unit m, 8 x 6 px, 1 line", "line 1 (gwy)", "'Round, natural'", "no modulus"):
        assert words in report


def test_check_tells_what_is_used_and_why(tmp_path: Path) -> None:
    block_file(tmp_path, mask=True)
    report = "\n".join(check_afm(AfmBlock(file="map.gwy", mask="file"), folder=tmp_path))
    for words in (
        "2 channels",
        "channel 7: 'DMT Modulus', unit Pa, 96 x 72 px, mask",
        "modulus from channel 7 'DMT Modulus', by unit Pa and title",
        "pixels of 50 x 50 nm",
        "crystal: the mask saved with channel 7",
    ):
        assert words in report


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"file": "absent.gwy"}, ("absent.gwy", "afm.file")),
        ({"height": "Hight"}, ("afm.height", "'Hight'", "'Height Sensor'", "'DMT Modulus'")),
        ({"modulus": "Stiffness"}, ("afm.modulus", "'Stiffness'", "'DMT Modulus'")),
        ({"mask": "file"}, ("afm.mask", "saved")),
        ({"lines_um": [(0.1, 0.1, 4.9, 1.0)]}, ("lines_um.0", "0 and 4.8 um", "4.9")),
    ],
)
def test_what_does_not_fit_is_refused_by_check_and_reduce(
    tmp_path: Path, keys: dict[str, object], words: tuple[str, ...]
) -> None:
    block_file(tmp_path)
    block = AfmBlock.model_validate({"file": "map.gwy", **keys})
    for call in (check_afm, lambda block, folder: reduce_afm(block, index=0, folder=folder)):
        with pytest.raises(InputError) as told:
            call(block, folder=tmp_path)
        assert all(word in str(told.value) for word in words), str(told.value)


def test_a_field_without_a_crystal_is_refused_with_the_remedy(tmp_path: Path) -> None:
    rough = np.random.default_rng(0).normal(0, 1e-9, (40, 40))
    write_channels(tmp_path / "map.gwy", {0: Channel(values=rough, title="Height")})
    with pytest.raises(InputError, match='mask = "none"'):
        reduced(tmp_path)


def test_a_crystal_of_which_nothing_counts_is_refused(tmp_path: Path) -> None:
    values = np.full((4, 4), np.nan)
    write_channels(tmp_path / "map.gwy", {0: Channel(values=values, title="Height")})
    with pytest.raises(InputError, match="16 not_finite"):
        reduced(tmp_path, mask="none")


def test_inputs_are_the_one_file(tmp_path: Path) -> None:
    block_file(tmp_path)
    assert afm_inputs(AfmBlock(file="map.gwy"), folder=tmp_path) == [tmp_path / "map.gwy"]


def test_corrections_are_asked_for_in_the_sample_file_and_told_in_order(tmp_path: Path) -> None:
    block = Block(tilt=(900.0, -700.0), noise=2.0)
    height = block.measured() + np.random.default_rng(3).normal(0, 15.0, block.shape[0])[:, None]
    height[5, 20:70] += 400.0
    size = {"width": 96 * PIXEL_NM * 1e-9, "height": 72 * PIXEL_NM * 1e-9}
    modulus = np.random.default_rng(0).lognormal(21, 0.1, block.shape)
    write_channels(
        tmp_path / "map.gwy",
        {
            0: Channel(values=height * 1e-9, title="Height", **size),
            1: Channel(values=modulus, title="E", unit="Pa", **size),
        },
    )
    keys = {
        "remove_scars": True,
        "align_rows": "median",
        "levelling": "polynomial",
        "polynomial_degree": 1,
        "remove_outliers": True,
        "lines_um": [(0.5, 0.5, 4.0, 3.0)],
        "line_thickness_px": 3,
    }
    found = reduced(tmp_path, **keys)
    told = [step.split(":")[0] for step in found.steps[2:]]
    assert told[0] == "scars"
    assert told[1].startswith("rows aligned by their medians")
    assert told[3] == "polynomial of degree 1 through the ground around it subtracted"
    assert told[4].startswith("outliers")
    np.testing.assert_allclose(np.median(found.height_nm[block.inside()]), 800.0, atol=3.0)
    assert np.abs(found.height_nm[~block.inside() & (found.status == OUTSIDE)]).max() < 25.0
    assert {line.thickness_px for line in found.lines} == {3}
    report = "\n".join(check_afm(AfmBlock.model_validate({"file": "map.gwy", **keys}), folder=tmp_path))
    assert (
        "height: scars filled, then rows aligned (median), then levelled by polynomial of degree 1, "
        "then outliers filled"
    ) in report


def test_what_was_filled_in_does_not_count(tmp_path: Path) -> None:
    height = np.random.default_rng(0).normal(0, 1e-9, (60, 80))
    modulus = np.random.default_rng(1).lognormal(21, 0.1, (60, 80))
    height[30, 10:50] += 60e-9
    write_channels(
        tmp_path / "map.gwy",
        {0: Channel(values=height, title="Height"), 1: Channel(values=modulus, title="E", unit="Pa")},
    )
    found = reduced(tmp_path, mask="none", remove_scars=True)
    assert found.excluded["masked"] == 40
    assert np.abs(found.height_nm[30]).max() < 5.0


def test_an_empty_unit_is_what_the_sample_file_says(tmp_path: Path) -> None:
    modulus = np.random.default_rng(0).lognormal(0, 0.1, (30, 40))
    write_channels(tmp_path / "map.gwy", {0: Channel(values=modulus, title="E", unit="")})
    found = reduced(tmp_path, mask="none", modulus="E", modulus_unit="GPa")
    assert found.statistics["modulus_mean"].value == pytest.approx(modulus.mean())
    with pytest.raises(InputError, match="modulus_unit"):
        reduced(tmp_path, mask="none", modulus="E")


def test_contents_tell_what_else_the_file_holds(tmp_path: Path) -> None:
    size = dict.fromkeys(("xres", "yres", "zres"), 4)
    brick = GwyObject("GwyBrick", size, dict.fromkeys(size, "i"))
    spectra = GwyObject(
        "GwySpectra", {"title": "F-d", "data": [GwyObject("GwyDataLine")] * 3}, {"title": "s", "data": "O"}
    )
    modulus = np.random.default_rng(0).lognormal(21, 0.1, (30, 40))
    write_channels(
        tmp_path / "map.gwy",
        {3: Channel(values=modulus, title="E", unit="Pa", lines=((0, 0, 1e-6, 1e-6),))},
        {
            "/brick/0": brick,
            "/brick/0/title": "Force volume",
            "/sps/2": spectra,
            "/3/select/point": selection("GwySelectionPoint", [(0, 0)]),
            "/3/data/log": GwyObject("GwyStringList", {"strings": ["level()"]}, {"strings": "S"}),
        },
    )
    found = reduced(tmp_path, mask="none")
    assert found.contents == (
        "channel 3: 'E', unit Pa, 40 x 30 px, 1 line, 1 point, 1 step in its log",
        "volume data 0 'Force volume', 4 x 4 x 4, not used",
        "spectra 2 'F-d', 3 curves, not used",
    )


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pfqnm_8_channels.gwy", ("channel 2: 'Stiffness', unit Pa, 512 x 512 px", "unit not stated")),
        (
            "profile-interpolation.gwy",
            (
                "1 line",
                "'Key interpolation, high resolution' of 48 points",
                "graph 4",
            ),
        ),
    ],
)
def test_check_audits_real_files(real_data: Path, name: str, words: tuple[str, ...]) -> None:
    report = "\n".join(check_afm(AfmBlock(file=f"gwy/{name}", mask="none"), folder=real_data))
    assert all(word in report for word in words), report


@pytest.mark.real
def test_every_channel_of_the_real_file_has_its_known_values(real_data: Path) -> None:
    gwy = read_gwy(real_data / "gwy" / "pfqnm_8_channels.gwy")
    assert [channel.shape for channel in gwy.channels] == [(512, 512)] * 8
    assert {channel.offset for channel in gwy.channels} == {(0.0, 0.0)}
    stiffness = gwy.channels[2]
    assert (stiffness.title, stiffness.unit) == ("Stiffness", "Pa")
    gpa = stiffness.modulus_gpa()
    found = [round(float(number), 3) for number in (gpa.mean(), gpa.std(), np.median(gpa))]
    assert found == [0.341, 0.408, 0.268]
    assert round(float(np.percentile(gpa, 99)), 2) == 1.16
    assert round(float(gpa.max())) == 35
    assert (gpa == gpa.max()).sum() == 8
    assert (gwy.channels[3].title, gwy.channels[3].unit) == ("LogStiffness", "")
    assert (gwy.channels[7].title, gwy.channels[7].unit) == ("Height", "m")
    assert len(stiffness.metadata) == pytest.approx(837, abs=5)
    assert stiffness.metadata["X Offset"].startswith("283.203")
    tiny = read_gwy(real_data / "gwy" / "gwyfile_test.gwy").channels
    assert [(channel.shape, channel.unit) for channel in tiny] == [((128, 128), "")]
