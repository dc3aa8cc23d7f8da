"""The command line as the tests call it: in this process where that will do, as a program where it must."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str


def triptych(*arguments: str | Path) -> Outcome:
    """Run ``triptych`` in this process; an exception that it lets through fails the test at once."""
    from app.cli import main

    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="triptych")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(code=result.exit_code, stdout=result.stdout, stderr=result.stderr)


def program(*arguments: str | Path) -> list[str]:
    """Command that starts ``triptych`` as a program of its own."""
    return [sys.executable, "-m", "app.cli", *(str(argument) for argument in arguments)]


def triptych_program(*arguments: str | Path) -> Outcome:
    """Run ``triptych`` as a program of its own and wait for its end."""
    done = subprocess.run(
        program(*arguments),
        cwd=ROOT,
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """One exported CSV without its ``#`` lines."""
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    above = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return pd.read_csv(folder / name, skiprows=above, encoding="utf-8")
