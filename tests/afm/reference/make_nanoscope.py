"""How ``nanoscope_gwyddion_2_62.json`` was made: NanoScope files as Gwyddion itself reads them.

Needs Debian's ``gwyddion`` (2.62-1); run by hand:
``python -m tests.afm.reference.make_nanoscope > tests/afm/reference/nanoscope_gwyddion_2_62.json``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gwyfile

from tests.afm.nanoscope_files import CASES


def channels(path: Path) -> list[dict[str, object]]:
    """Every channel of a file as Gwyddion converts it."""
    made = path.with_suffix(".gwy")
    subprocess.run(["gwyddion", f"--convert-to-gwy={made}", str(path)], check=True)
    container = gwyfile.load(str(made))
    fields = [container[f"/{number}/data"] for number in range(100) if f"/{number}/data" in container]
    return [
        {
            "values": field.data.tolist(),
            "width": field.xreal,
            "height": field.yreal,
            "unit": field.si_unit_z.unitstr,
        }
        for field in fields
    ]


def main() -> None:
    found: dict[str, object] = {"made_by": "gwyddion 2.62 (Debian 2.62-1) --convert-to-gwy"}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in CASES.items():
            path = Path(folder) / f"{name}.spm"
            path.write_bytes(content)
            found[name] = channels(path)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
