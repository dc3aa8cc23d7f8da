"""Letters for burned-in text: a 5 x 7 dot font of the few characters that the information bar needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

GLYPHS = {
    "0": "0e 13 15 15 15 19 0e",
    "1": "04 0c 04 04 04 04 0e",
    "2": "0e 11 01 06 08 10 1f",
    "3": "1f 02 04 06 01 11 0e",
    "5": "1f 10 1e 01 01 11 0e",
    "7": "1f 01 02 04 08 08 08",
    ".": "00 00 00 00 00 0c 0c",
    "(": "02 04 08 08 08 04 02",
    ")": "08 04 02 02 02 04 08",
    "A": "0e 11 11 1f 11 11 11",
    "D": "1e 11 11 11 11 11 1e",
    "E": "1f 10 10 1e 10 10 1f",
    "I": "0e 04 04 04 04 04 0e",
    "L": "10 10 10 10 10 10 1f",
    "M": "11 1b 15 15 11 11 11",
    "S": "0f 10 10 0e 01 01 1e",
    "T": "1f 04 04 04 04 04 04",
    "U": "11 11 11 11 11 11 0e",
    "V": "11 11 11 11 11 0a 04",
    "k": "10 10 12 14 18 14 12",
    "m": "00 00 1a 15 15 15 15",
    "n": "00 00 16 19 11 11 11",
    "x": "00 00 11 0a 04 0a 11",
    " ": "00 00 00 00 00 00 00",
}
"""Seven rows a character, each a hexadecimal number of five bits, the leftmost dot highest."""


def draw_text(image: npt.NDArray[np.uint8], text: str, *, row: int, col: int, scale: int) -> None:
    """Write white ``text`` into ``image`` in place, from (row, col), its top-left pixel."""
    for character in text:
        dots = np.array([[int(line, 16) >> bit & 1 for bit in range(4, -1, -1)] for line in _rows(character)])
        block = np.kron(dots, np.ones((scale, scale), dtype=np.uint8)).astype(np.uint8) * 255
        part = image[row : row + block.shape[0], col : col + block.shape[1]]
        part |= block[: part.shape[0], : part.shape[1]]
        col += 6 * scale


def _rows(character: str) -> list[str]:
    return GLYPHS[character].split()
