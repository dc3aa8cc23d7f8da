"""Outlines, the edge-to-centre coordinate, profiles along it and their comparison."""
