"""The forward simulation: truth first, then raw files as the instruments write them.

It shares nothing with the analysis but :mod:`analysis.units`, so that what the analysis recovers from these
files is a test of it.
"""

from analysis.simulate.presets import DEFAULT_PRESET, PRESETS, Preset
from analysis.simulate.sample import Scale, simulate_sample

__all__ = ["DEFAULT_PRESET", "PRESETS", "Preset", "Scale", "simulate_sample"]
