"""The LZW decoder against a coder written here, on tiny input."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.io.lzw import lzw_decode


def coded(content: bytes) -> np.ndarray:
    """LZW as TIFF 6.0 section 13 writes it: clear code first, codes of 9 to 12 bits, early change."""
    bits: list[str] = []
    width, table = 9, {bytes([n]): n for n in range(256)}
    bits.append(f"{256:09b}")
    following, held = 258, b""
    for value in content:
        longer = held + bytes([value])
        if longer in table:
            held = longer
            continue
        bits.append(f"{table[held]:0{width}b}")
        table[longer] = following
        following += 1
        if following == 4094:
            bits.append(f"{256:012b}")
            width, following, table = 9, 258, {bytes([n]): n for n in range(256)}
        elif following + 1 > (1 << width):
            width += 1
        held = bytes([value])
    bits.append(f"{table[held]:0{width}b}")
    following += 1
    if following + 1 > (1 << width) and width < 12:
        width += 1
    bits.append(f"{257:0{width}b}")
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return np.frombuffer(bytes(int(text[n : n + 8], 2) for n in range(0, len(text), 8)), dtype=np.uint8)


@pytest.mark.parametrize(
    "content",
    [
        b"a",
        b"aaaaaaaaaaaaaaaaaa",
        bytes(range(256)) * 3,
        bytes(np.random.default_rng(1).integers(0, 9, 9000, "u1")),
    ],
    ids=["one", "repeated", "all", "long enough to fill the table"],
)
def test_what_was_coded_comes_back(content: bytes) -> None:
    target = np.zeros(len(content), dtype=np.uint8)
    assert lzw_decode(coded(content), target) == len(content)
    assert target.tobytes() == content


def test_nothing_is_written_past_the_declared_size_and_a_cut_stream_is_short() -> None:
    content = bytes(np.random.default_rng(2).integers(0, 4, 600, "u1"))
    source = coded(content)
    small = np.zeros(100, dtype=np.uint8)
    assert lzw_decode(source, small) == 100
    assert small.tobytes() == content[:100]
    whole = np.zeros(600, dtype=np.uint8)
    assert lzw_decode(source[: source.size // 2], whole) < 600


def test_a_code_out_of_order_is_refused_and_random_bytes_do_no_harm() -> None:
    early = f"{256:09b}{400:09b}"
    source = np.array([int(early.ljust(24, "0")[n : n + 8], 2) for n in (0, 8, 16)], dtype=np.uint8)
    assert lzw_decode(source, np.zeros(50, dtype=np.uint8)) == -1
    rng = np.random.default_rng(3)
    for _ in range(50):
        written = lzw_decode(rng.integers(0, 256, 60, "u1"), np.zeros(300, dtype=np.uint8))
        assert -1 <= written <= 300
