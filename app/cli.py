"""The ``triptych`` command: thin words over the pipeline, the simulation and the server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analysis.errors import NotServedError, TriptychError
from analysis.pipeline.sample import (
    MODALITIES,
    Modality,
    Outcome,
    check_sample,
    reduce_sample,
    software_version,
)

SOME_PATH = click.Path(path_type=Path)
DEFAULT_PORT = 8050
CORES = os.cpu_count() or 1


class Commands(click.Group):
    """A group whose commands end in one sentence and exit code 1 where the data are not fit."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a TriptychError becomes its sentence on stderr."""
        try:
            return super().invoke(ctx)
        except TriptychError as error:
            click.echo(f"triptych: {one_line(str(error))}", err=True)
            ctx.exit(1)
        except PermissionError as error:
            click.echo(f"triptych: {error.filename}: permission denied", err=True)
            ctx.exit(1)


def one_line(text: str) -> str:
    """The text on one line without control characters: file names and metadata are not to be trusted."""
    return "".join(char if char.isprintable() else " " for char in text)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(software_version().split()[-1], prog_name="triptych")
def main() -> None:
    """Correlative analysis of nanocrystal supercrystals: X-ray, SEM and AFM on one coordinate."""


def main_modalities(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[Modality, ...]:
    """Parse ``--only xray,sem,afm``."""
    if value is None:
        return MODALITIES
    names = tuple(name.strip() for name in value.split(","))
    wrong = [name for name in names if name not in MODALITIES]
    if wrong:
        raise click.BadParameter(f"{', '.join(wrong)!r} is not among {', '.join(MODALITIES)}")
    return cast("tuple[Modality, ...]", names)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr (nothing but the result where stderr is no terminal)."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.fields[sample]}"),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, sample=label)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield show


@main.command()
@click.argument("sample", type=SOME_PATH)
@click.option("--plot", type=SOME_PATH, help="Picture (SVG) of how far positions lie from their grid.")
def check(sample: Path, plot: Path | None) -> None:
    """Say what a sample holds and whether it can be reduced, from metadata alone."""
    for line in check_sample(sample, plot=plot):
        click.echo(one_line(line))


@main.command()
@click.argument("samples", type=SOME_PATH, nargs=-1, required=True, metavar="SAMPLE...")
@click.option("--out", type=SOME_PATH, help="Folder of the results (default: results/ beside the sample).")
@click.option("--only", callback=main_modalities, help="Modalities to reduce: xray,sem,afm.")
@click.option("--workers", type=click.IntRange(1, 256), default=CORES, show_default=True, help="Threads.")
@click.option(
    "--scheduler",
    help="Address of a Dask scheduler (HOST:PORT on this machine, or tls://...) to run on instead.",
)
@click.option("--force", is_flag=True, help="Reduce even what is current.")
@click.option("--hash", "with_hash", is_flag=True, help="Keep and compare SHA-256 of every input.")
def reduce(
    samples: tuple[Path, ...],
    out: Path | None,
    only: tuple[Modality, ...],
    workers: int,
    scheduler: str | None,
    force: bool,
    with_hash: bool,
) -> None:
    """Reduce samples from raw files to one result each."""
    for sample in samples:
        with progress_bar(sample.name) as show:
            outcome = reduce_sample(
                sample,
                out=out,
                only=only,
                workers=workers,
                scheduler=scheduler,
                force=force,
                with_hash=with_hash,
                progress=show,
            )
        told(outcome)


def told(outcome: Outcome) -> None:
    """Say where a result is and what is to be known of it."""
    click.echo(f"{outcome.path}: {'reduced' if outcome.made else 'up to date'}")
    for note in outcome.notes:
        click.echo(f"  {one_line(note)}", err=True)


@main.command()
@click.argument("result", type=SOME_PATH)
@click.option("--to", "folder", type=SOME_PATH, required=True, help="Folder for the files.")
@click.option("--gwy", is_flag=True, help="Each AFM field as a Gwyddion file too.")
def export(result: Path, folder: Path, gwy: bool) -> None:
    """Write every table of a result as CSV, summary.json, and the geometry of each scan as .poni."""
    from analysis.io.gwy_write import export_gwy
    from analysis.io.poni import export_geometries
    from analysis.io.results import read_result
    from analysis.io.tables import export_tables

    found = read_result(result)
    if gwy and not found.afm:
        raise TriptychError(f"{result}: expected an AFM field for --gwy, found none; export without --gwy")
    tables = [*export_tables(found, folder), *export_geometries(found, folder)]
    for path in [*tables, *(export_gwy(found, folder) if gwy else ())]:
        click.echo(path)


