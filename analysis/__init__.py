"""Reduction of X-ray nanodiffraction, SEM and AFM of nanocrystal supercrystals."""
