"""Drawings burned into an image are found and filled; bright particles and dark voids are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sem.annotations import annotation_mask, without_annotations
from analysis.sem.region import Place, Scale, measure_region
from analysis.simulate.lettering import draw_text
from tests.sem import forward
from tests.sem.forward import square

SCALE = Scale(pixel_nm=1.0, relative_err=0.01)
PLACE = Place(label="all", row0=0, col0=0, size_px=256)


def lettered(image: np.ndarray) -> np.ndarray:
    """White letters in a row whose own period is 30 px, and a scale bar, over an image."""
    drawn = image.copy()
    for row in range(20, 240, 30):
        letters = np.zeros((16, 256), dtype=np.uint8)
        draw_text(letters, "IIIIII", row=1, col=8, scale=2)
        drawn[row : row + 16][letters > 0] = 255
    drawn[245:250, 100:220] = 255
    return drawn


def test_letters_and_bars_do_not_make_peaks() -> None:
    ground = forward.as_grey(np.full((256, 256), 0.3), rng=np.random.default_rng(1))
    assert measure_region(lettered(ground), PLACE, scale=SCALE).status == "no_peak"
    assert without_annotations(ground)[1] == 0


def test_an_array_under_letters_keeps_its_spacing() -> None:
    image = forward.array_image(square(11.3), (256, 256), seed=3)
    clean, drawn = (measure_region(one, PLACE, scale=SCALE) for one in (image, lettered(image)))
    assert (clean.annotated_px, drawn.status) == (0, "ok")
    assert drawn.annotated_px > 1000
    assert drawn.spacing_nm == pytest.approx(11.3, rel=3e-3)


def test_only_what_was_drawn_is_filled() -> None:
    image = forward.array_image(square(11.3), (256, 256), seed=3)
    shown = lettered(image)
    mask = annotation_mask(shown)
    assert mask is not None
    strokes = shown != image
    assert mask[strokes].all()
    assert mask.mean() < 6.0 * strokes.mean()
    filled, count = without_annotations(shown)
    assert count == mask.sum()
    assert np.array_equal(filled[~mask], shown[~mask])
    assert np.abs(filled[mask] - image.mean()).max() < 100.0


def test_a_black_bar_that_nothing_else_is_as_black_as_is_found() -> None:
    image = np.maximum(forward.array_image(square(11.3), (256, 256), seed=4), 40)
    image[200:206, 30:180] = 0
    mask = annotation_mask(image)
    assert mask is not None
    assert mask[200:206, 30:180].all()
    assert mask.sum() < 3 * 6 * 150


def test_overexposed_particles_and_voids_are_no_drawings() -> None:
    rng = np.random.default_rng(6)
    places = forward.sites(square(14.0), (256, 256))
    signal = forward.drawn(places, (256, 256), radius=3.4)
    bright = np.clip(40.0 + 330.0 * signal + rng.normal(0, 8, signal.shape), 0, 255).astype(np.uint8)
    assert (bright == 255).mean() > 0.02
    assert annotation_mask(bright) is None
    dark = forward.array_image(square(11.3), (256, 256), seed=4).astype(int)
    dark[60:160, 80:200] = rng.poisson(1.0, (100, 120))
    assert annotation_mask(dark.clip(0, 255).astype(np.uint8)) is None
