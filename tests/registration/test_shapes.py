"""Shapes along s: the one that made the map is found, and few values tell nothing."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.records import Array
from analysis.registration.shapes import shapes_along
from tests.registration.test_pixelwise import coordinate, noise

LAWS = {
    "constant": lambda s: np.full_like(s, 14.0),
    "straight": lambda s: 11.6 + 6.0 * s,
    "plateau": lambda s: 11.6 + 9.0 * np.minimum(s, 0.55),
    "step": lambda s: np.where(s > 0.45, 16.5, 12.0),
}


def made(name: str, seed: int, length: float) -> tuple[Array, Array]:
    s = coordinate(25)
    return LAWS[name](s) + 0.4 * noise(length, np.random.default_rng(seed), 25), s


@pytest.mark.parametrize("length", [0.0, 1.0])
@pytest.mark.parametrize("name", LAWS)
def test_the_shape_that_made_the_map_is_the_likeliest(name: str, length: float) -> None:
    found = [shapes_along(*made(name, seed, length))[0].name for seed in range(12)]
    assert found.count(name) >= 10


def test_the_parameters_are_those_of_the_law() -> None:
    plateau = shapes_along(*made("plateau", 1, 0.0))[0]
    assert plateau.parameters["place"] == pytest.approx(0.55, abs=0.03)
    assert plateau.parameters["level"] == pytest.approx(11.6, abs=0.1)
    step = shapes_along(*made("step", 1, 0.0))[0]
    assert 0.44 <= step.parameters["place"] <= 0.52  # no point lies between
    assert step.parameters["rise"] == pytest.approx(4.5, abs=0.1)


def test_weights_share_out_one_and_the_best_has_no_distance() -> None:
    found = shapes_along(*made("straight", 2, 1.0))
    assert sum(shape.weight for shape in found) == pytest.approx(1.0)
    assert found[0].delta == 0.0
    assert [shape.delta for shape in found] == sorted(shape.delta for shape in found)


def test_few_independent_values_tell_nothing() -> None:
    values, s = made("straight", 3, 0.0)
    few = np.where(np.arange(s.size).reshape(s.shape) % 80 == 0, values, np.nan)
    assert shapes_along(few, s) == ()
    centre = np.where(s > 0.8, values, np.nan)
    assert shapes_along(centre, s) == ()
