"""The faults that would give wrong science without a crash, and the quick tests that must notice each."""

from __future__ import annotations

from tests.mutations.runner import Mutation

MUTATIONS = (
    Mutation(
        name="sign of y in phi",
        file="analysis/xray/geometry.py",
        old="np.broadcast_to(-down, shape)",
        new="np.broadcast_to(down, shape)",
        tests=("tests/xray/test_geometry.py",),
    ),
    Mutation(
        name="factor 2 pi",
        file="analysis/xray/lattice.py",
        old="2 * np.pi / (np.abs(b1) * sine)",
        new="1.0 / (np.abs(b1) * sine)",
        tests=("tests/xray/test_lattice.py",),
    ),
    Mutation(
        name="rows and columns swapped",
        file="analysis/xray/geometry.py",
        old="""down = (row - geometry.beam_center_px[1]) * size_y
    right = (col - geometry.beam_center_px[0]) * size_x""",
        new="""down = (row - geometry.beam_center_px[0]) * size_y
    right = (col - geometry.beam_center_px[1]) * size_x""",
        tests=("tests/xray/test_geometry.py",),
    ),
    Mutation(
        name="sin gamma dropped",
        file="analysis/xray/lattice.py",
        old="sine = np.sin(gamma)",
        new="sine = np.ones_like(gamma)",
        tests=("tests/xray/test_lattice.py",),
    ),
    Mutation(
        name="background scale",
        file="analysis/pipeline/xray_scan.py",
        old="return scan_s / background_s, ",
        new="return background_s / scan_s, ",
        tests=("tests/xray/test_scan.py",),
    ),
    Mutation(
        name="mask inverted",
        file="analysis/io/hdf5_stacks.py",
        old="(mask[()] & REJECT_BITS) != 0",
        new="(mask[()] & REJECT_BITS) == 0",
        tests=("tests/xray/test_eiger.py",),
    ),
    Mutation(
        name="s reversed",
        file="analysis/registration/coordinate.py",
        old="return 1.0 - ratio, np.sqrt(variance)",
        new="return ratio, np.sqrt(variance)",
        tests=("tests/registration/test_coordinate.py",),
    ),
    Mutation(
        name="pixel size from the wrong tag",
        file="analysis/io/sem_vendors.py",
        old="None if width is None else width / columns",
        new="raw",
        tests=("tests/sem/test_pixel_size.py",),
    ),
    Mutation(
        name="Pa taken as GPa",
        file="analysis/io/afm_file.py",
        old='{"Pa": GPA_PER_PA, ',
        new='{"Pa": 1.0, ',
        tests=("tests/afm/test_gwy_channels.py",),
    ),
    Mutation(
        name="sigma halved",
        file="analysis/xray/lattice.py",
        old="np.sqrt(np.maximum(variance[:, k], 0.0))",
        new="0.5 * np.sqrt(np.maximum(variance[:, k], 0.0))",
        tests=("tests/xray/test_lattice.py",),
    ),
)
"""Each stands where one edit changes the meaning everywhere; the text to be replaced occurs once."""
