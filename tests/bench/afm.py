"""How long reading and reducing one AFM file takes: ``python -m tests.bench.afm FILE.gwy``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from analysis.io.afm_formats import read_afm
from analysis.io.sample_file import AfmBlock
from analysis.pipeline.afm import reduce_afm


def best_of(times: int, work: Callable[[], object]) -> float:
    """The shortest of several runs in seconds."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def main(path: Path) -> None:
    """Print one row for reading and one for the whole field reduced."""
    block = AfmBlock(file=path.name, mask="none")
    size = f"{path.name}, {path.stat().st_size / 1e6:.1f} MB"
    print(f"read {size}: {best_of(5, lambda: read_afm(path)):.3f} s")
    whole = best_of(3, lambda: reduce_afm(block, index=0, folder=path.parent))
    print(f"reduce {size}: {whole:.3f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
