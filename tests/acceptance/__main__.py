"""Print how well the truth of every preset is recovered: ``python -m tests.acceptance``."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.acceptance.recovery import (
    PRESETS,
    afm_figures,
    form_factor_figures,
    recover,
    sem_figures,
    xray_figures,
)


def main() -> None:
    """One block of figures a preset, first with ideal peaks, then with the form factor."""
    for preset in PRESETS:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            ideal = recover(preset, Path(folder) / "ideal", ideal=True)
            real = recover(preset, Path(folder) / "real", ideal=False)
            seconds = time.perf_counter() - start
            print(f"{preset} ({seconds:.0f} s)")
            figures = (
                xray_figures(ideal) | sem_figures(ideal) | afm_figures(ideal) | form_factor_figures(real)
            )
            for name, value in figures.items():
                print(f"  {name:24s} {value:10.4f}")


if __name__ == "__main__":
    main()
