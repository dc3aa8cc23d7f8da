"""What a modulus rests on, as the instrument wrote it down: tip, Poisson ratio, contact model."""

from __future__ import annotations

from collections.abc import Mapping

NAMES = {
    "Tip radius": ("tip radius", "tip-radius"),
    "Poisson ratio": ("sample poisson's ratio", "poisson ratio", "poisson's ratio", "poisson-ratio"),
    "Model": ("modulus fit model", "contact model", "contact mechanics model", "fit model"),
    "Spring constant": ("spring constant", "spring-constant", "cantilever spring constant"),
    "Tip half angle": ("tip half angle", "tip-half-angle"),
    "Peak force setpoint": ("peak force setpoint", "peakforce setpoint"),
    "Simulated": ("simulated",),
}
"""Name shown: names in files, in lower case (NanoScope's first, then JPK's and others')."""


def provenance_of_modulus(metadata: Mapping[str, str]) -> dict[str, str]:
    """What the notes of a channel say of the tip and the model, values as written, in a fixed order."""
    folded = {key.strip().casefold(): value.strip() for key, value in metadata.items()}
    found = {}
    for shown, keys in NAMES.items():
        value = next((folded[key] for key in keys if folded.get(key)), None)
        if value is not None:
            found[shown] = value
    return found
