"""A workspace whose sample can be edited: a result made of formulae beside its sample file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.io.results import write_result
from tests.registration.test_register import sample_of
from tests.synthetic_result import make_result

SAMPLE_TOML = """format = 1
[xray]
frames = "scan.h5"
shape = [15, 15]
step_um = [1.0, 1.0]
[[sem]]
image = "image.tif"
[[afm]]
file = "map.gwy"
"""


def make_editable(folder: Path, *, size: int = 15) -> Path:
    """A workspace with the sample ``dif``, whose three reductions are of one crystal."""
    (folder / "results").mkdir(parents=True)
    (folder / "dif").mkdir()
    (folder / "dif" / "sample.toml").write_text(SAMPLE_TOML, encoding="utf-8")
    made = make_result("dif", size=size, folder=folder)
    provenance = replace(made.provenance, parameters_json=sample_of().as_json())
    write_result(folder / "results" / "dif.h5", replace(made, provenance=provenance))
    return folder
