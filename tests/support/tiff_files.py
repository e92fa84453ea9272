"""TIFF files of kinds that Pillow and tifffile do not write."""

import struct
import zlib

import numpy as np
from PIL import Image


def write_tiff(path, *pages, order="<", alpha=None, is_planar=False, is_deflated=False, **tags):
    """Write pages (H, W) or (H, W, channels) of any type, which Pillow cannot.

    `t262=1` sets tag 262 of every page to 1.
    """
    content = bytearray(struct.pack(f"{order}2sHL", b"II" if order == "<" else b"MM", 42, 0))
    link = 4
    for page in pages:
        samples = np.atleast_3d(page).astype(page.dtype.newbyteorder(order))
        height, width, channels = samples.shape
        strips = np.moveaxis(samples, 2, 0) if is_planar else [samples]
        strips = [
            zlib.compress(strip.tobytes()) if is_deflated else strip.tobytes() for strip in strips
        ]
        starts = [len(content) + sum(map(len, strips[:number])) for number in range(len(strips))]
        content += b"".join(strips)
        entries = {
            256: ("L", [width]),
            257: ("L", [height]),
            258: ("H", [8 * samples.itemsize] * channels),
            259: ("H", [8 if is_deflated else 1]),
            262: ("H", [2 if channels > 2 else 1]),
            273: ("L", starts),
            277: ("H", [channels]),
            279: ("L", [len(strip) for strip in strips]),
            284: ("H", [2 if is_planar else 1]),
            339: ("H", [" uif".index(samples.dtype.kind)] * channels),
            **({} if alpha is None else {338: ("H", [alpha])}),
            **{int(tag[1:]): ("H", [value]) for tag, value in tags.items()},
        }
        content += bytes(len(content) % 2)
        struct.pack_into(f"{order}L", content, link, len(content))
        after = len(content) + 2 + 12 * len(entries) + 4
        records, more = struct.pack(f"{order}H", len(entries)), b""
        for tag, (kind, values) in sorted(entries.items()):
            packed = struct.pack(f"{order}{len(values)}{kind}", *values)
            place = (
                packed.ljust(4, b"\0")
                if len(packed) <= 4
                else struct.pack(f"{order}L", after + len(more))
            )
            more += packed if len(packed) > 4 else b""
            records += struct.pack(f"{order}HHL", tag, {"H": 3, "L": 4}[kind], len(values)) + place
        link = len(content) + len(records)
        content += records + bytes(4) + more
    path.write_bytes(content)


def save_pages(path, *pages, **options):
    first, *others = (Image.fromarray(page) for page in pages)
    first.save(path, save_all=True, append_images=others, **options)
