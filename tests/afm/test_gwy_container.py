"""The container: agrees with gwyfile where that can read, refuses at once what it cannot trust."""

from __future__ import annotations

import struct
import sys
import time
from pathlib import Path

import gwyfile
import numpy as np
import pytest
from gwyfile.objects import GwyObject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.io.gwy import read_gwy
from analysis.io.gwy_container import MAX_COMPONENTS, MAX_NESTING, GwyNode, read_container
from tests.afm.gwy_files import (
    Channel,
    component,
    doubles,
    obj,
    raw_field,
    raw_file,
    selection,
    text,
    write_channels,
)


def assert_same(node: GwyNode, theirs: GwyObject) -> None:
    assert node.name == theirs.name
    assert list(node.items) == list(theirs)
    for key, value in node.items.items():
        other = theirs[key]
        if isinstance(value, GwyNode):
            assert_same(value, other)
        elif isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, np.asarray(dict.__getitem__(theirs, key)))
        elif isinstance(value, list) and value and isinstance(value[0], GwyNode):
            for one, their_one in zip(value, other, strict=True):
                assert_same(one, their_one)
        else:
            assert value == other


def refused(path: Path, content: bytes) -> str:
    """The sentence that refuses it, said within a second (of the processor, when nothing traces it)."""
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(InputError) as told:
        read_gwy(path)
    assert time.process_time() - began < 1.0 or sys.gettrace() is not None
    assert str(path) in str(told.value)
    return str(told.value)


def small_file(folder: Path) -> bytes:
    values = np.arange(12.0).reshape(3, 4)
    channels = {
        2: Channel(values=values, title="Height", lines=[(0, 0, 1e-6, 1e-6)], meta={"Tip Radius": "8 nm"}),
        5: Channel(values=values * 1e9, title="DMT Modulus", unit="Pa", mask=values > 4),
    }
    log = GwyObject("GwyStringList", {"strings": ["a", "b"]}, {"strings": "S"})
    curve = GwyObject("GwyGraphCurveModel", {"xdata": np.arange(3.0), "ydata": np.arange(3.0)})
    graph = GwyObject("GwyGraphModel", {"title": "p1", "curves": [curve]}, {"title": "s", "curves": "O"})
    extra = {
        "/2/data/log": log,
        "/0/graph/graph/1": graph,
        "/2/select/pt": selection("GwySelectionPoint", [(0, 0)]),
    }
    return write_channels(folder / "small.gwy", channels, extra).read_bytes()


@pytest.mark.real
@pytest.mark.parametrize("name", ["pfqnm_8_channels", "profile-interpolation", "gwyfile_test"])
def test_real_files_read_as_gwyfile_reads_them(real_data: Path, name: str) -> None:
    path = real_data / "gwy" / f"{name}.gwy"
    assert_same(read_container(path), gwyfile.load(str(path)))


def test_every_type_reads_as_gwyfile_reads_it(tmp_path: Path) -> None:
    small_file(tmp_path)
    assert_same(read_container(tmp_path / "small.gwy"), gwyfile.load(str(tmp_path / "small.gwy")))


def test_numbers_and_arrays_of_every_type(tmp_path: Path) -> None:
    path = tmp_path / "types.gwy"
    path.write_bytes(
        raw_file(
            component("b", "b", b"\1"),
            component("c", "c", b"\x41"),
            component("i", "i", struct.pack("<i", -7)),
            component("q", "q", struct.pack("<q", -(2**40))),
            component("d", "d", struct.pack("<d", 0.25)),
            component("C", "C", struct.pack("<I", 3) + b"xyz"),
            component("I", "I", struct.pack("<I2i", 2, 1, -1)),
            component("Q", "Q", struct.pack("<Iq", 1, 2**40)),
            component("D", "D", doubles([0.5, np.nan])),
            component("S", "S", struct.pack("<I", 2) + text("one") + text("two")),
            component("O", "O", struct.pack("<I", 2) + obj("A") + obj("B")),
        )
    )
    items = read_container(path).items
    assert [items[key] for key in "bciqd"] == [True, 65, -7, -(2**40), 0.25]
    assert bytes(items["C"]) == b"xyz"
    assert items["I"].tolist() == [1, -1]
    assert items["Q"].tolist() == [2**40]
    np.testing.assert_array_equal(items["D"], [0.5, np.nan])
    assert items["S"] == ["one", "two"]
    assert items["O"] == [GwyNode("A", {}), GwyNode("B", {})]


@pytest.mark.real
@pytest.mark.parametrize("length", [0, 3, 4, 60, 200, 5000, 60000, 131000, 132000, 132148])
def test_a_real_file_cut_short_is_refused_at_once(real_data: Path, tmp_path: Path, length: int) -> None:
    whole = (real_data / "gwy" / "gwyfile_test.gwy").read_bytes()
    refused(tmp_path / "cut.gwy", whole[:length])


@pytest.mark.real
def test_the_malformed_real_file_is_refused(real_data: Path) -> None:
    with pytest.raises(InputError, match="bad_24_bytes"):
        read_gwy(real_data / "gwy" / "bad_24_bytes.gwy")


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = small_file(tmp_path)
    for length in range(len(whole)):
        refused(tmp_path / "cut.gwy", whole[:length])


