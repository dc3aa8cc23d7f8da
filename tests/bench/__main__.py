"""``make bench``: Triptych and two peers on the same frames: a frame, set-up, peak memory, agreement.

The peers' time a frame is taken from ``--peer-frames`` frames; their whole scans are set-up plus that times
the number of frames, since they go frame by frame. Triptych is timed on every length as the whole command,
result file included. Each contestant runs in a process of its own, one after the other.
Processor time a frame is told beside the clock's, for machines that others use too; on 100 frames Triptych's
includes the loading of its compiled kernels.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.bench import frames

TOML = """format = 1
title = "bench"
[xray]
frames = "scan_master.h5"
shape = [{rows}, {cols}]
step_um = [0.4, 0.4]
waxs = {waxs}
"""
SHAPES = ((10, 10), (15, 20), (61, 61))


@dataclass(frozen=True)
class Taken:
    """Seconds before the first frame, ms a frame by the clock and of processor time, seconds in all, peak
    memory in MiB, <a_SC> and its error."""

    setup_s: float
    frame_ms: float
    cpu_ms: float
    whole_s: float
    mib: float
    a_sc_nm: np.ndarray
    a_sc_err_nm: np.ndarray

    def for_frames(self, count: int) -> float:
        """Seconds that so many frames take."""
        return self.setup_s + 1e-3 * self.frame_ms * count


def run_triptych(folder: Path) -> dict[str, object]:
    """The whole command with two workers."""
    from analysis.io.results import read_result
    from analysis.pipeline.sample import reduce_sample

    marks: dict[bool, tuple[float, float]] = {}

    def note(what: str, done: int, total: int) -> None:
        if what == "X-ray" and done in (0, total):
            marks[done == total] = time.time(), time.process_time()

    outcome = reduce_sample(folder, out=folder / "out", workers=2, force=True, progress=note)
    last = time.time()
    made = read_result(outcome.path).xray[0].maps["a_sc"]
    return {
        "first": marks[False][0],
        "frames": marks[True][0],
        "cpu": marks[True][1] - marks[False][1],
        "last": last,
        "a_sc": [float(value) for value in made.values.ravel()],
        "a_sc_err": [float(value) for value in made.errors.ravel()],
    }


def run_one(who: str, folder: Path, count: int, waxs: bool) -> None:
    """Run one contestant in this process and print what it took as JSON."""
    if who == "triptych":
        found = run_triptych(folder)
    else:
        from tests.bench import peers

        run = getattr(peers, who)(folder / "scan_master.h5", count, waxs)
        found = {"first": run.first, "frames": run.last, "last": run.last, "cpu": run.cpu_s}
        found["a_sc"], found["a_sc_err"] = zip(*run.a_sc_nm, strict=True)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    found["mib"] = (own + (2 * children if who == "tuned" else 0)) / 1024
    print(json.dumps(found))


def measure(who: str, folder: Path, count: int, *, waxs: bool) -> Taken:
    """The same in a process of its own, so that set-up and memory are each contestant's own."""
    command = [sys.executable, "-m", "tests.bench", "--one", who, str(folder), str(count), str(int(waxs))]
    begin = time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{who}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    seen = count if who == "triptych" else count - 1
    return Taken(
        setup_s=found["first"] - begin,
        frame_ms=1e3 * (found["frames"] - found["first"]) / seen,
        cpu_ms=1e3 * found["cpu"] / (count - {"triptych": 0, "naive": 1, "tuned": 2}[who]),
        whole_s=found["last"] - begin,
        mib=found["mib"],
        a_sc_nm=np.array(found["a_sc"], dtype=float),
        a_sc_err_nm=np.array(found["a_sc_err"], dtype=float),
    )


def _folder(root: Path, drawn: frames.Drawn, shape: tuple[int, int], *, waxs: bool) -> Path:
    """A sample of one scan; frames are shared between the two kinds of run."""
    folder = root / f"scan_{shape[0] * shape[1]}"
    if not folder.exists():
        frames.write_scan(folder, drawn, shape[0] * shape[1])
    text = TOML.format(rows=shape[0], cols=shape[1], waxs=str(waxs).lower())
    (folder / "sample.toml").write_text(text, encoding="utf-8")
    return folder


