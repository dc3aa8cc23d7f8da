"""NanoScope files: values as Gwyddion itself reads them, units of the header, false lengths refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.io.afm_formats import read_afm
from analysis.io.nanoscope import read_nanoscope
from analysis.io.sample_file import AfmBlock
from analysis.pipeline.afm import check_afm, reduce_afm
from tests.afm.made_fields import Block
from tests.afm.nanoscope_files import CASES, MODULUS, NEW, OLD, Image, counts, file_bytes, write

REFERENCE = json.loads((Path(__file__).parent / "reference" / "nanoscope_gwyddion_2_62.json").read_text())
SI = {"nm": 1e-9, "µm": 1e-6, "MPa": 1e6, "V": 1.0, "log(Arb)": 1.0}


@pytest.mark.parametrize("case", CASES)
def test_values_and_sizes_are_gwyddions(case: str, tmp_path: Path) -> None:
    file = read_afm(write(tmp_path / "map.spm", CASES[case]))
    assert len(file.channels) == len(REFERENCE[case])
    for channel, theirs in zip(file.channels, REFERENCE[case], strict=True):
        np.testing.assert_allclose(channel.values * SI[channel.unit], theirs["values"], rtol=1e-12)
        scale = SI[channel.xy_unit]
        assert (channel.width * scale, channel.height * scale) == pytest.approx(
            (theirs["width"], theirs["height"])
        )
        if channel.unit in ("nm", "MPa"):
            assert theirs["unit"] == {"nm": "m", "MPa": "Pa"}[channel.unit]


def test_titles_units_and_notes_are_those_of_the_header(tmp_path: Path) -> None:
    plain = Image(counts=counts(0), name="S [Height]")
    file = read_nanoscope(write(tmp_path / "a.000", file_bytes([plain, MODULUS])))
    assert [channel.title for channel in file.channels] == ["Height", "DMTModulus"]
    assert [channel.unit for channel in file.channels] == ["nm", "MPa"]
    assert file.channels[1].metadata["Tip Radius"] == "5"
    assert file.channels[0].metadata["Line Direction"] == "Retrace"


def test_an_image_that_was_stopped_has_the_rows_that_are_there(tmp_path: Path) -> None:
    file = read_nanoscope(write(tmp_path / "a.000", file_bytes([Image(counts=counts(0), lines=10)])))
    assert file.channels[0].shape == (5, 6)
    assert file.channels[0].height == pytest.approx(0.5)


def measured(path: Path) -> Block:
    """The block as a NanoScope file of 4.8 x 3.6 um with a modulus without a unit."""
    block = Block(tilt=(300.0, -200.0), noise=2.0)
    per_count = 24.576 / 2**16 * 57.39005
    modulus = np.where(block.inside(), 2e3, 2e4) * np.random.default_rng(0).lognormal(0, 0.1, block.shape)
    height = Image(counts=np.rint(block.measured() / per_count), size="4.8 3.6 ~m")
    stiffness = Image(
        counts=np.rint(modulus * 2**32 / 65536.0),
        name='S [Stiffness] "DMTModulus"',
        z_scale="V [Sens. StiffnessSens] (0.00001 Arb/LSB) 65536.00 Arb",
        bytes_per_pixel=4,
        size="4.8 3.6 ~m",
    )
    write(path, file_bytes([height, stiffness]))
    return block


def test_a_file_is_reduced_with_the_unit_that_it_does_not_say(tmp_path: Path) -> None:
    block = measured(tmp_path / "map.spm")
    keys = {"file": "map.spm", "modulus": "DMTModulus", "modulus_unit": "MPa"}
    found = reduce_afm(AfmBlock.model_validate(keys), index=0, folder=tmp_path)
    np.testing.assert_array_equal(found.status != 1, block.inside())
    assert found.statistics["modulus_median"].value == pytest.approx(2.0, rel=0.02)
    assert found.statistics["height_mean"].value == pytest.approx(800.0, rel=0.01)
    assert found.metadata["Tip radius"] == "5"
    assert found.grid.cell_um == pytest.approx((0.05, 0.05))
    report = "\n".join(check_afm(AfmBlock.model_validate(keys), folder=tmp_path))
    assert "'DMTModulus', unit Arb, 96 x 72 px" in report


def test_a_modulus_without_a_unit_is_refused_with_the_remedy(tmp_path: Path) -> None:
    measured(tmp_path / "map.spm")
    for keys, words in (({"modulus": "DMTModulus"}, "modulus_unit"), ({"modulus_unit": "MPa"}, "name the")):
        with pytest.raises(InputError, match=words):
            reduce_afm(AfmBlock.model_validate({"file": "map.spm", **keys}), index=0, folder=tmp_path)


WHOLE = CASES["four_bytes"]
ONE = [Image(counts=counts(0))]
HOSTILE = {
    "empty": b"",
    "another_format": b"\\*Force file list\r\n",
    "no_end_of_header": WHOLE[:2000],
    "no_image": file_bytes([]),
    "cut_in_the_numbers": WHOLE[:-1],
    "cut_after_the_header": WHOLE[:4096],
    "rows_past_the_end": WHOLE.replace(b"\\Data length: 120\r", b"\\Data length: 999\r").replace(
        b"\\Number of lines: 5\r", b"\\Number of lines: 9\r"
    ),
    "too_many_columns": WHOLE.replace(b"\\Samps/line: 6\r", b"\\Samps/line: 99999999\r"),
    "negative_offset": WHOLE.replace(b"\\Data offset: 4096\r", b"\\Data offset: -4096\r"),
    "less_than_a_row": WHOLE.replace(b"\\Data length: 120\r", b"\\Data length: 20\r"),
    "no_columns": file_bytes(ONE, drop="Samps/line"),
    "no_scale": file_bytes(ONE, drop="Z scale: V"),
    "no_sensitivity": file_bytes(ONE, drop="@Sens. ZsensSens:"),
    "no_size": file_bytes(ONE, drop="Scan Size"),
    "size_of_no_length": file_bytes([Image(counts=counts(0), size="5 5 V")]),
    "scale_zero": file_bytes([Image(counts=counts(0), z_scale="V [Sens. Zsens] (1 V/LSB) 0 V")]),
    "scale_infinite": file_bytes([Image(counts=counts(0), z_scale="V [Sens. Zsens] (1 V/LSB) 1e999 V")]),
    "three_bytes": file_bytes([Image(counts=counts(0), bytes_per_pixel=3)], version=OLD),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "hostile.spm", HOSTILE[name])
    with pytest.raises(InputError, match=r"hostile\.spm"):
        read_afm(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    for reader in (read_afm, read_nanoscope):
        with pytest.raises(InputError, match="absent"):
            reader(tmp_path / "absent.spm")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_header_is_refused_or_read_but_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(file_bytes(ONE, version=data.draw(st.sampled_from([OLD, NEW]))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 900))
        content[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    try:
        file = read_afm(write(tmp_path / "damaged.spm", bytes(content)))
    except InputError:
        return
    assert all(channel.width > 0 and channel.values.ndim == 2 for channel in file.channels)
