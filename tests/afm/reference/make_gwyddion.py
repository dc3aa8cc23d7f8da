"""How ``gwyddion_2_62.json`` was made: numbers of libgwyprocess itself, called through ctypes.

Needs Debian's ``libgwyddion2-0`` (2.62-1) and the real files; run by hand:
``python tests/afm/reference/make_gwyddion.py REAL_DATA > tests/afm/reference/gwyddion_2_62.json``.
"""

from __future__ import annotations

import ctypes as c
import json
import sys
from pathlib import Path

import gwyfile
import numpy as np

LIBRARIES = "/usr/lib/x86_64-linux-gnu/libgwyddion2.so.0", "/usr/lib/x86_64-linux-gnu/libgwyprocess2.so.0"
ROUND = 1
IGNORE_MASK = 2
LINES = ((1, 1, 9, 5), (2, 3, 8, 3), (4, 1, 4, 5), (9, 5, 1, 1), (0, 0, 10, 6), (2, 5, 3, 1), (10, 2, 0, 4))


def library() -> c.CDLL:
    lib = [c.CDLL(path, mode=c.RTLD_GLOBAL) for path in LIBRARIES][-1]
    lib.gwy_process_type_init()
    pointer, integer, double = c.c_void_p, c.c_int, c.c_double
    doubles = c.POINTER(double)
    for name, result, arguments in (
        ("data_field_new", pointer, [integer, integer, double, double, integer]),
        ("data_field_get_data", doubles, [pointer]),
        ("data_field_get_profile", pointer, [pointer, pointer] + [integer] * 7),
        ("data_line_get_res", integer, [pointer]),
        ("data_line_get_data", doubles, [pointer]),
        ("data_field_fit_plane", None, [pointer] + [doubles] * 3),
        ("data_field_area_fit_plane", None, [pointer, pointer] + [integer] * 4 + [doubles] * 3),
        ("data_field_fit_facet_plane", integer, [pointer, pointer, integer] + [doubles] * 3),
        ("data_field_plane_level", None, [pointer] + [double] * 3),
        (
            "data_field_area_fit_poly",
            doubles,
            [pointer, pointer] + [integer] * 5 + [pointer, integer, doubles],
        ),
        ("data_field_area_subtract_poly", None, [pointer] + [integer] * 5 + [pointer, doubles]),
        ("data_field_mask_outliers", None, [pointer, pointer, double]),
        ("data_field_find_row_shifts_trimmed_mean", pointer, [pointer, pointer, integer, double, integer]),
        ("data_field_find_row_shifts_trimmed_diff", pointer, [pointer, pointer, integer, double, integer]),
        ("data_field_get_avg", double, [pointer]),
        ("data_field_get_rms", double, [pointer]),
        ("data_field_get_median", double, [pointer]),
    ):
        function = getattr(lib, f"gwy_{name}")
        function.restype, function.argtypes = result, arguments
    return lib


def made_up_field() -> np.ndarray:
    row, col = np.indices((7, 11))
    return ((row * 37 + col * 101 + row * col * 13) % 97).astype(float)


