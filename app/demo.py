"""The demonstration: the paper's four samples, simulated, reduced and served."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from analysis.errors import TriptychError

PRESET_ORDER = ("cspbbr3-diffusion", "cspbbr3-evaporation", "cspbbr2cl-diffusion", "cspbcl3-diffusion")


def run_demo(workspace: Path, *, port: int, open_browser: bool) -> None:
    """Serve the four samples; the first is made ready before the address is printed, the others meanwhile."""
    from app.server import port_is_free, run_server

    if not port_is_free("127.0.0.1", port):
        raise TriptychError(f"port {port} is busy: stop what uses it, or choose another with PORT=N")
    # A polite end also ends the child that makes the other samples.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    prepare(workspace, PRESET_ORDER[:1])

    def ready(url: str) -> None:
        click.echo(f"Open {url}")
        if open_browser and (os.environ.get("DISPLAY") or sys.platform == "darwin"):
            webbrowser.open(url)
        threading.Thread(target=_prepare_apart, args=(workspace, PRESET_ORDER[1:]), daemon=True).start()

    run_server(workspace, host="127.0.0.1", port=port, on_ready=ready)


def prepare(workspace: Path, presets: Sequence[str]) -> None:
    """Simulate and reduce what of ``presets`` is not there or not current."""
    from analysis.pipeline.sample import reduce_sample
    from app.cli import CORES, progress_bar

    for preset in presets:
        folder = workspace / preset
        with progress_bar(preset) as show:
            if not (folder / "sample.toml").is_file():
                _simulate(folder, preset, show)
                click.echo(f"{preset}: simulated")
            outcome = reduce_sample(folder, out=workspace / "results", workers=CORES, progress=show)
        click.echo(f"{preset}: {'reduced' if outcome.made else 'up to date'}")


def _simulate(folder: Path, preset: str, show: Callable[[str, int, int], None]) -> None:
    from analysis.simulate import simulate_sample

    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    simulate_sample(
        part, preset=preset, scale="grid", progress=lambda done, total: show("simulate", done, total)
    )
    if folder.exists():
        raise TriptychError(f"{folder}: expected a sample.toml in it, found none; move the folder away")
    part.rename(folder)


def _prepare_apart(workspace: Path, presets: Sequence[str]) -> None:
    """Make the other samples in a process of its own, so that the pages stay quick meanwhile."""
    child = subprocess.Popen(
        [sys.executable, "-m", "app.demo", str(workspace), *presets], stdin=subprocess.DEVNULL
    )
    atexit.register(child.terminate)
    if child.wait():
        click.echo("triptych: not every sample of the demonstration could be made; see above", err=True)


if __name__ == "__main__":
    try:
        prepare(Path(sys.argv[1]), sys.argv[2:])
    except TriptychError as problem:
        sys.exit(f"triptych: {problem}")
