"""``make bench``: time a frame, set-up and peak memory of Triptych and of two peers on the same frames."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.bench import afm, frames

TOML = """format = 1
title = "bench"
[xray]
frames = "scan_master.h5"
shape = [{rows}, {cols}]
step_um = [0.4, 0.4]
"""


def run_triptych(folder: Path, shape: tuple[int, int]) -> list[float]:
    """<a_SC> in nm of every frame by the product, two workers."""
    from analysis.io.sample_file import read_sample
    from analysis.pipeline.xray import reduce_xray

    toml = folder / "sample.toml"
    toml.write_text(TOML.format(rows=shape[0], cols=shape[1]), encoding="utf-8")
    block = read_sample(toml).xray[0]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = reduce_xray(
            block,
            index=0,
            folder=folder,
            workers=2,
            scratch=Path(scratch),
            nanocrystal_size_nm=None,
            progress=lambda _done, _total: None,
        )
    return [float(value) for value in made.maps["a_sc"].values.ravel()]


def run_one(who: str, folder: Path, shape: tuple[int, int]) -> None:
    """Run one contestant in this process and print what it took as JSON."""
    begin = time.perf_counter()
    if who == "triptych":
        found = run_triptych(folder, shape)
    else:
        from tests.bench import peers

        found = getattr(peers, who)(folder / "scan_master.h5", shape[0] * shape[1])
    seconds = time.perf_counter() - begin
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    memory = own + (2 * children if who == "tuned" else 0)
    print(json.dumps({"seconds": seconds, "mib": memory / 1024, "a_sc": found}))


def measure(who: str, folder: Path, shape: tuple[int, int]) -> dict[str, object]:
    """The same in a process of its own, so that set-up and memory are each contestant's own."""
    command = [sys.executable, "-m", "tests.bench", "--one", who, str(folder), str(shape[0]), str(shape[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(shape: tuple[int, int], *, photons: float, contestants: tuple[str, ...]) -> None:
    """Print one table for one scan."""
    count = shape[0] * shape[1]
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where) / "scan"
        truth = frames.write_scan(folder, shape=shape, photons=photons)
        measure("triptych", folder, shape)  # compiled kernels are cached from here on, as after an install
        taken = {who: measure(who, folder, shape) for who in contestants}
    base = float(taken["triptych"]["seconds"])
    print(f"\n{count} frames of {frames.SHAPE[0]} x {frames.SHAPE[1]}, {photons:g} photons a peak")
    print(f"{'':12}{'seconds':>9}{'ms/frame':>10}{'ratio':>8}{'MiB':>7}{'median |a - truth| nm':>24}")
    for who, row in taken.items():
        seconds = float(row["seconds"])
        off = np.nanmedian(np.abs(np.array(row["a_sc"], dtype=float) - truth))
        print(f"{who:12}{seconds:9.1f}{1e3 * seconds / count:10.2f}{seconds / base:8.1f}", end="")
        print(f"{row['mib']:7.0f}{off:24.5f}")


def real_file() -> Path | None:
    """A real AFM file of eight channels, where the folder of real files is at hand."""
    folder = os.environ.get("TRIPTYCH_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
    path = Path(folder) / "gwy" / "pfqnm_8_channels.gwy"
    return path if path.is_file() else None


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=4, metavar=("WHO", "FOLDER", "ROWS", "COLS"), help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, default=300, help="frames of the longest comparison with peers")
    parser.add_argument("--whole", action="store_true", help="also 61 x 61 frames, Triptych alone")
    options = parser.parse_args()
    if options.one:
        who, folder, rows, cols = options.one
        run_one(who, Path(folder), (int(rows), int(cols)))
        return
    side = max(2, int(np.sqrt(options.frames)))
    for shape, photons in (((10, 10), 1e4), ((side, side), 300.0)):
        compare(shape, photons=photons, contestants=("triptych", "tuned", "naive"))
    real = real_file()
    if real is not None:
        print()
        afm.main(real)
    if options.whole:
        compare((61, 61), photons=300.0, contestants=("triptych",))


if __name__ == "__main__":
    main()
