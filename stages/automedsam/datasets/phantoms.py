"""Synthetic ultrasound-like phantoms: one target ring among distractor blobs and rectangles."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

SIZE = 256  # px, height and width
MARGIN = 6  # px, minimum distance between two objects, and between an object and the image border
PIXEL_RANGE = (0.0, 255.0)  # the values are drawn as 8 bits
TARGET = 1  # label of the target; distractors are numbered from 2


@dataclass(frozen=True)
class Phantom:
    """A synthetic image with a label for each of its objects."""

    image: np.ndarray  # (256, 256) uint8
    labels: np.ndarray  # (256, 256) uint8: 0 background, 1 target, 2 to 5 distractors

    @property
    def mask(self) -> np.ndarray:
        """Mask of the target, (256, 256), bool, never empty."""
        return self.labels == TARGET


@dataclass(frozen=True)
class Shape:
    """One object: its mask and the brightness that it adds to the tissue."""

    mask: np.ndarray  # (256, 256) bool
    echo: np.ndarray  # (256, 256) float, 0 outside the mask


def draw_phantom(rng: np.random.Generator) -> Phantom:
    """Draw one target and 2 to 4 distractors; no two objects overlap.

    The target is a ring with a bright rim and a dark inside. The same state of `rng` gives the
    same phantom.
    """
    shapes = [_place(rng, _ring, [])]
    for _ in range(rng.integers(2, 5)):
        draw = _blob if rng.random() < 0.5 else _rectangle
        shapes.append(_place(rng, draw, shapes))
    tissue = 0.38 + 0.09 * _smooth_noise(rng, sigma=40)
    clean = gaussian_filter(tissue + sum(shape.echo for shape in shapes), rng.uniform(0.8, 1.6))
    speckle = 1 + rng.uniform(0.10, 0.22) * _smooth_noise(rng, sigma=rng.uniform(0.6, 1.2))
    image = np.clip(clean * speckle, 0, 1)
    labels = np.zeros((SIZE, SIZE), np.uint8)
    for label, shape in enumerate(shapes, start=TARGET):
        labels[shape.mask] = label
    return Phantom((255 * image).round().astype(np.uint8), labels)


def _place(
    rng: np.random.Generator, draw: Callable[[np.random.Generator], Shape], others: list[Shape]
) -> Shape:
    """Draw an object until it keeps its distance from the others.

    The objects are small enough that a few attempts suffice.
    """
    occupied = np.zeros((SIZE, SIZE), bool)
    for other in others:
        occupied |= other.mask
    if others:
        occupied = binary_dilation(occupied, iterations=MARGIN)
    while True:
        shape = draw(rng)
        if not (shape.mask & occupied).any():
            return shape


def _ring(rng: np.random.Generator) -> Shape:
    """Target: an ellipse deformed by low harmonics, with a bright rim and a dark inside."""
    long = rng.uniform(24, 56)
    radius, angle = _ellipse_radius(rng, long, long * rng.uniform(0.65, 1.0))
    phases = rng.uniform(0, 2 * np.pi, 2)
    radius = radius / (
        1 + 0.05 * np.cos(2 * angle + phases[0]) + 0.04 * np.cos(3 * angle + phases[1])
    )
    mask = radius <= 1
    depth = (1 - radius) * long  # px inside the edge
    rim = np.exp(-((depth - 2) ** 2) / (2 * rng.uniform(1.5, 2.5) ** 2))  # brightest at 2 px
    return Shape(mask, mask * (rng.uniform(0.2, 0.4) * rim - rng.uniform(0.16, 0.26) * (1 - rim)))


def _blob(rng: np.random.Generator) -> Shape:
    """Distractor: a bright, filled ellipse."""
    long = rng.uniform(12, 30)
    radius, _ = _ellipse_radius(rng, long, long * rng.uniform(0.6, 1.0))
    mask = radius <= 1
    return Shape(mask, mask * rng.uniform(0.22, 0.4))


def _rectangle(rng: np.random.Generator) -> Shape:
    """Distractor: a dark, filled rectangle, rotated by a random angle."""
    half = rng.uniform(10, 28, 2)
    along, across = _rotated_grid(rng, float(np.hypot(*half)))
    mask = (np.abs(along) <= half[0]) & (np.abs(across) <= half[1])
    return Shape(mask, mask * -rng.uniform(0.16, 0.26))


def _ellipse_radius(
    rng: np.random.Generator, long: float, short: float
) -> tuple[np.ndarray, np.ndarray]:
    """Normalised radius (1 on the ellipse) and polar angle of every pixel, each (256, 256).

    Centre and rotation of the ellipse are random.
    """
    along, across = _rotated_grid(rng, long * 1.1)  # 1.1: the harmonics reach further out
    return np.hypot(along / long, across / short), np.arctan2(across / short, along / long)


def _rotated_grid(rng: np.random.Generator, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates along and across a random direction, each (256, 256), in px.

    The origin is a random point at least `reach` + `MARGIN` px from the image border.
    """
    x, y = rng.uniform(reach + MARGIN, SIZE - 1 - reach - MARGIN, 2)
    angle = rng.uniform(0, np.pi)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    return along, (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)


def _smooth_noise(rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Gaussian noise (256, 256), zero mean, unit deviation, correlated over about `sigma` px."""
    noise = gaussian_filter(rng.standard_normal((SIZE, SIZE)), sigma, mode="wrap")
    return (noise - noise.mean()) / noise.std()
