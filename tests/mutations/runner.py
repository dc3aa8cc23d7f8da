"""Apply one mutation at a time in a copy of the tree and see whether the tests notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("analysis", "app", "tests", "assets", "pyproject.toml", "README.md", "Makefile")
TESTS_FAILED = 1


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One fault: ``old`` stands exactly once in ``file`` and becomes ``new``; ``tests`` must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def occurrences(self, root: Path) -> int:
        """How often the text to be replaced stands in the file below ``root`` (0 without the file)."""
        path = root / self.file
        return path.read_text(encoding="utf-8").count(self.old) if path.is_file() else 0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one mutation: ``killed``, ``survived``, ``not found`` or ``broken``."""

    mutation: Mutation
    word: str
    seconds: float
    noticed_by: str = ""


def copy_of_tree(folder: Path) -> Path:
    """Copy what the tests need; times of change are kept, so compiled kernels stay valid."""
    tree = folder / "tree"
    tree.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name)
        elif source.is_file():
            shutil.copy2(source, tree / name)
    return tree


def run_tests(tree: Path, tests: Iterable[str], *, first_only: bool = True) -> tuple[int, str]:
    """Exit code of pytest in the copy and the name of the first test that failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no"]
    done = subprocess.run(
        [*command, *(["-x"] if first_only else []), *tests],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    failed = [line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode, failed[0] if failed else done.stdout.strip()[-300:]


def imports_the_copy(tree: Path) -> bool:
    """Whether Python in the copy takes the copy's own source, not what is installed."""
    done = subprocess.run(
        [sys.executable, "-c", "import analysis; print(analysis.__file__)"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout.strip()).is_relative_to(tree)


def forget_compiled_kernels(tree: Path) -> None:
    """Remove numba's caches: a cached caller would go on with the kernel as it was."""
    for path in (tree / "analysis").rglob("*.nb[ic]"):
        path.unlink()


def try_mutation(tree: Path, mutation: Mutation) -> Verdict:
    """Apply, run, take back."""
    start = time.perf_counter()
    if mutation.occurrences(tree) != 1:
        return Verdict(mutation=mutation, word="not found", seconds=0.0)
    path = tree / mutation.file
    original = path.read_text(encoding="utf-8")
    stat = path.stat()
    compiled = "njit" in original
    try:
        path.write_text(original.replace(mutation.old, mutation.new), encoding="utf-8")
        if compiled:
            forget_compiled_kernels(tree)
        code, first = run_tests(tree, mutation.tests)
    finally:
        path.write_text(original, encoding="utf-8")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        if compiled:
            forget_compiled_kernels(tree)
    word = {TESTS_FAILED: "killed", 0: "survived"}.get(code, "broken")
    seconds = time.perf_counter() - start
    return Verdict(
        mutation=mutation, word=word, seconds=seconds, noticed_by=first if word != "survived" else ""
    )
