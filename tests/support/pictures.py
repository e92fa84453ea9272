"""Pixel values of test images, and the EXIF orientations."""

import numpy as np

RAMP = np.arange(201).reshape(3, 67)
GREY = (RAMP + 20).astype(np.uint8)
COLOURS = np.stack([RAMP, 200 - RAMP, RAMP // 2], axis=2).astype(np.uint8)
# 16 bits whose low bytes differ, so that a reduction to 8 bits is noticed.
DEEP = (np.stack([RAMP, 200 - RAMP, RAMP // 2, RAMP % 7], axis=2) * 300 + 7).astype(np.uint16)
RED_GREEN_BLUE = [255, 0, 0, 0, 255, 0, 0, 0, 255]
# EXIF orientation to the function that maps displayed pixels to stored ones.
TURNS = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: np.swapaxes(upright, 0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.swapaxes(np.rot90(upright, 2), 0, 1),
    8: lambda upright: np.rot90(upright, -1),
}
