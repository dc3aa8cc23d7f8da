"""The house is kept: sizes, words, layout, locks, the README's commands and the contract's columns."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 60

TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "analysis",
    "app",
    "assets",
    "data_samples",
    "pyproject.toml",
    "requirements-test.txt",
    "requirements.txt",
    "tests",
}

UNFINISHED = (
    "TO" + "DO",
    "FIX" + "ME",
    "XX" + "X",
    "HA" + "CK",
    "NotImplemented" + "Error",
    "lorem" + " ipsum",
)
MACHINE = ("/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/", "/Us" + "ers/", "C:" + "\\Users")
REGISTRIES = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "--index" + "-url",
    "--extra-index" + "-url",
    "npmjs" + ".",
)
TEXT_ENDINGS = {".py", ".md", ".toml", ".txt", ".css", ".js", ".json", ".cfg", ".yml", ".yaml", ".svg", ""}


@cache
def tracked() -> tuple[Path, ...]:
    """Files that are part of the project: tracked by git, or, in an exported tree, all of its folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    if listed.returncode == 0 and listed.stdout:
        names = [name for name in listed.stdout.split("\0") if name]
        return tuple(ROOT / name for name in names if (ROOT / name).is_file())
    found = [path for name in TOP_LEVEL for path in [ROOT / name, *(ROOT / name).rglob("*")]]
    return tuple(path for path in found if path.is_file() and "__pycache__" not in path.parts)


@cache
def texts() -> dict[str, str]:
    """Text of every tracked text file by its name from the project's root."""
    files = [path for path in tracked() if path.suffix in TEXT_ENDINGS]
    return {path.relative_to(ROOT).as_posix(): _text(path) for path in files}


def _text(path: Path) -> str:
    """Text of a file; an instrument's sidecar may be UTF-16, which its byte order mark says."""
    content = path.read_bytes()
    return content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8")


def sources() -> dict[str, str]:
    return {name: text for name, text in texts().items() if name.endswith(".py")}


def test_the_top_level_is_as_it_was_laid_out() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP_LEVEL


def test_no_module_is_over_five_hundred_lines() -> None:
    lengths = {name: len(text.splitlines()) for name, text in sources().items()}
    assert {name: n for name, n in lengths.items() if n > MAX_MODULE_LINES} == {}


def test_no_function_is_over_sixty_lines() -> None:
    long = {}
    for name, text in sources().items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long[f"{name}:{node.name}"] = lines
    assert long == {}


@pytest.mark.parametrize(
    "words", [UNFINISHED, MACHINE, REGISTRIES], ids=["unfinished", "machine", "registries"]
)
def test_no_tracked_text_holds_words_that_do_not_belong(words: tuple[str, ...]) -> None:
    found = {
        f"{name}: {word}"
        for name, text in texts().items()
        for word in words
        if re.search(rf"(?<![\w-]){re.escape(word)}", text) and name != "tests/test_repository.py"
    }
    assert found == set()


def test_every_analysis_module_and_public_function_says_what_it_gives() -> None:
    silent = []
    for name, text in sources().items():
        if not name.startswith("analysis/"):
            continue
        tree = ast.parse(text)
        public = [
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
        ]
        silent += [
            f"{name}:{getattr(node, 'name', '')}" for node in (tree, *public) if not ast.get_docstring(node)
        ]
    assert [entry for entry in silent if not entry.endswith("__init__.py:")] == []


def test_no_binary_or_large_file_is_tracked_outside_samples_and_pictures() -> None:
    strange = [
        path.relative_to(ROOT).as_posix()
        for path in tracked()
        if (
            path.suffix not in TEXT_ENDINGS
            and path.relative_to(ROOT).parts[0] not in {"data_samples", "assets"}
        )
        or path.stat().st_size > 20_000_000
    ]
    assert strange == []


def test_the_samples_that_are_shipped_stay_small() -> None:
    sizes = [path.stat().st_size for path in tracked() if path.relative_to(ROOT).parts[0] == "data_samples"]
    assert sum(sizes) < 25_000_000


# --- locks ----------------------------------------------------------------------------------------------


