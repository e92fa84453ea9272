"""Headers and voxels of NIfTI files, compressed or not, with small faults of their writers."""

import gzip
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy

IMAGE_TYPES = (nib.Nifti1Image, nib.Nifti2Image)
GZIP_MAGIC = b"\x1f\x8b"
MAX_GZIP_RATIO = 1032  # of deflate; a header that specifies more is damaged or malicious
CIFTI_INTENTS = range(3000, 3100)  # codes of surfaces in the container of NIfTI-2
MAX_QUATERNION_EXCESS = 1e-3  # of rotations that were rounded
CHUNK_BYTES = 2**20


def read_header(path: Path) -> tuple[type[nib.Nifti1Image], nib.Nifti1Header]:
    """Read the version and the header of a file.

    A third dimension or more of 0 becomes 1. A rotation whose quaternion is slightly too long is
    shortened to a unit quaternion.

    Raises:
      ValueError: If the content is not a NIfTI image, or is shorter than the header specifies.
      Exception: Those of nibabel and gzip on broken files.
    """
    with _open_content(path) as stream:
        start = stream.read(max(kind.header_class.sizeof_hdr for kind in IMAGE_TYPES))
        stream.seek(0)
        for image_type in IMAGE_TYPES:
            if image_type.header_class.may_contain_header(start):
                header = image_type.header_class.from_fileobj(stream)
                break
        else:
            raise ValueError("the content is not NIfTI")
    if int(header["intent_code"]) in CIFTI_INTENTS:
        raise ValueError("a CIFTI file is not a grid of voxels")
    _complete_dimensions(header)
    _shorten_quaternion(header)
    _check_size(path, header)
    return image_type, header


def read_voxels(path: Path, header: nib.Nifti1Header, dtype: type) -> np.ndarray:
    """Read the voxels in the shape of the header, scaled as it specifies.

    Raises:
      Exception: Those of nibabel and gzip on broken files.
    """
    with _open_content(path) as stream:
        voxels: np.ndarray = np.asanyarray(ArrayProxy(stream, header), dtype=dtype)
        # gzip compares its checksum at the end, which nibabel alone never reaches.
        while isinstance(stream, gzip.GzipFile) and stream.read(CHUNK_BYTES):
            pass
    return voxels


@contextmanager
def _open_content(path: Path) -> Iterator[BinaryIO]:
    """Yield the decompressed content; the first bytes decide, because names are often wrong."""
    with path.open("rb") as file:
        is_compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        if not is_compressed:
            yield file
            return
        with gzip.open(file) as content:
            yield cast(BinaryIO, content)


def _complete_dimensions(header: nib.Nifti1Header) -> None:
    shape = header.get_data_shape()
    complete = (*shape[:2], *(length or 1 for length in shape[2:]))
    if complete != shape:
        header.set_data_shape(complete)


def _shorten_quaternion(header: nib.Nifti1Header) -> None:
    fields = ("quatern_b", "quatern_c", "quatern_d")
    length = math.hypot(*(float(header[field]) for field in fields))
    # nibabel tolerates less than the rounding of other tools.
    if length**2 > 1 + header.quaternion_threshold and length <= 1 + MAX_QUATERNION_EXCESS:
        for field in fields:
            header[field] = float(header[field]) / length


def _check_size(path: Path, header: nib.Nifti1Header) -> None:
    """Compare the size of the voxels with that of the file, before memory is reserved for them."""
    voxels = math.prod(header.get_data_shape()) * header.get_data_dtype().itemsize
    size = path.stat().st_size
    with path.open("rb") as file:
        ratio = MAX_GZIP_RATIO if file.read(len(GZIP_MAGIC)) == GZIP_MAGIC else 1
    if header.get_data_offset() + voxels > ratio * size:
        raise ValueError(
            f"the header specifies {voxels:,} bytes of voxels, but the file contains {size:,} bytes"
        )
