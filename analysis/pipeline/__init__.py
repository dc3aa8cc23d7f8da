"""Straight-line recipes from raw files to a result: one a modality, one for registration; no numerics."""
