"""What is known of an SEM image beside its lattice: pixel size, bar, view, particles, notes."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from analysis.records import Result, SemReduction
from app.figures import sem_image
from app.figures.sem_map import sizes_figure
from app.figures.theme import Scheme
from app.pages import instrument, parts

VIEW_TEXT = {
    "bottom": "seen from below (mirrored)",
    "top": "seen from above",
    "side": "seen from the side",
    "": "view not given",
}


def panels(result: Result, image: SemReduction, scheme: Scheme) -> list[Component]:
    """What is known of an image beside its lattice."""
    audit = [
        (source, f"{nm:.5g} nm", "used" if used else "not used")
        for source, nm, used in image.pixel_size_audit
    ]
    rows, cols = image.image.shape
    width, height = sem_image.size_um(image)
    ends = [
        (name, f"x {place[0]:.0f}, y {place[1]:.0f} nm")
        for name, place in (("edge", image.edge_nm), ("centre", image.center_nm))
        if place is not None
    ]
    about = [
        ("file", image.image_path),
        ("size", f"{cols} × {rows} px, {width:.3f} × {height:.3f} µm above the bar"),
        (
            "information bar",
            f"from row {image.bar_row}, {image.bar_source or 'as reduced'}"
            if image.bar_row < rows
            else "none",
        ),
        ("view", VIEW_TEXT.get(image.view, image.view)),
        *ends,
    ]
    return [
        instrument.facts("Pixel size: every source", ("source", "a pixel", ""), audit, testid="pixel-audit"),
        *_sizes(result, image, scheme),
        instrument.facts("Image", ("", ""), about, testid="sem-about"),
        instrument.listed(
            "Notes",
            [
                "SEM sees the layer that stays on the substrate; X-rays average through the thickness.",
                "1/δk is the spacing of lattice planes; ⟨a_SC⟩ is the mean of 1/(kᵢ sin γ).",
                *image.notes,
            ],
            nothing="",
        ),
    ]


def _sizes(result: Result, image: SemReduction, scheme: Scheme) -> list[Component]:
    """Edges of resolved particles, beside their size in solution."""
    sizes = image.sizes
    if sizes is None:
        return []
    whole = sizes.n + sizes.rejected
    in_solution = result.nanocrystal_size_nm
    rows = [
        ("mean", f"{sizes.mean_nm:.2f} nm"),
        ("spread (std)", f"{sizes.std_nm:.2f} nm"),
        ("median", f"{sizes.median_nm:.2f} nm"),
        (
            "particles",
            f"{sizes.n}, {sizes.polarity}; {100 * sizes.rejected / whole:.0f} % of {whole} rejected",
        ),
        *([("in solution", f"{in_solution[0]:g} ± {in_solution[1]:g} nm (spread)")] if in_solution else []),
    ]
    address = f"/csv/{result.sample_id}/sem/{image.index}/sizes.csv"
    link = instrument.file_link(address, "sem_sizes.csv", text="CSV", testid="csv-sem_sizes")
    return [
        instrument.facts("Particle edges", ("", ""), [*rows, ("table", link)], testid="particle-sizes"),
        parts.panel(
            "Distribution of edges",
            html.Div(
                parts.graph(
                    "sem-sizes", sizes_figure(image, scheme=scheme), label="Histogram of particle edges"
                ),
                className="sizes-box",
            ),
            class_name="facts-panel",
        ),
    ]
