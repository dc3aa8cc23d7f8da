"""Scanning electron microscopy: images to spacings by region."""
