"""Eight bytes at a time from anywhere in an array of bytes, little-endian, for compiled loops.

numba's own indexing takes one element at a time and wants words aligned; these two give plain machine loads
and stores. They check nothing: the caller has made sure that ``place + 8`` is inside.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

Raw = npt.NDArray[np.uint8]

WORD = ir.IntType(64)

if sys.byteorder != "little":  # pragma: no cover - no such machine runs this
    raise ImportError("the compiled decoders are written for little-endian machines")


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, place: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), WORD.as_pointer())


def _load(_typing: Any, data: Any, _place: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(_pointer(context, builder, signature.args[0], args[0], args[1]))
        value.align = 1
        return value

    return types.uint64(data, types.uint64), generate


def _store(_typing: Any, data: Any, _place: Any, _value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        made = builder.store(args[2], _pointer(context, builder, signature.args[0], args[0], args[1]))
        made.align = 1
        return context.get_dummy_value()

    return types.void(data, types.uint64, types.uint64), generate


def _plain_load(data: Raw, place: np.uint64) -> np.uint64:
    return np.uint64(int.from_bytes(data[int(place) : int(place) + 8].tobytes(), "little"))


def _plain_store(data: Raw, place: np.uint64, value: np.uint64) -> None:
    data[int(place) : int(place) + 8] = np.frombuffer(int(value).to_bytes(8, "little"), dtype=np.uint8)


NOT_COMPILED = bool(vars(config)["DISABLE_JIT"])

load64: Any = _plain_load if NOT_COMPILED else intrinsic(_load)
"""``load64(data, place)``: the word that begins at byte ``place`` (uint64)."""

store64: Any = _plain_store if NOT_COMPILED else intrinsic(_store)
"""``store64(data, place, value)``: put a word there."""
