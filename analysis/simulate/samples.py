"""``python -m analysis.simulate.samples FOLDER``: writes the four small samples, one folder each."""

from __future__ import annotations

import sys
from pathlib import Path

from analysis.simulate.presets import PRESETS
from analysis.simulate.sample import simulate_sample


def write_samples(folder: Path) -> None:
    """Simulate every preset, small, into ``folder/<preset>``."""
    for preset in PRESETS:
        simulate_sample(folder / preset, preset=preset, scale="small")


def main(arguments: list[str]) -> int:
    """Run with the command's arguments; 2 on wrong usage."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m analysis.simulate.samples FOLDER\n")
        return 2
    write_samples(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
