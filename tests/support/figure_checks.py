"""Checks that all figures must pass, and readers of saved figures."""

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from PIL import Image


def check_png(path, min_side=300, max_side=1600, max_bytes=300_000):
    """Check that the file is a PNG of reasonable size that shows black and white."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert min_side <= min(image.size) < max(image.size) <= max_side
        assert np.ptp(np.asarray(image.convert("L"))) == 255
    assert 5_000 < path.stat().st_size < max_bytes


def check_reproducible(folder, draw):
    """Check that `draw(path)` creates the folder of the path and writes the same bytes twice."""
    draw(folder / "one/figure.png")
    draw(folder / "other/figure.png")
    assert (folder / "one/figure.png").read_bytes() == (folder / "other/figure.png").read_bytes()


def legend_labels(*legends):
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def box_colours(axes):
    """Colours of the boxes, "#RRGGBB"."""
    return [to_hex(patch.get_edgecolor()).upper() for patch in axes.patches]


def count_pixels(path, colour):
    """Number of pixels of the PNG that have this colour, except for rounding."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((np.abs(pixels - 255 * np.array(to_rgb(colour))) <= 2).all(axis=2).sum())