def pins(lock: str) -> dict[str, str]:
    """Requirement name to what follows it, continuation lines joined."""
    joined = texts()[lock].replace("\\\n", " ")
    entries = [
        line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")
    ]
    return {re.split(r"[=<>;\[ ]", entry)[0].lower(): entry for entry in entries}


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-test.txt"])
def test_a_lock_pins_exactly_with_hashes_and_names_no_index(lock: str) -> None:
    entries = pins(lock)
    assert len(entries) > 30
    loose = [e for e in entries.values() if not re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+", e)]
    assert loose == []
    assert [name for name, entry in entries.items() if "--hash=sha256:" not in entry] == []
    assert "://" not in texts()[lock]


def test_plotly_and_dash_are_pinned_alike_in_both_locks() -> None:
    run, test = pins("requirements.txt"), pins("requirements-test.txt")
    for name in ("plotly", "dash", "dash-mantine-components"):
        version = re.search(r"==([\d.]+)", run[name])
        assert version is not None
        assert f"=={version.group(1)}" in test[name]


def test_every_declared_dependency_is_in_the_lock() -> None:
    project = tomllib.loads(texts()["pyproject.toml"])["project"]
    names = {re.split(r"[<>=\[; ]", line)[0].lower() for line in project["dependencies"]}
    assert names - set(pins("requirements.txt")) == set()


# --- README ---------------------------------------------------------------------------------------------


def commands_in_readme(word: str) -> set[str]:
    """What follows ``word`` in code spans and code blocks of the README."""
    text = texts()["README.md"]
    blocks = re.findall(r"```[^\n]*\n(.*?)```", text, flags=re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    found = set()
    for block in blocks:
        for line in block.splitlines():
            found |= set(re.findall(rf"(?:^|[\s/&;]){word}\s+([a-z][a-z-]*)", line.split(" #")[0]))
    return found


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", texts()["Makefile"], flags=re.MULTILINE))
    assert {"demo", "test", "install"} <= targets
    assert commands_in_readme("make") - targets == set()


def test_every_triptych_command_in_the_readme_exists() -> None:
    from app.cli import main

    assert {"demo", "simulate", "check", "reduce", "export", "serve"} <= set(main.commands)
    assert commands_in_readme("triptych") - set(main.commands) == set()


def test_every_option_in_the_readme_exists() -> None:
    from app.cli import main

    known = {
        option
        for command in main.commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    text = texts()["README.md"]
    used = set()
    for line in re.findall(r"triptych [a-z]+[^`\n]*", text):
        used |= set(re.findall(r"(?<!\S)--[a-z-]+", line.split(" #")[0]))
    assert used - known - {"--help", "--version"} == set()


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", texts()["README.md"])
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (ROOT / link).exists()] == []


# --- columns --------------------------------------------------------------------------------------------

COLUMNS = {
    "xray_maps": (
        "row, col, x_um, y_um, s, depth_um, intensity, a1_nm, a1_nm_err, a2_nm, a2_nm_err, "
        "gamma_deg, gamma_deg_err, psi_deg, psi_deg_err, a_sc_nm, a_sc_nm_err, a_sc_shift_nm, "
        "a_al_nm, a_al_nm_err, photons, goodness, status"
    ),
    "xray_radial": "position, q_per_nm, intensity, intensity_err",
    "sem_rois": (
        "image, label, x_nm, y_nm, size_nm, s, s_err, delta_k_per_nm, delta_k_per_nm_err, "
        "spacing_nm, spacing_nm_err, a_sc_nm, a_sc_nm_err, gamma_deg, lattice, n_periods, status"
    ),
    "afm_lines": (
        "file, line, source, convention, thickness_px, distance_um, x_um, y_um, height_nm, "
        "modulus_gpa, s, depth_um"
    ),
    "afm_summary": (
        "file, n_px, modulus_mean_gpa, modulus_std_gpa, modulus_median_gpa, modulus_mad_gpa, "
        "height_mean_nm, excluded_px, excluded_why"
    ),
    "afm_maps": "row, col, x_um, y_um, s, depth_um, height_nm, modulus_gpa, status",
    "afm_parts": "file, part, quantity, unit, n, mean, sem, std, median, mad",
    "profiles": (
        "modality, quantity, unit, coordinate, lo, mid, hi, mean, std, sem, median, ci_lo, ci_hi, n"
    ),
    "correlation": (
        "x_quantity, y_quantity, pairing, n, n_crystals, pearson_r, r_ci_lo, r_ci_hi, "
        "spearman_rho, partial_r_s, p_block_bootstrap, slope, slope_err"
    ),
}
"""The columns that users' scripts rely on, after ``sample`` and ``crystal``."""


@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_a_table_has_the_columns_that_scripts_rely_on(table: str) -> None:
    from analysis.io.tables import tables
    from analysis.records import Provenance, Result

    empty = Result(
        sample_id="empty",
        title="",
        composition="",
        method="",
        simulated=True,
        nanocrystal_size_nm=None,
        provenance=Provenance(software="", algorithm=0, parameters_json="{}", inputs=()),
    )
    expected = ["sample", "crystal", *COLUMNS[table].split(", ")]
    found = list(tables(empty)[table].columns)
    assert [name for name in found if name in expected] == expected