@main.command()
@click.argument("folder", type=SOME_PATH)
@click.option(
    "--preset", default="cspbbr3-diffusion", show_default=True, help="Which of the paper's samples."
)
@click.option("--full", is_flag=True, help="The whole grid and the whole detector, WAXS included.")
@click.option(
    "--ideal", is_flag=True, help="Ideal Gaussian peaks, without form factor: for testing statistics."
)
def simulate(folder: Path, preset: str, full: bool, ideal: bool) -> None:
    """Write simulated raw files of one sample, with the truth beside them (truth.h5)."""
    from analysis.simulate import PRESETS, simulate_sample

    if preset not in PRESETS:
        raise click.BadParameter(f"{preset!r} is not among {', '.join(PRESETS)}", param_hint="--preset")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise TriptychError(f"{folder}: expected a new or an empty folder, found files in it; name another")
    with progress_bar(folder.name) as show:
        simulate_sample(
            folder,
            preset=preset,
            scale="full" if full else "small",
            ideal=ideal,
            workers=CORES,
            progress=lambda done, total: show("simulate", done, total),
        )
    click.echo(f"{folder}: simulated {preset}")


@main.command()
@click.argument("workspace", type=SOME_PATH)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=DEFAULT_PORT, show_default=True, envvar="TRIPTYCH_PORT"
)
@click.option("--share", is_flag=True, help="Let others in the network in.")
def serve(workspace: Path, host: str, port: int, share: bool) -> None:
    """Serve the dashboard of a workspace."""
    if share:
        raise NotServedError("--share is not served by this version: the dashboard stays on this machine")
    if not workspace.is_dir():
        raise TriptychError(f"{workspace}: expected a workspace folder, found none")
    from app.server import run_server

    run_server(workspace, host=host, port=port, on_ready=lambda url: click.echo(f"Open {url}"))


@main.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), default=DEFAULT_PORT, show_default=True, envvar="TRIPTYCH_PORT"
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
def demo(port: int, no_open: bool) -> None:
    """Simulate, reduce and serve the paper's four samples."""
    from app.demo import run_demo

    workspace = Path(os.environ.get("TRIPTYCH_WORKSPACE", "workspace"))
    run_demo(workspace, port=port, open_browser=not no_open)


@main.command("import")
@click.argument("paths", type=SOME_PATH, nargs=-1, required=True, metavar="PATH...")
@click.option("--to", "folder", type=SOME_PATH, required=True, help="Folder of the sample: WORKSPACE/ID.")
def import_raw(paths: tuple[Path, ...], folder: Path) -> None:
    """Look at raw files or folders, say what they are, and write sample.toml."""
    from analysis.pipeline.import_sample import import_sample

    made = import_sample(list(paths), to=folder)
    for each in made.found:
        name = f"{each.path}#{each.selection}" if each.selection else str(each.path)
        click.echo(one_line(f"{name}: {each.told}"))
    click.echo(one_line(f"{made.path}: written"))
    if made.open_keys:
        click.echo(
            one_line(f"  fill in {', '.join(dict.fromkeys(made.open_keys))}, then: triptych check {folder}")
        )


@main.command()
@click.argument("results", type=SOME_PATH, nargs=-1, required=True, metavar="RESULT.h5...")
@click.option(
    "--to", "folder", type=SOME_PATH, required=True, help="Folder for compare.csv and compare.json."
)
@click.option(
    "--by",
    type=click.Choice(["method", "composition", "sample"]),
    default="method",
    show_default=True,
    help="What sorts samples into groups.",
)
@click.option(
    "--group", "groups", multiple=True, metavar="NAME=ID,ID...", help="A hand-picked group; may be repeated."
)
def compare(results: tuple[Path, ...], folder: Path, by: str, groups: tuple[str, ...]) -> None:
    """Compare results by group, crystals as n: compare.csv and compare.json."""
    from analysis.io.results import read_result
    from analysis.pipeline.comparison import compared, export_comparison

    found = [read_result(result) for result in results]
    picked = _picked(groups, {result.sample_id for result in found}) if groups else None
    comparison = compared(found, groups=picked, by=by)
    for path in export_comparison(comparison, found, folder):
        click.echo(path)
    click.echo(one_line(comparison.sentence), err=True)


def _picked(groups: tuple[str, ...], known: set[str]) -> dict[str, str]:
    """Sample id to the name of its hand-picked group."""
    picked: dict[str, str] = {}
    for text in groups:
        name, _, ids = text.partition("=")
        for sample_id in filter(None, ids.split(",")):
            if not name or sample_id not in known:
                raise click.BadParameter(
                    f"{sample_id!r} is not among {', '.join(sorted(known))}", param_hint="--group"
                )
            picked[sample_id] = name
        if not ids:
            raise click.BadParameter(f"{text!r} is not NAME=ID,ID...", param_hint="--group")
    return picked


if __name__ == "__main__":
    sys.exit(main())
