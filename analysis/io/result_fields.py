"""Records as HDF5 groups: every field becomes a dataset or a group of its own name, with its unit.

Writing goes by value, reading by the type hints of the record, so what is read is what the record says or
an error. Lengths in a file are not trusted; its links and storage must have been audited when it was opened.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from analysis.records import Measured

COMPRESS_FROM_BYTES = 4096
MAX_BYTES = 2**31
"""No array of a result but the patterns is larger."""
MAX_RATIO = 1100
"""Deflate cannot pack more tightly: an array that claims to is a bomb."""

TEXT = h5py.string_dtype("utf-8")

UNITS = (
    ("_per_nm", "nm^-1"),
    ("_rad", "rad"),
    ("_deg", "deg"),
    ("_gpa", "GPa"),
    ("_kev", "keV"),
    ("_um", "um"),
    ("_nm", "nm"),
    ("_mm", "mm"),
    ("_px", "px"),
    ("_pct", "%"),
)
"""Ends of field names and the units they stand for; spatial frequencies (k) are 1/nm, without 2 pi."""

PLAIN_FREQUENCIES = {"k_per_nm", "delta_k_per_nm", "delta_k_err_per_nm", "delta_k_each_per_nm"}


class LayoutError(ValueError):
    """A file holds something else than its layout says; the text says what."""


def unit_of(name: str) -> str:
    """Unit that a field's name carries, '' for a number without one."""
    if name in PLAIN_FREQUENCIES or "k_max_per_nm" in name or name == "radial_k_per_nm":
        return "1/nm"
    if name == "spacing_err_nm":
        return "nm"
    return next((unit for end, unit in UNITS if name.endswith(end)), "")


