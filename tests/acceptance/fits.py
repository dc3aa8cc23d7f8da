"""Print how X-ray fits do, all of them: ``python -m tests.acceptance.fits``."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace

import numpy as np

from analysis.xray.frame_kernels import STATUS
from tests.xray.lattice_frames import Lattice
from tests.xray.lattice_recovery import (
    QUANTITIES,
    cramer_rao,
    errors_and_stated,
    many_fits,
    one_frame_of_two,
    one_random_lattice,
    setup_with,
)

PHOTONS = (30.0, 60.0, 100.0, 300.0, 1e3, 1e4, 1e5)
EDGES = np.arange(-4.0, 4.5, 0.5)


def bound_and_pulls(number: int) -> None:
    """A line a quantity and a histogram of pulls for each number of photons a peak."""
    for photons in PHOTONS:
        lattice = replace(Lattice(), photons=(photons, photons))
        rows = many_fits(lattice, number, seed=int(photons))
        errors, stated = errors_and_stated(rows, lattice)
        print(f"\n{photons:g} photons a peak, {number} fits, {np.mean(rows[:, STATUS] == 0):.2%} ok")
        print(f"{'':8}{'rms/bound':>10}{'bias/bound':>11}{'covered':>9}   pulls in {EDGES[0]:g}, -3.5 ... 4")
        for name, error, sigma, least in zip(QUANTITIES, errors, stated, cramer_rao(lattice), strict=True):
            pull = error / sigma
            bars = " ".join(f"{count}" for count in np.histogram(pull, EDGES)[0])
            rms, bias = np.sqrt(np.mean(error**2)) / least, np.mean(error) / least
            print(f"{name:8}{rms:10.3f}{bias:11.3f}{np.mean(np.abs(pull) < 1):9.3f}   {bars}")


def random_lattices(number: int) -> None:
    """Statuses of random reduced lattices, those near 60 or 120 degrees apart."""
    made: Counter[str] = Counter()
    for place in range(number):
        lattice, status = one_random_lattice(place)
        leaning = " (gamma near 60 or 120)" if not 66.0 <= lattice.gamma <= 114.0 else ""
        made[status + leaning] += 1
    print(f"\n{number} random lattices at 300 photons a peak, one peak under a gap")
    print("\n".join(f"  {count:6d}  {status}" for status, count in sorted(made.items())))


def frames_of_two(number: int) -> None:
    """Statuses of frames with two domains; ``wrong`` is ok and neither."""
    setup = setup_with()
    made = Counter(one_frame_of_two(place, setup) for place in range(number))
    print(f"\n{number} frames with two domains")
    print("\n".join(f"  {count:6d}  {status}" for status, count in sorted(made.items())))


def main() -> None:
    """Parse the command line and run all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=2000, help="fits for each number of photons")
    parser.add_argument("--lattices", type=int, default=10000)
    parser.add_argument("--pairs", type=int, default=1000)
    options = parser.parse_args()
    bound_and_pulls(options.fits)
    random_lattices(options.lattices)
    frames_of_two(options.pairs)


if __name__ == "__main__":
    main()