class Gwyddion:
    def __init__(self) -> None:
        self.lib = library()

    def field(self, values: np.ndarray) -> int:
        rows, cols = values.shape
        field = self.lib.gwy_data_field_new(cols, rows, float(cols), float(rows), 1)
        np.ctypeslib.as_array(self.lib.gwy_data_field_get_data(field), (rows, cols))[:] = values
        return field

    def profile(self, field: int, line: tuple[int, ...], points: int, thickness: int) -> list[float]:
        found = self.lib.gwy_data_field_get_profile(field, None, *line, points, thickness, ROUND)
        n = self.lib.gwy_data_line_get_res(found)
        return np.ctypeslib.as_array(self.lib.gwy_data_line_get_data(found), (n,)).tolist()

    def plane(self, field: int) -> list[float]:
        """Offset at the first pixel, slope per column and per row."""
        found = [c.c_double() for _ in range(3)]
        self.lib.gwy_data_field_fit_plane(field, *map(c.byref, found))
        return [value.value for value in found]

    def values(self, field: int, shape: tuple[int, int]) -> np.ndarray:
        return np.ctypeslib.as_array(self.lib.gwy_data_field_get_data(field), shape).copy()

    def facet_tilt(self, values: np.ndarray) -> list[float]:
        """Slopes per column and row after a hundred rounds, as the module "Facet Level" makes them."""
        field, tilt = self.field(values), np.zeros(2)
        for _ in range(100):
            found = [c.c_double() for _ in range(3)]
            self.lib.gwy_data_field_fit_facet_plane(field, None, 0, *map(c.byref, found))
            tilt += [value.value for value in found[1:]]
            self.lib.gwy_data_field_plane_level(field, *(value.value for value in found))
        return tilt.tolist()

    def without_polynomial(
        self, values: np.ndarray, degree: int, mask: np.ndarray | None = None
    ) -> np.ndarray:
        rows, cols = values.shape
        powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
        flat = (c.c_int * (2 * len(powers)))(*(power for pair in powers for power in pair))
        field = self.field(values)
        masked = None if mask is None else self.field(mask.astype(float))
        area = 0, 0, cols, rows, len(powers), flat
        fitted = self.lib.gwy_data_field_area_fit_poly(field, masked, *area, 0, None)
        self.lib.gwy_data_field_area_subtract_poly(field, *area, fitted)
        return self.values(field, values.shape)

    def outliers(self, values: np.ndarray, sigmas: float) -> list[int]:
        mask = self.field(np.zeros(values.shape))
        self.lib.gwy_data_field_mask_outliers(self.field(values), mask, sigmas)
        return np.flatnonzero(self.values(mask, values.shape) > 0.0).tolist()

    def row_shifts(self, values: np.ndarray, kind: str) -> list[float]:
        """Shifts by medians of rows (``mean``, all but the middle left out) or of their differences."""
        find = getattr(self.lib, f"gwy_data_field_find_row_shifts_trimmed_{kind}")
        found = find(self.field(np.ascontiguousarray(values)), None, IGNORE_MASK, 0.5, 0)
        n = self.lib.gwy_data_line_get_res(found)
        return np.ctypeslib.as_array(self.lib.gwy_data_line_get_data(found), (n,)).tolist()

    def masked_plane(self, values: np.ndarray, mask: np.ndarray) -> list[float]:
        found = [c.c_double() for _ in range(3)]
        rows, cols = values.shape
        self.lib.gwy_data_field_area_fit_plane(
            self.field(values), self.field(mask.astype(float)), 0, 0, cols, rows, *map(c.byref, found)
        )
        return [value.value for value in found]


def main(real: Path) -> None:
    g = Gwyddion()
    made_up = made_up_field()
    field = g.field(made_up)
    profiles = [
        {"ends": line, "points": points, "thickness": t, "values": g.profile(field, line, points, t)}
        for line in LINES
        for points, t in ((-1, 1), (-1, 2), (-1, 3), (-1, 6), (20, 1), (20, 4))
    ]
    channels = gwyfile.load(str(real / "gwy" / "pfqnm_8_channels.gwy"))
    height, modulus = (channels[f"/{number}/data"].data for number in (7, 2))
    long_lines = ((3, 500, 509, 11), (17, 40, 480, 42))
    numbers = {
        "made_by": "libgwyprocess of Gwyddion 2.62 (Debian 2.62-1)",
        "profiles": profiles,
        "plane": g.plane(field),
        "masked_plane": g.masked_plane(made_up, made_up > 40.0),
        "masked_polynomial_3": g.without_polynomial(made_up, 3, made_up > 20.0).ravel().tolist(),
        "row_shifts_mean": g.row_shifts(made_up, "mean"),
        "row_shifts_diff": g.row_shifts(made_up, "diff"),
        "real_row_shifts_nm": g.row_shifts(height[:120, :511] * 1e9, "mean"),
        "real_polynomial_2_nm": g.without_polynomial(height * 1e9, 2).ravel()[::9973].tolist(),
        "real_facet_tilt_nm": g.facet_tilt(height * 1e9),
        "real_outliers": g.outliers(height, 3.0),
        "real_plane_nm": g.plane(g.field(height * 1e9)),
        "real_height_profiles_nm": [
            {"ends": line, "thickness": t, "values": g.profile(g.field(height * 1e9), line, -1, t)[::25]}
            for line in long_lines
            for t in (1, 5)
        ],
        "real_modulus_gpa": {
            name: getattr(g.lib, f"gwy_data_field_get_{name}")(g.field(modulus * 1e-9))
            for name in ("avg", "rms", "median")
        },
    }
    json.dump(numbers, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
