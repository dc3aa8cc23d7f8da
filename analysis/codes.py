"""The codes that maps of status hold: a code is the index of its name."""

from __future__ import annotations

XRAY_STATUS = (
    "ok",
    "no_signal",
    "masked_peak",
    "no_convergence",
    "ambiguous_lattice",
    "partial_beam",
    "saturated",
    "frame_missing",
)
"""Codes of an X-ray point; its index is what maps of status hold. ``partial_beam`` carries values."""

PIXEL_VERDICTS = (
    "counted",
    "file_mask",
    "user_mask",
    "never_read",
    "hot",
    "flickering",
    "beamstop",
    "arm",
    "gap_edge",
    "outside_q",
)
"""Codes of a detector pixel of the small-angle region: counted, or the first reason why it is left out.

``file_mask``: masked by the frames' file (gaps, dead pixels); ``user_mask``: by ``xray.mask``;
``never_read``: the masked value in every frame; ``hot``: high in every frame; ``flickering``: jumps as none
of its neighbours do; ``beamstop`` and ``arm``: in the shadow of the beamstop and of what holds it;
``gap_edge``: beside a gap and counting otherwise; ``outside_q``: nearer to the beam or farther from it than
what is used.
"""

SEM_STATUS = ("ok", "no_peak", "few_periods", "undersampled", "ring", "bar")
"""Codes of an SEM region; ``few_periods``, ``undersampled`` and ``ring`` carry values."""

AFM_STATUS = ("ok", "outside", "edge", "clipped", "masked", "not_finite")
"""Codes of an AFM pixel."""

COORDINATES = ("rectangle", "distance", "ray", "depth")
"""The edge-to-centre coordinates that are offered; the first is the default, the last is in um."""
