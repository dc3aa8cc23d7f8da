"""A good sample of the smallest size that can be reduced; tests spoil copies of it, one fault at a time."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gwyfile.objects import GwyContainer, GwyDataField, GwySIUnit

from tests.generality import generator

SETUP = generator.Setup(
    points=(6, 7),
    step_um=(0.7, 0.7),
    detector=(240, 260),
    beam_col=131.2,
    beam_row=118.6,
    frames_a_file=15,
    counts=3000.0,
    seed=3,
)
CRYSTAL = generator.Crystal(centre_um=(-2.1, 1.75), half_um=(1.6, 1.4), turn_deg=8.0)

IMAGES_TOML = """
[[sem]]
image = "oblique.tif"
pixel_size_nm = 1.1
edge_nm = [0.0, 230.0]
center_nm = [616.0, 230.0]
rois = [{label = "only", x_nm = 20, y_nm = 20, size_nm = 180}]

[[afm]]
file = "map.gwy"
"""


def write_gwy(path: Path) -> None:
    """A raised square, 1 um high, with a modulus of 2 GPa, on a soft substrate; 64 x 64 points of 6.4 um."""
    rng = np.random.default_rng(4)
    row, col = np.mgrid[0:64, 0:64]
    inside = (np.abs(row - 31.5) < 20) & (np.abs(col - 31.5) < 20)
    height = 1e-6 * inside + rng.normal(0, 4e-9, inside.shape)
    modulus = np.where(inside, 2e9, 1e8) * rng.lognormal(0, 0.1, inside.shape)
    container = GwyContainer()
    for number, (title, unit, values) in enumerate((("Height", "m", height), ("DMT Modulus", "Pa", modulus))):
        container[f"/{number}/data/title"] = title
        container[f"/{number}/data"] = GwyDataField(
            values,
            xreal=6.4e-6,
            yreal=6.4e-6,
            si_unit_xy=GwySIUnit(unitstr="m"),
            si_unit_z=GwySIUnit(unitstr=unit),
        )
    container.tofile(str(path))


def write_tiny_sample(folder: Path) -> None:
    """All three modalities, each with a small file."""
    folder.mkdir(parents=True)
    generator.write_xray(folder, SETUP, CRYSTAL)
    generator.write_oblique(folder / "oblique.tif")
    write_gwy(folder / "map.gwy")
    (folder / "sample.toml").write_text(generator.xray_toml(SETUP) + IMAGES_TOML, encoding="utf-8")


@dataclass(frozen=True)
class Workspace:
    """A folder with one sample in it, and what the folder holds."""

    root: Path
    sample: Path

    @classmethod
    def copied_from(cls, original: Path, root: Path) -> Workspace:
        shutil.copytree(original, root / "tiny", symlinks=True)
        return cls(root=root, sample=root / "tiny")

    def replace(self, old: str, new: str) -> None:
        """Change the sample file; the old text must stand in it once."""
        path = self.sample / "sample.toml"
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new), encoding="utf-8")

    def state(self) -> dict[str, tuple[int, int, int]]:
        """Every file, folder and link below the root: size, time of change and inode (links not followed)."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            stat = path.lstat()
            size = 0 if path.is_dir() else stat.st_size
            found[path.relative_to(self.root).as_posix()] = (
                size,
                stat.st_mtime_ns * path.is_file(),
                stat.st_ino,
            )
        return found
