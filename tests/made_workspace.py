"""A workspace of made-up results: what the server and the browser are tried with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.io.results import write_result
from tests.synthetic_result import make_result
from tests.synthetic_wide_angle import with_wide_angle

HOSTILE = "<script>window.owned = 1</script><img src=x onerror=window.owned=1>"


def make_workspace(folder: Path, *, size: int = 15) -> Path:
    """Results (one with X-rays alone, one with script in its names, one damaged) and a sample without."""
    results = folder / "results"
    results.mkdir(parents=True)
    patterns = folder / "patterns"
    patterns.mkdir()
    write_result(results / "dif.h5", with_wide_angle(make_result("dif", size=size, folder=patterns)))
    write_result(
        results / "evap.h5", make_result("evap", method="evaporation", seed=1, size=size, folder=patterns)
    )
    write_result(results / "xonly.h5", make_result("xonly", size=size, sem=False, afm=False, folder=patterns))
    hostile = replace(
        make_result("hostile", size=size, sem=False, afm=False),
        title=HOSTILE,
        composition=HOSTILE,
        method=HOSTILE,
    )
    write_result(results / "hostile.h5", hostile)
    (results / "damaged.h5").write_bytes(b"not a result")
    (folder / "waiting").mkdir()
    (folder / "waiting" / "sample.toml").write_text(
        'format = 1\ntitle = "Waiting"\n[[afm]]\nfile = "map.gwy"\n', encoding="utf-8"
    )
    return folder
