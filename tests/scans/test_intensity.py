"""Conversion of raw values of any type to 8 bits."""

import numpy as np
import pytest

from automedsam.scans.intensity import Intensity, to_8_bits

RAMP = np.arange(201).reshape(3, 67)  # percentiles 0.5 and 99.5 are 1 and 199
RAMP_SCALED = np.round((RAMP.clip(1, 199) - 1) / 198 * 255).astype(np.uint8)


def scale(values: np.ndarray, window: tuple[float, float] | None = None) -> np.ndarray:
    return to_8_bits(values, Intensity(window).value_range(values))


def test_percentiles_of_a_ramp_become_0_and_255():
    assert Intensity().value_range(RAMP) == (1, 199)
    scaled = scale(RAMP).ravel()
    assert scaled.dtype == np.uint8
    assert [scaled[value] for value in (0, 1, 67, 133, 199, 200)] == [0, 0, 85, 170, 255, 255]


@pytest.mark.parametrize(
    "values",
    [
        RAMP.astype(np.uint8),
        (RAMP - 128).astype(np.int8),
        (RAMP + 65_000).astype(np.uint16),
        (RAMP + 1000).astype(">u2"),
        (RAMP - 32_768).astype(np.int16),
        RAMP.astype(np.int32) - 70_000,
        RAMP.astype(np.int64) * 10**12,
        RAMP.astype(np.float16),
        RAMP.astype(np.float32) / 1024 - 3,
        RAMP.astype(np.float64) * 1e-12,
    ],
    ids=lambda values: f"{values.dtype.str} from {values.min()}",
)
def test_values_of_any_type_and_range_use_all_8_bits(values):
    np.testing.assert_array_equal(scale(values), RAMP_SCALED)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_full_range_of_a_signed_type_does_not_overflow(dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    # Percentiles are between values whose difference exceeds the type.
    values = np.array([low, high] * 50, dtype)
    np.testing.assert_array_equal(scale(values), [0, 255] * 50)
    # Percentile 99.5 is at index 199 * 0.995 = 198.005, 0.5 % of the way to the last value.
    few = np.array([low] * 199 + [high], dtype)
    assert Intensity().value_range(few) == pytest.approx(
        (low, low + 0.005 * (float(high) - float(low))), rel=1e-6
    )


def test_rare_extremes_do_not_darken_the_rest():
    values = np.tile(RAMP, (10, 10)).astype(np.float32)
    values[0, :5], values[1, :5] = 1e9, -1e9
    scaled = scale(values)
    assert (scaled[0, :5] == 255).all()
    assert (scaled[1, :5] == 0).all()
    assert np.abs(scaled[3:].astype(int) - np.tile(RAMP_SCALED, (10, 10))[3:]).max() <= 2


def test_colours_are_scaled_together():
    colours = np.stack([RAMP, RAMP // 2, RAMP // 4], axis=2).astype(np.uint16)
    low, high = Intensity().value_range(colours)
    assert low == 0
    assert high == np.percentile(np.concatenate([RAMP, RAMP // 2, RAMP // 4], axis=None), 99.5)
    scaled = scale(colours)
    assert scaled.shape == (3, 67, 3)
    assert scaled[..., 0].max() == 255
    assert scaled[..., 1].max() == round(255 * 100 / high)


@pytest.mark.parametrize("value", [0, 7, 255, -2.5, 1e30])
def test_constant_image_is_black(value):
    np.testing.assert_array_equal(scale(np.full((5, 6), value)), np.zeros((5, 6)))


@pytest.mark.parametrize("odd", [5, 9])
def test_one_different_pixel_in_a_thousand_is_visible(odd):
    pixels = np.full((40, 25), 7)
    pixels[20, 12] = odd
    np.testing.assert_array_equal(scale(pixels), np.where(pixels == pixels.max(), 255, 0))


def test_window_does_not_depend_on_the_values():
    hounsfield = np.array([-1024, -160, -118, 40, 240, 3071])
    assert Intensity((-160, 240)).value_range(hounsfield) == (-160, 240)
    # (-118 + 160) / 400 * 255 = 26.775, (40 + 160) / 400 * 255 = 127.5, halves to even
    assert scale(hounsfield, (-160, 240)).tolist() == [0, 0, 27, 128, 255, 255]
    assert scale(np.full(3, 40), (-160, 240)).tolist() == [128] * 3
