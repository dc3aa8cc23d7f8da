"""Images in a result file: small ones compressed, large ones as they are, so that they can be mapped."""

from __future__ import annotations

import h5py
import numpy as np

from analysis.io.result_fields import LayoutError, dataset_of, put_array, take_array

MAPPED_FROM_BYTES = 64_000_000
"""An image from this size on lies in one piece in the file and is mapped from it, never read whole."""


def put_pixels(group: h5py.Group, name: str, pixels: np.ndarray) -> None:
    """Write an image (rows, cols) of uint8 or uint16."""
    if pixels.nbytes < MAPPED_FROM_BYTES:
        put_array(group, name, pixels, "")
        return
    dataset = group.create_dataset(name, shape=pixels.shape, dtype=pixels.dtype.newbyteorder("<"))
    rows = max(1, 2**24 // max(1, pixels[0].nbytes))
    for row in range(0, pixels.shape[0], rows):
        dataset[row : row + rows] = pixels[row : row + rows]
    dataset.attrs["units"] = ""


def take_pixels(group: h5py.Group, name: str) -> np.ndarray:
    """The image that :func:`put_pixels` wrote; a large one as a read-only map of its place in the file."""
    dataset = dataset_of(group, name)
    if dataset.ndim != 2 or dataset.dtype not in (np.uint8, np.uint16):
        raise LayoutError(f"an image of shape {dataset.shape} and type {dataset.dtype}")
    offset = dataset.id.get_offset() if dataset.chunks is None else None
    whole = dataset.id.get_storage_size() == dataset.nbytes
    if offset is None or not whole or dataset.nbytes < MAPPED_FROM_BYTES:
        return take_array(group, name)
    return np.memmap(group.file.filename, dtype=dataset.dtype, mode="r", offset=offset, shape=dataset.shape)
