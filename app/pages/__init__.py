"""Dash pages: layouts and short callbacks."""
