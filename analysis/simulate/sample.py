"""One simulated sample: a folder with ``sample.toml``, raw files of three instruments, and the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from analysis.simulate.afm import AfmField, afm_field
from analysis.simulate.diffraction import Diffraction
from analysis.simulate.eiger_file import Series
from analysis.simulate.form_factor import CubeFormFactor
from analysis.simulate.gwy_file import write_gwy
from analysis.simulate.lattice import Scan, beam_lattice
from analysis.simulate.presets import DEFAULT_PRESET, PRESETS, Preset
from analysis.simulate.sample_toml import sample_toml
from analysis.simulate.seeds import Stream, generator
from analysis.simulate.sem import SemFrame, sem_image
from analysis.simulate.sem_file import write_sem
from analysis.simulate.truth_file import write_truth
from analysis.simulate.xray import background_series, write_frames

Scale = Literal["small", "grid", "full"]


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much of everything one scale holds; ``points`` None is the preset's own grid.

    ``whole_detector`` None is what the preset says.
    """

    points: int | None
    whole_detector: bool | None
    background_frames: int
    frames_per_file: int
    sem: SemFrame
    afm_pixels: int


EXTENTS: dict[str, Extent] = {
    "small": Extent(
        points=15,
        whole_detector=False,
        background_frames=8,
        frames_per_file=120,
        sem=SemFrame(rows=312, columns=2048, bar_rows=32),
        afm_pixels=128,
    ),
    "grid": Extent(
        points=None,
        whole_detector=None,
        background_frames=20,
        frames_per_file=1000,
        sem=SemFrame(rows=1024, columns=2048, bar_rows=64),
        afm_pixels=256,
    ),
    "full": Extent(
        points=None,
        whole_detector=True,
        background_frames=20,
        frames_per_file=100,
        sem=SemFrame(rows=1024, columns=2048, bar_rows=64),
        afm_pixels=256,
    ),
}


def simulate_sample(
    folder: Path,
    *,
    preset: str = DEFAULT_PRESET,
    scale: Scale = "small",
    ideal: bool = False,
    seed: int | None = None,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Simulate a preset into ``folder`` itself: sample.toml, raw files, truth.h5.

    ``ideal`` makes the first-order X-ray peaks plain Gaussians in (q, phi) of 1500 photons, without form
    factor, second order or a spread of lattices under the beam. The same seed gives the same bytes,
    whatever the number of ``workers``. ``progress`` is called with what is done and the total. Raises
    ValueError for a preset or a scale that there is not.
    """
    if preset not in PRESETS or scale not in EXTENTS:
        known = f"a preset of {list(PRESETS)} and a scale of {list(EXTENTS)}"
        raise ValueError(f"expected {known}, found {preset!r} and {scale!r}")
    sample = _SampleWriter(
        folder=folder,
        preset=PRESETS[preset],
        extent=EXTENTS[scale],
        scale=scale,
        ideal=ideal,
        seed=PRESETS[preset].seed if seed is None else seed,
    )
    sample.write(workers=workers, progress=progress or _unseen)


def _unseen(done: int, total: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, kw_only=True)
class _SampleWriter:
    folder: Path
    preset: Preset
    extent: Extent
    scale: str
    ideal: bool
    seed: int

    @property
    def scan(self) -> Scan:
        points = self.extent.points
        shape = self.preset.xray.shape if points is None else (points, points)
        return Scan.of_preset(self.preset.xray, shape=shape)

    @property
    def wide_angle(self) -> bool:
        """Whether the whole detector is read, and not only its small-angle part."""
        whole = self.extent.whole_detector
        return self.preset.xray.wide_angle if whole is None else whole

    def write(self, *, workers: int, progress: Callable[[int, int], None]) -> None:
        scan = self.scan
        frames = scan.shape[0] * scan.shape[1]
        total = frames + self.extent.background_frames + 2
        done = 0

        def advanced() -> None:
            nonlocal done
            done += 1
            progress(done, total)

        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_sem()
        advanced()
        afm = afm_field(self.preset.afm, self.extent.afm_pixels, generator(self.seed, Stream.AFM))
        write_gwy(self.folder / "afm" / "map.gwy", afm, first_channel=self.preset.afm.first_channel)
        advanced()
        diffraction = self._diffraction(scan)
        self._write_truth(scan, diffraction, afm)
        write_frames(
            self.folder / "xray",
            diffraction,
            seed=self.seed,
            series=Series(
                frames=frames,
                triggers=scan.shape[0] if self.preset.xray.triggers_by_row else 1,
                frames_per_file=self.extent.frames_per_file,
            ),
            background=background_series(self.extent.background_frames),
            serpentine=self.preset.xray.serpentine,
            workers=workers,
            advanced=advanced,
        )
        text = sample_toml(self.preset, scan=scan, sem=self.extent.sem)
        (self.folder / "sample.toml").write_text(text, encoding="utf-8")

    def _write_sem(self) -> None:
        image = sem_image(self.preset, self.extent.sem, generator(self.seed, Stream.SEM))
        write_sem(
            self.folder / "sem" / "monolayer.tif",
            image,
            sample=self.preset.composition,
            encoding=self.preset.sem.sidecar_encoding,
        )

    def _diffraction(self, scan: Scan) -> Diffraction:
        mean, std = self.preset.nanocrystal_size_nm
        return Diffraction.of_preset(
            self.preset.xray,
            lattice=beam_lattice(self.preset.xray, scan, generator(self.seed, Stream.LATTICE)),
            form_factor=None if self.ideal else CubeFormFactor.of_population(mean_nm=mean, std_nm=std),
            size_nm=(mean, std),
            wide_angle=self.wide_angle,
        )

    def _write_truth(self, scan: Scan, diffraction: Diffraction, afm: AfmField) -> None:
        attributes = {
            "simulated": True,
            "preset": self.preset.id,
            "title": self.preset.title,
            "scale": self.scale,
            "ideal": self.ideal,
            "seed": self.seed,
            "measured_in_the_paper": ", ".join(self.preset.measured),
            "invented": ", ".join(self.preset.invented),
            "notes": "; ".join(self.preset.notes),
        }
        write_truth(
            self.folder / "truth.h5",
            self.preset,
            attributes=attributes,
            scan=scan,
            lattice=diffraction.lattice,
            afm=afm,
        )