def test_cuts_with_the_outer_length_made_to_fit_are_refused_or_lose_whole_components(tmp_path: Path) -> None:
    whole = small_file(tmp_path)
    head = len(b"GWYPGwyContainer\0")
    refusals = 0
    for length in range(head + 4, len(whole)):
        path = tmp_path / "cut.gwy"
        path.write_bytes(whole[:head] + struct.pack("<I", length - head - 4) + whole[head + 4 : length])
        try:
            read_gwy(path)
        except InputError:
            refusals += 1
    assert refusals > 0.95 * (len(whole) - head - 4)


HOSTILE = {
    "another_format": b"GWYO" + obj("GwyContainer"),
    "root_of_another_kind": b"GWYP" + obj("GwyDataField"),
    "bytes_after_the_end": raw_file(component("/0/data", "o", raw_field())) + b"\0",
    "unknown_type": raw_file(component("x", "z", b"\0" * 8)),
    "array_longer_than_the_file": raw_file(component("x", "D", struct.pack("<I", 2**32 - 1) + b"\0" * 16)),
    "list_longer_than_the_file": raw_file(component("x", "S", struct.pack("<I", 2**32 - 1) + b"\0" * 16)),
    "objects_longer_than_the_file": raw_file(component("x", "O", struct.pack("<I", 50_000) + obj("A"))),
    "object_longer_than_its_parent": raw_file(component("x", "o", text("A") + struct.pack("<I", 99))),
    "name_without_end": raw_file(b"no end of this name"),
    "endless_name": raw_file(text("n" * 5000) + b"b\1"),
    "text_without_end": raw_file(component("x", "s", b"no end")),
    "no_channel": raw_file(component("x", "b", b"\1")),
    "channel_that_is_no_object": raw_file(component("/0/data", "b", b"\1")),
    "channel_of_another_kind": raw_file(component("/0/data", "o", obj("GwySIUnit"))),
    "negative_resolution": raw_file(component("/0/data", "o", raw_field(xres=-3, yres=-2))),
    "no_resolution": raw_file(component("/0/data", "o", raw_field(xres=0, values=()))),
    "fewer_values_than_pixels": raw_file(component("/0/data", "o", raw_field(xres=2**30, yres=2**30))),
    "nan_width": raw_file(component("/0/data", "o", raw_field(xreal=float("nan")))),
    "infinite_width": raw_file(component("/0/data", "o", raw_field(xreal=float("inf")))),
    "negative_width": raw_file(component("/0/data", "o", raw_field(xreal=-3.0))),
    "mask_of_another_size": raw_file(
        component("/0/data", "o", raw_field()),
        component("/0/mask", "o", raw_field(xres=1, yres=2, values=(1, 1))),
    ),
    "line_with_three_numbers": raw_file(
        component("/0/data", "o", raw_field()),
        component("/0/select/line", "o", obj("GwySelectionLine", component("data", "D", doubles([0, 1, 2])))),
    ),
    "line_to_nowhere": raw_file(
        component("/0/data", "o", raw_field()),
        component(
            "/0/select/line",
            "o",
            obj("GwySelectionLine", component("data", "D", doubles([0, 1, 2, np.nan]))),
        ),
    ),
    "curve_without_ordinates": raw_file(
        component("/0/data", "o", raw_field()),
        component(
            "/0/graph/graph/1",
            "o",
            obj(
                "GwyGraphModel",
                component(
                    "curves",
                    "O",
                    struct.pack("<I", 1) + obj("GwyGraphCurveModel", component("xdata", "D", doubles([0]))),
                ),
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused_at_once(name: str, tmp_path: Path) -> None:
    refused(tmp_path / "hostile.gwy", HOSTILE[name])


def test_nesting_is_bounded(tmp_path: Path) -> None:
    deep = obj("A")
    for _ in range(5000):
        deep = obj("A", component("a", "o", deep))
    assert "nested" in refused(tmp_path / "deep.gwy", raw_file(component("a", "o", deep)))


def test_nesting_to_the_limit_is_read(tmp_path: Path) -> None:
    deep = obj("A")
    for _ in range(MAX_NESTING - 1):
        deep = obj("A", component("a", "o", deep))
    path = tmp_path / "deep.gwy"
    path.write_bytes(raw_file(component("a", "o", deep)))
    assert read_container(path).name == "GwyContainer"


def test_number_of_components_is_bounded(tmp_path: Path) -> None:
    many = component("", "b", b"\1") * (MAX_COMPONENTS + 1)
    assert "components" in refused(tmp_path / "many.gwy", raw_file(many))


def test_latin_1_text_is_read(tmp_path: Path) -> None:
    path = tmp_path / "latin.gwy"
    title = component("/0/data/title", "s", b"H\xf6he \xb5m\0")
    path.write_bytes(raw_file(title, component("/0/data", "o", raw_field())))
    with pytest.raises(UnicodeDecodeError):
        gwyfile.load(str(path))
    assert read_gwy(path).channels[0].title == "Höhe µm"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent"):
        read_gwy(tmp_path / "absent.gwy")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_but_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    if not (tmp_path / "small.gwy").exists():
        small_file(tmp_path)
    content = bytearray((tmp_path / "small.gwy").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(max_size=6))
        content[at : at + data.draw(st.integers(0, 6))] = patch
    path = tmp_path / "damaged.gwy"
    path.write_bytes(content)
    began = time.process_time()
    try:
        gwy = read_gwy(path)
    except InputError:
        return
    finally:
        assert time.process_time() - began < 1.0 or sys.gettrace() is not None
    assert all(channel.width > 0 and channel.values.ndim == 2 for channel in gwy.channels)