def compare(
    root: Path, drawn: frames.Drawn, shapes: tuple[tuple[int, int], ...], *, waxs: bool, peer_frames: int
) -> None:
    """Print the table of one kind of run."""
    first = _folder(root, drawn, shapes[0], waxs=waxs)
    count = shapes[0][0] * shapes[0][1]
    measure(
        "triptych", first, count, waxs=waxs
    )  # compiled kernels are kept from here on, as after an install
    peers = {who: measure(who, first, min(peer_frames, count), waxs=waxs) for who in ("naive", "tuned")}
    title = "SAXS + WAXS" if waxs else "SAXS with fits"
    print(f"\n{title}, frames of {frames.SHAPE[0]} x {frames.SHAPE[1]}, 2 workers")
    head = ("frames", "who", "set-up s", "ms/frame", "ratio", "CPU ms", "ratio", "whole s", "ratio", "MiB")
    print(("{:>7} {:9}" + "{:>10}" * 8).format(*head))
    for shape in shapes:
        count = shape[0] * shape[1]
        own = measure("triptych", _folder(root, drawn, shape, waxs=waxs), count, waxs=waxs)
        print(_line(count, "triptych", own, own.whole_s, own))
        for who, taken in peers.items():
            print(_line(count, who, taken, taken.for_frames(count), own), flush=True)
        if shape == shapes[0]:
            _agreement(own, peers, drawn.truth(count))


def _line(count: int, who: str, taken: Taken, whole_s: float, own: Taken) -> str:
    frame, whole = taken.frame_ms / own.frame_ms, whole_s / own.whole_s
    cpu = taken.cpu_ms / own.cpu_ms
    return (
        f"{count:7d} {who:9}{taken.setup_s:10.2f}{taken.frame_ms:10.2f}{frame:10.1f}"
        f"{taken.cpu_ms:10.2f}{cpu:10.1f}{whole_s:10.1f}{whole:10.1f}{taken.mib:10.0f}"
    )


def _agreement(own: Taken, peers: dict[str, Taken], truth: np.ndarray) -> None:
    """Whether <a_SC> of all agree: the median difference within 1 sigma of the difference of two frames.

    Triptych's sigma is what it says; a peer's is its scatter about the truth, since its bins share pixels.
    """
    pull = (own.a_sc_nm - truth) / own.a_sc_err_nm
    ok = np.isfinite(pull)
    print(f"        triptych: {ok.mean():.0%} fitted, pull {pull[ok].mean():+.2f} +- {pull[ok].std():.2f}")
    for who, taken in peers.items():
        n = taken.a_sc_nm.size
        middle = float(np.nanmedian(taken.a_sc_nm - own.a_sc_nm[:n]))
        scatter = np.nanstd(taken.a_sc_nm - truth[:n])
        sigma = float(np.hypot(scatter, np.nanmedian(own.a_sc_err_nm)))
        off = [float(np.sqrt(np.nanmean((a[:n] - truth[:n]) ** 2))) for a in (taken.a_sc_nm, own.a_sc_nm)]
        verdict = "agrees" if abs(middle) < sigma else "DISAGREES"
        print(
            f"        {who}: <a_SC> {verdict}, {middle:+.5f} nm with sigma {sigma:.5f}; "
            f"rms from truth {off[0]:.5f} nm, Triptych's {off[1]:.5f}"
        )


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--peer-frames", type=int, default=60, help="frames that the peers are timed on")
    parser.add_argument("--photons", type=float, default=1e4, help="photons in each first-order peak")
    parser.add_argument("--short", action="store_true", help="no scan of 61 x 61 (it takes 5 GB of disk)")
    parser.add_argument("--only", choices=("saxs", "waxs"), help="one kind of run")
    options = parser.parse_args()
    if options.one:
        who, folder, count, waxs = options.one
        run_one(who, Path(folder), int(count), waxs == "1")
        return
    shapes = SHAPES[:2] if options.short else SHAPES
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as where:
        drawn = frames.draw(photons=options.photons, different=48)
        for waxs in (False, True):
            if options.only in (None, "waxs" if waxs else "saxs"):
                compare(Path(where), drawn, shapes, waxs=waxs, peer_frames=options.peer_frames)


if __name__ == "__main__":
    main()
