"""A reduced field goes out as a Gwyddion file that gwyfile and our own reader read back."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import gwyfile
import numpy as np
import pytest

from analysis.errors import InputError
from analysis.io.gwy import read_gwy
from analysis.io.gwy_write import write_gwy
from analysis.io.results import write_result
from analysis.io.sample_file import AfmBlock
from analysis.pipeline.afm import reduce_afm
from analysis.records import AFM_STATUS, AfmReduction, Coordinate
from tests.afm.gwy_files import Channel, write_channels
from tests.afm.made_fields import Block
from tests.command import triptych
from tests.synthetic_result import make_result


@pytest.fixture
def field(tmp_path: Path) -> AfmReduction:
    block = Block(tilt=(300.0, 100.0), noise=2.0)
    size = {"width": 4.8e-6, "height": 1.8e-6, "lines": [(1e-6, 1e-6, 3e-6, 1.5e-6)]}
    modulus = np.random.default_rng(0).lognormal(21, 0.1, block.shape)
    write_channels(
        tmp_path / "in.gwy",
        {
            1: Channel(values=block.measured() * 1e-9, title="Height Sensor", **size),
            2: Channel(values=modulus, title="DMT Modulus", unit="Pa", meta={"Tip Radius": "8"}, **size),
        },
    )
    found = reduce_afm(AfmBlock(file="in.gwy"), index=0, folder=tmp_path)
    s = np.where(found.status == AFM_STATUS.index("outside"), np.nan, 0.5)
    return replace(found, coordinate=Coordinate(s={"rectangle": s}, s_err={}, depth_um=s))


def test_what_is_written_is_read_back(field: AfmReduction, tmp_path: Path) -> None:
    write_gwy(tmp_path / "out.gwy", field)
    gwy = read_gwy(tmp_path / "out.gwy")
    height, modulus, s = gwy.channels
    assert [channel.title for channel in gwy.channels] == ["Height Sensor", "DMT Modulus", "s (rectangle)"]
    np.testing.assert_allclose(height.height_nm(), field.height_nm, rtol=1e-12)
    np.testing.assert_allclose(modulus.modulus_gpa(), field.modulus_gpa, rtol=1e-12)
    np.testing.assert_array_equal(s.values, np.nan_to_num(field.coordinate.s["rectangle"]))
    np.testing.assert_allclose(height.grid(gwy.path).cell_um, field.grid.cell_um)
    for channel in gwy.channels:
        assert channel.mask is not None
        np.testing.assert_array_equal(channel.mask, field.status == AFM_STATUS.index("ok"))
        np.testing.assert_allclose(channel.lines, [(1e-6, 1e-6, 3e-6, 1.5e-6)])
    assert modulus.metadata["Tip radius"] == "8"
    assert modulus.metadata["Step 1"] == field.steps[0]


def test_gwyfile_reads_it_too(field: AfmReduction, tmp_path: Path) -> None:
    write_gwy(tmp_path / "out.gwy", field)
    theirs = gwyfile.util.get_datafields(gwyfile.load(str(tmp_path / "out.gwy")))
    np.testing.assert_allclose(theirs["DMT Modulus"].data * 1e-9, field.modulus_gpa)
    assert theirs["DMT Modulus"].si_unit_z.unitstr == "Pa"


def test_reducing_it_again_gives_the_same(field: AfmReduction, tmp_path: Path) -> None:
    write_gwy(tmp_path / "out.gwy", field)
    again = reduce_afm(AfmBlock(file="out.gwy"), index=0, folder=tmp_path)
    np.testing.assert_array_equal(again.status, field.status)
    assert again.statistics["modulus_mean"].value == pytest.approx(field.statistics["modulus_mean"].value)


def test_what_was_not_measured_is_left_out(field: AfmReduction, tmp_path: Path) -> None:
    nothing = np.full(field.grid.shape, np.nan)
    write_gwy(tmp_path / "out.gwy", replace(field, modulus_gpa=nothing, coordinate=None, lines=()))
    channels = read_gwy(tmp_path / "out.gwy").channels
    assert [channel.number for channel in channels] == [0]
    assert channels[0].lines.shape == (0, 4)
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_a_one_letter_name_of_a_line_or_note_does_no_harm(field: AfmReduction, tmp_path: Path) -> None:
    write_gwy(tmp_path / "out.gwy", replace(field, height_title="h", metadata={"Model": "D"}))
    assert read_gwy(tmp_path / "out.gwy").channels[0].title == "h"


def test_a_folder_that_cannot_be_written_is_told(field: AfmReduction, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="can be written"):
        write_gwy(tmp_path / "file" / "out.gwy", field)


def test_export_writes_every_field_beside_the_tables(tmp_path: Path) -> None:
    write_result(tmp_path / "a.h5", make_result("a", xray=False, sem=False))
    done = triptych("export", tmp_path / "a.h5", "--to", tmp_path / "out", "--gwy")
    assert (done.code, done.stderr) == (0, "")
    assert str(tmp_path / "out" / "afm_0.gwy") in done.stdout.splitlines()
    gwy = read_gwy(tmp_path / "out" / "afm_0.gwy")
    assert [channel.unit for channel in gwy.channels] == ["m", "Pa", ""]
    assert (tmp_path / "out" / "afm_maps.csv").is_file()
    again = triptych("export", tmp_path / "a.h5", "--to", tmp_path / "plain")
    assert again.code == 0
    assert not list((tmp_path / "plain").glob("*.gwy"))


def test_export_of_a_sample_without_afm_says_so(tmp_path: Path) -> None:
    write_result(tmp_path / "a.h5", make_result("a", size=5, sem=False, afm=False))
    done = triptych("export", tmp_path / "a.h5", "--to", tmp_path / "out", "--gwy")
    assert done.code == 1
    assert "expected an AFM field" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(shutil.which("gwyddion") is None, reason="Gwyddion is not installed")
def test_gwyddion_opens_it_and_writes_the_same_again(field: AfmReduction, tmp_path: Path) -> None:
    write_gwy(tmp_path / "out.gwy", field)
    said = subprocess.run(
        ["gwyddion", f"--convert-to-gwy={tmp_path / 'again.gwy'}", str(tmp_path / "out.gwy")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said.stderr == ""
    ours, theirs = (read_gwy(tmp_path / name).channels for name in ("out.gwy", "again.gwy"))
    for one, other in zip(ours, theirs, strict=True):
        assert (one.title, one.unit, one.width, one.metadata) == (
            other.title,
            other.unit,
            other.width,
            other.metadata,
        )
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.mask, other.mask)
        np.testing.assert_array_equal(one.lines, other.lines)