def clean(text: str) -> str:
    """Text that HDF5 can hold: without NUL and lone surrogates, each replaced by U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8") if text else text


# --- writing --------------------------------------------------------------------------------------------


def new_group(parent: h5py.Group, name: str, nx_class: str = "NXcollection") -> h5py.Group:
    """A group with its NeXus class."""
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def put_array(group: h5py.Group, name: str, values: np.ndarray, unit: str) -> h5py.Dataset:
    """A numeric dataset with its unit; larger ones are compressed and carry checksums."""
    packed: dict[str, Any] = {}
    if values.nbytes >= COMPRESS_FROM_BYTES and values.ndim:
        packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
        packed["chunks"] = _chunk_shape(values)
    dataset = group.create_dataset(name, data=values, track_times=False, **packed)
    dataset.attrs["units"] = unit
    return dataset


def _chunk_shape(values: np.ndarray) -> tuple[int, ...]:
    """Whole rows (of the last axes) up to about a megabyte."""
    shape = list(values.shape)
    for axis in range(values.ndim):
        rest = values.itemsize * int(np.prod(shape[axis + 1 :], dtype=np.int64))
        if rest * shape[axis] <= 2**20:
            break
        shape[axis] = max(1, 2**20 // max(rest, 1))
        if shape[axis] > 1:
            break
    return tuple(max(1, n) for n in shape)


def put_text(group: h5py.Group, name: str, text: str | Sequence[str]) -> None:
    """A UTF-8 string, or a list of them."""
    value = clean(text) if isinstance(text, str) else np.array([clean(t) for t in text], dtype=object)
    dataset = group.create_dataset(name, data=value, dtype=TEXT, track_times=False)
    dataset.attrs["units"] = ""


def put(group: h5py.Group, name: str, value: object) -> None:
    """Write one field under its name; None leaves no trace."""
    if value is None:
        return
    if isinstance(value, str):
        put_text(group, name, value)
    elif isinstance(value, np.ndarray | bool | int | float | np.generic):
        put_array(group, name, np.asarray(value), unit_of(name))
    elif dataclasses.is_dataclass(value):
        put_record(new_group(group, name), value)
    elif isinstance(value, Mapping):
        _put_mapping(group, name, value)
    else:
        _put_sequence(group, name, typing.cast("Sequence[Any]", value))


def put_record(group: h5py.Group, record: object, *, without: frozenset[str] = frozenset()) -> None:
    """Write every field of a record but those named."""
    for item in dataclasses.fields(typing.cast("Any", record)):
        if item.name not in without:
            put(group, item.name, getattr(record, item.name))


def _put_mapping(group: h5py.Group, name: str, mapping: Mapping[str, Any]) -> None:
    made = new_group(group, name)
    put_text(made, "keys", list(mapping))
    values = list(mapping.values())
    if any(isinstance(value, Measured | None) for value in values):
        for number, value in enumerate(values):
            put_measured(made, str(number), value)
    elif all(isinstance(value, str) for value in values):
        put_text(made, "values", values)
    else:
        put_array(made, "values", np.array(values), "")


def _put_sequence(group: h5py.Group, name: str, items: Sequence[Any]) -> None:
    if items and all(dataclasses.is_dataclass(item) for item in items):
        _put_table(new_group(group, name), items)
    elif all(isinstance(item, str) for item in items):
        put_text(group, name, items)
    elif any(isinstance(item, tuple) for item in items):
        put_text(group, name, json.dumps(items, default=lambda value: value.item()))
    else:
        put_array(group, name, np.array(items), unit_of(name))


def _put_table(group: h5py.Group, records: Sequence[Any]) -> None:
    """Records of one kind as columns, a dataset a field: lists end to end, larger arrays stacked or apart."""
    group.attrs["n"] = len(records)
    for item in dataclasses.fields(records[0]):
        name = item.name
        values = [getattr(record, name) for record in records]
        if isinstance(values[0], str):
            put_text(group, name, values)
        elif isinstance(values[0], np.ndarray) and values[0].ndim == 1:
            column = put_array(group, name, np.concatenate(values), unit_of(name))
            column.attrs["lengths"] = [len(value) for value in values]
        elif len({np.shape(value) for value in values}) == 1:
            put_array(group, name, np.array(values), unit_of(name))
        else:
            arrays = new_group(group, name)
            for number, value in enumerate(values):
                put_array(arrays, str(number), np.asarray(value), unit_of(name))


def put_measured(group: h5py.Group, name: str, value: Measured | None) -> None:
    """A number as a scalar dataset whose attributes hold what is known of it; an empty one for None."""
    if value is None:
        group.create_dataset(name, data=h5py.Empty("f8")).attrs["units"] = ""
        return
    dataset = put_array(group, name, np.asarray(value.value), clean(value.unit))
    for known in ("err", "sys", "std", "n"):
        if (number := getattr(value, known)) is not None:
            dataset.attrs[known] = number


# --- reading --------------------------------------------------------------------------------------------


def subgroup(group: h5py.Group, name: str) -> h5py.Group:
    """A group in a group; raises LayoutError where there is none."""
    found = _member(group, name)
    if not isinstance(found, h5py.Group):
        raise LayoutError(f"a dataset instead of a group at {found.name}")
    return found


def dataset_of(group: h5py.Group, name: str) -> h5py.Dataset:
    """A dataset in a group; raises LayoutError where there is none."""
    found = _member(group, name)
    if not isinstance(found, h5py.Dataset):
        raise LayoutError(f"a group instead of a dataset at {found.name}")
    return found


def _member(group: h5py.Group, name: str) -> Any:
    try:
        return group[name]
    except KeyError:
        raise LayoutError(f"no {group.name.rstrip('/')}/{name}") from None


def take_array(group: h5py.Group, name: str, dtype: Any = None) -> np.ndarray:
    """Values of a numeric dataset; raises LayoutError where they are of another type, or a bomb."""
    dataset = dataset_of(group, name)
    if dataset.shape is None or dataset.dtype.kind not in "biuf":
        raise LayoutError(f"no numbers at {dataset.name}")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > min(MAX_BYTES, MAX_RATIO * stored + 2**16):
        raise LayoutError(f"{dataset.nbytes} bytes claimed by {stored} at {dataset.name}")
    if dtype is not None and dataset.dtype != np.dtype(dtype):
        raise LayoutError(f"{dataset.dtype} instead of {np.dtype(dtype)} at {dataset.name}")
    return np.asarray(dataset[()])


def take_text(group: h5py.Group, name: str) -> str:
    """A UTF-8 string."""
    found = _strings(group, name)[()]
    if not isinstance(found, str):
        raise LayoutError(f"a list instead of one string at {group.name}/{name}")
    return found


def take_texts(group: h5py.Group, name: str) -> tuple[str, ...]:
    """A list of UTF-8 strings."""
    found = _strings(group, name)
    if found.ndim != 1:
        raise LayoutError(f"no list of strings at {group.name}/{name}")
    return tuple(str(text) for text in found[()])


def _strings(group: h5py.Group, name: str) -> Any:
    dataset = dataset_of(group, name)
    if h5py.check_string_dtype(dataset.dtype) is None or dataset.size > 1_000_000:
        raise LayoutError(f"no text at {dataset.name}")
    return dataset.asstr()


def take(group: h5py.Group, name: str, hint: Any) -> Any:
    """One field as its type hint says; a missing one is None where the hint allows it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if name not in group and type(None) in arguments:
            return None
        kinds = [kind for kind in arguments if kind is not type(None)]
        if len(kinds) == 1:
            return take(group, name, kinds[0])
        found = take_array(group, name)
        if found.dtype not in [_dtype(kind) for kind in kinds]:
            raise LayoutError(f"{found.dtype} at {group.name}/{name}")
        return found
    if origin is np.ndarray:
        return take_array(group, name, _dtype(hint))
    if dataclasses.is_dataclass(hint):
        return take_record(subgroup(group, name), typing.cast("type[Any]", hint))
    if origin is tuple or origin is Sequence:
        return _take_sequence(group, name, arguments)
    if origin is Mapping:
        return _take_mapping(subgroup(group, name), arguments[1])
    return take_text(group, name) if hint is str else _scalar(group, name, hint)


