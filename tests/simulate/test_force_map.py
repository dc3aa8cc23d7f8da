"""The force map: a Gwyddion file in base SI units, with the modulus and the height of the preset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.simulate.reading import Array, gwy, gwy_channel, rectangle_s, truth, truth_attributes

MODULUS_GPA = {"diffusion": (3.2, 1.3), "evaporation": (0.14, 0.07)}


def method(sample: Path) -> str:
    return sample.name.rsplit("-", 1)[1]


def channel(sample: Path, title: str) -> Array:
    container = gwy(sample)
    return np.array(container[f"/{gwy_channel(container, title)}/data"].data)


def test_channels_have_titles_units_and_one_grid(sample: Path) -> None:
    container = gwy(sample)
    for title, unit in (("Height Sensor", "m"), ("DMT Modulus", "Pa"), ("Adhesion", "N")):
        field = container[f"/{gwy_channel(container, title)}/data"]
        assert (field.si_unit_xy.unitstr, field.si_unit_z.unitstr) == ("m", unit)
        assert field.data.shape == (128, 128)
        assert field.xreal == pytest.approx(float(truth_attributes(sample, "afm/0")["field_um"]) * 1e-6)
        assert (field.xoff, field.yoff) != (0.0, 0.0)


def test_channel_numbers_neither_start_at_zero_everywhere_nor_follow_one_another(samples: Path) -> None:
    titles = ("Height Sensor", "DMT Modulus", "Adhesion")
    numbers = {
        sample.name: [gwy_channel(gwy(sample), title) for title in titles] for sample in samples.iterdir()
    }
    assert numbers["cspbbr3-diffusion"] == [1, 3, 4]
    assert min(min(each) for each in numbers.values()) == 0
    assert all(each[1] - each[0] == 2 for each in numbers.values())


def test_the_true_modulus_has_the_papers_mean_and_spread(sample: Path) -> None:
    mean, spread = MODULUS_GPA[method(sample)]
    modulus, inside = truth(sample, "afm/0/modulus_gpa"), truth(sample, "afm/0/inside")
    assert np.array_equal(np.isfinite(modulus), inside)
    assert modulus[inside].mean() == pytest.approx(mean, rel=0.03)
    assert modulus[inside].std() == pytest.approx(spread, rel=0.08)
    assert modulus[inside].min() > 0.0


def test_the_modulus_rises_toward_the_centre_after_diffusion_alone(sample: Path) -> None:
    s, modulus = truth(sample, "afm/0/s"), truth(sample, "afm/0/modulus_gpa")
    slope = np.polyfit(s[np.isfinite(s)], modulus[np.isfinite(s)], 1)[0]
    if method(sample) == "diffusion":
        assert slope == pytest.approx(5.4, rel=0.1)
    else:
        assert abs(slope) < 0.06


def test_the_measured_modulus_is_the_true_one_away_from_sides_and_spikes(sample: Path) -> None:
    measured, true, s = (
        channel(sample, "DMT Modulus") * 1e-9,
        truth(sample, "afm/0/modulus_gpa"),
        truth(sample, "afm/0/s"),
    )
    good = (s > 0.06) & (measured < 34.9)
    assert np.mean(measured[good]) == pytest.approx(np.mean(true[good]), rel=0.01)
    assert np.median(measured[good]) == pytest.approx(np.median(true[good]), rel=0.01)
    assert np.std(measured[good] / true[good]) == pytest.approx(0.03, rel=0.2)
    assert np.count_nonzero((s > 0.0) & (measured == measured.max())) == 12
    outside = np.isnan(s)
    assert np.median(measured[outside]) == pytest.approx(20.0, rel=0.1)


def test_the_height_stands_on_a_tilted_plane(sample: Path) -> None:
    height = channel(sample, "Height Sensor") * 1e9
    inside, true = truth(sample, "afm/0/inside"), truth(sample, "afm/0/height_nm")
    field_um = float(truth_attributes(sample, "afm/0")["field_um"])
    at = (np.arange(128) + 0.5) * field_um / 128
    x, y = np.meshgrid(at, at)
    far = rectangle_s(x, y, truth_attributes(sample, "afm/0")) < -0.05
    design = np.column_stack([x[far], y[far], np.ones(np.count_nonzero(far))])
    plane, *_ = np.linalg.lstsq(design, height[far], rcond=None)
    assert np.hypot(plane[0], plane[1]) > 10.0
    level = height - (plane[0] * x + plane[1] * y + plane[2])
    top = {"diffusion": 8000.0, "evaporation": 700.0}[method(sample)]
    assert np.median(level[inside]) == pytest.approx(top, rel=0.03)
    core = truth(sample, "afm/0/s") > 0.1
    assert np.std((level - true)[core]) < 8.0
    assert np.all(true[~inside] == 0.0)


def test_inside_and_s_are_the_turned_rectangles(sample: Path) -> None:
    attributes = truth_attributes(sample, "afm/0")
    at = (np.arange(128) + 0.5) * float(attributes["field_um"]) / 128
    x, y = np.meshgrid(at, at)
    expected = rectangle_s(x, y, attributes)
    assert np.array_equal(truth(sample, "afm/0/inside"), expected >= 0.0)
    inside = expected >= 0.0
    assert truth(sample, "afm/0/s")[inside] == pytest.approx(expected[inside], abs=2e-4)


def test_a_mask_and_a_line_are_saved(sample: Path) -> None:
    container = gwy(sample)
    modulus = gwy_channel(container, "DMT Modulus")
    mask = np.array(container[f"/{modulus}/mask"].data) > 0.5
    inside = truth(sample, "afm/0/inside")
    assert not np.any(mask & ~inside)
    assert 0.75 < mask.sum() / inside.sum() < 1.0
    x0, y0, x1, y1 = np.array(container[f"/{modulus}/select/line"]["data"]) * 1e6
    attributes = truth_attributes(sample, "afm/0")
    ends = rectangle_s(np.array([x0, x1]), np.array([y0, y1]), attributes)
    assert np.all((ends < 0.0) & (ends > -0.2))
    middle = rectangle_s(np.array(0.5 * (x0 + x1)), np.array(0.5 * (y0 + y1)), attributes)
    assert float(middle) == pytest.approx(1.0)


def test_the_instruments_notes_name_tip_and_model(sample: Path) -> None:
    container = gwy(sample)
    notes = container[f"/{gwy_channel(container, 'DMT Modulus')}/meta"]
    assert notes["Modulus Fit Model"] == "DMT"
    assert notes["Tip Radius"] == "8 nm"
    assert notes["Sample Poisson's Ratio"] == "0.3"
