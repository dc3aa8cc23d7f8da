"""Atomic force microscopy: height and modulus on the crystal and along lines."""