def take_record(group: h5py.Group, kind: type[Any], **known: Any) -> Any:
    """A record from its group; fields in ``known`` are given, not read."""
    hints = typing.get_type_hints(kind)
    names = [item.name for item in dataclasses.fields(kind) if item.name not in known]
    return kind(**known, **{name: take(group, name, hints[name]) for name in names})


def _dtype(hint: Any) -> np.dtype[Any]:
    found: np.dtype[Any] = np.dtype(typing.get_args(typing.get_args(hint)[1])[0])
    return found


def _scalar(group: h5py.Group, name: str, hint: Any) -> Any:
    found = take_array(group, name)
    if found.ndim or (hint is not float and found.dtype.kind not in "biu"):
        raise LayoutError(f"no single {hint.__name__} at {group.name}/{name}")
    return hint(found)


def _take_sequence(group: h5py.Group, name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    first = arguments[0]
    many = arguments[-1] is Ellipsis or len(arguments) == 1
    if dataclasses.is_dataclass(first):
        found = _member(group, name)
        return () if isinstance(found, h5py.Dataset) else _take_table(found, first)
    if typing.get_origin(first) is tuple:
        kinds = typing.get_args(first)
        rows = json.loads(take_text(group, name)) if _is_text_scalar(group, name) else []
        return tuple(tuple(kind(cell) for kind, cell in zip(kinds, row, strict=True)) for row in rows)
    if first is str:
        return take_texts(group, name)
    values = take_array(group, name)
    if values.ndim != 1 or not (many or len(values) == len(arguments)):
        raise LayoutError(f"{values.shape} numbers at {group.name}/{name}")
    return tuple(first(value) for value in values)


def _take_table(group: h5py.Group, kind: Any) -> tuple[Any, ...]:
    hints = typing.get_type_hints(kind)
    n = int(group.attrs["n"])
    columns = {}
    for item in dataclasses.fields(kind):
        columns[item.name] = column = _take_column(group, item.name, hints[item.name], n)
        if len(column) != n:
            raise LayoutError(f"{len(column)} instead of {n} values at {group.name}/{item.name}")
    return tuple(kind(**{name: column[row] for name, column in columns.items()}) for row in range(n))


def _take_column(group: h5py.Group, name: str, hint: Any, n: int) -> Sequence[Any]:
    if hint is str:
        return take_texts(group, name)
    if typing.get_origin(hint) is np.ndarray:
        found = _member(group, name)
        if isinstance(found, h5py.Group):
            return [take_array(found, str(number), _dtype(hint)) for number in range(n)]
        values = take_array(group, name, _dtype(hint))
        return _parted(values, found.attrs["lengths"]) if "lengths" in found.attrs else list(values)
    values = take_array(group, name)
    if typing.get_origin(hint) is tuple:
        kinds = typing.get_args(hint)
        return [tuple(kind(cell) for kind, cell in zip(kinds, row, strict=True)) for row in values]
    return [hint(value) for value in values]


def _parted(values: np.ndarray, lengths: Any) -> list[np.ndarray]:
    ends = np.cumsum(np.asarray(lengths, dtype=np.int64))
    if values.ndim != 1 or (
        ends.size and (int(ends[-1]) != values.size or np.any(np.diff(ends, prepend=0) < 0))
    ):
        raise LayoutError(f"lists of {len(ends)} lengths that do not add up to {values.size}")
    return [part.copy() for part in np.split(values, ends[:-1])] if ends.size else []


def _is_text_scalar(group: h5py.Group, name: str) -> bool:
    return bool(dataset_of(group, name).ndim == 0)


def _take_mapping(group: h5py.Group, kind: Any) -> dict[str, Any]:
    keys = take_texts(group, "keys")
    if kind is Measured or Measured in typing.get_args(kind):
        return {key: take_measured(group, str(number)) for number, key in enumerate(keys)}
    if not keys:
        return {}
    values = take_texts(group, "values") if kind is str else take_array(group, "values")
    return {key: kind(value) for key, value in zip(keys, values, strict=True)}


def take_measured(group: h5py.Group, name: str) -> Measured | None:
    """A number with its attributes, or None."""
    dataset = dataset_of(group, name)
    if dataset.shape is None:
        return None
    known = {key: float(dataset.attrs[key]) for key in ("err", "sys", "std") if key in dataset.attrs}
    n = int(dataset.attrs["n"]) if "n" in dataset.attrs else None
    value = float(_scalar(group, name, float))
    return Measured(value=value, unit=attribute_text(dataset, "units"), n=n, **known)


def attribute_text(item: Any, name: str) -> str:
    """A string attribute, '' where there is none."""
    value = item.attrs.get(name, "")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
