"""What is told of an image beside its numbers: the pixel size, the view, distortion, what was left out."""

from __future__ import annotations

from analysis.io.sample_file import SemBlock
from analysis.io.sem_tiff import ChosenSize, MicrographHeader
from analysis.records import SemReduction
from analysis.sem.distortion import common_distortion

CALIBRATED_ERR = 0.01
NOMINAL_ERR = 0.05
"""Assumed relative 1 sigma of a pixel size, as calibrated and as computed from a magnification."""

DISAGREEMENT_TOLD = 0.02
SEEN = {"bottom": "the layer seen from below (mirrored)", "top": "the layer seen from above"}


def relative_err(size: ChosenSize) -> float:
    """Relative 1 sigma of the pixel size: assumed, or the disagreement of the file's own statements."""
    return max(NOMINAL_ERR if size.nominal else CALIBRATED_ERR, size.disagreement)


def size_notes(size: ChosenSize) -> list[str]:
    """Warnings about the pixel size."""
    notes = []
    if size.nominal:
        notes.append("the pixel size is nominal: computed from the magnification")
    if size.disagreement > DISAGREEMENT_TOLD:
        notes.append(f"the statements of the pixel size disagree by {100 * size.disagreement:.1f} %")
    return notes


def sem_notes(
    block: SemBlock, header: MicrographHeader, size: ChosenSize, found: SemReduction
) -> tuple[str, ...]:
    """All notes of one image, in order."""
    notes = size_notes(size)
    notes.append(
        f"pixel-size error of {100 * relative_err(size):.2g} % assumed (1 sigma, common to all regions)"
    )
    if header.pages > 1:
        notes.append(f"the first of {header.pages} pages was read")
    if block.view in SEEN:
        notes.append(SEEN[block.view])
    if block.view == "side":
        notes.append(_facet_note(block))
    if block.edge_nm is not None:
        notes.append("s of a region is its centre's projection on edge to centre, s_err its windowed extent")
    distortion = common_distortion(found.regions)
    if distortion is not None and distortion.is_clear:
        notes.append(distortion.sentence())
    return (*notes, *_counts(found))


def _facet_note(block: SemBlock) -> str:
    if not block.tilt_deg:
        return "a facet seen from the side, taken as square to the beam: give tilt_deg where it is not"
    return (
        f"a facet seen at {block.tilt_deg:g} degrees about an axis {block.tilt_axis_deg:g} degrees from +x: "
        "lengths are those on the facet"
    )


def _counts(found: SemReduction) -> list[str]:
    notes = []
    failed = sum(region.status in ("no_peak", "bar") for region in found.regions)
    if failed:
        notes.append(f"{failed} of {len(found.regions)} regions have no value")
    drawn = [region.label for region in found.regions if region.annotated_px]
    if drawn:
        notes.append(f"drawings burned into the image were filled in: regions {', '.join(drawn[:8])}")
    if not found.maps:
        notes.append("no map: no lattice in any probe, an image too small for one, or map = false")
    if found.sizes is not None:
        whole = found.sizes.n + found.sizes.rejected
        notes.append(
            f"particle edges from {found.sizes.n} of {whole} segmented objects "
            f"({100 * found.sizes.rejected / whole:.0f} % rejected for their shape)"
        )
    return notes
