"""A reduced field goes out as a Gwyddion file that gwyfile and our own reader read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gwyfile
import numpy as np
import pytest

from analysis.io.gwy import read_gwy
from analysis.io.gwy_write import write_gwy
from analysis.io.sample_file import AfmBlock
from analysis.pipeline.afm import reduce_afm
from analysis.records import AFM_STATUS, AfmReduction, Coordinate
from tests.afm.gwy_files import Channel, write_channels
from tests.afm.made_fields import Block


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
