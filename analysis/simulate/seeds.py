"""Random streams: one generator for each thing that is drawn, so that the order of work does not matter."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What is drawn from a sample's seed."""

    LATTICE = 1
    FRAMES = 2
    BACKGROUND = 3
    SEM = 4
    AFM = 5


def generator(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """The generator of one thing: equal arguments give equal numbers, on any machine, in any order."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(stream), index])))
