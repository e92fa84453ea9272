"""Padding outside of the field of view."""

from pathlib import Path

import numpy as np
import pytest

from automedsam.scans.padding import measured_values

BODY = np.linspace(-1000, 1000, 900)


def with_padding(low, count=100, edge=()):
    return np.concatenate([np.full(count, low), edge, BODY])


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
@pytest.mark.parametrize("low", [-2000, -2048, -3024, -32768])
def test_padding_is_left_out_with_a_warning(tmp_path, low, dtype, caplog):
    values = with_padding(low).astype(dtype)
    kept = measured_values(tmp_path / f"{low}_{dtype}.nii", values.reshape(10, 4, 25))
    np.testing.assert_array_equal(kept, BODY.astype(dtype))
    assert caplog.messages == [
        f"{tmp_path / f'{low}_{dtype}.nii'}: 10.0% of the values are {low}, which is usual outside "
        "of the field of view; the grey scale ignores them, unless window_low and window_high are "
        "set"
    ]


def test_padding_without_data_of_float32_is_left_out(tmp_path):
    values = with_padding(np.finfo(np.float32).min).astype(np.float32)
    assert measured_values(tmp_path, values).min() == -1000


def test_interpolated_edges_are_left_out(tmp_path):
    values = with_padding(-3024, edge=np.linspace(-3000, -1100, 20))
    np.testing.assert_array_equal(measured_values(tmp_path, values), BODY)


@pytest.mark.parametrize(
    "values",
    [
        BODY,
        np.array([0, 255], np.uint8),
        with_padding(-1024),  # air
        with_padding(-1999),
        with_padding(-2000, count=4),  # too few to matter
        with_padding(-2000, edge=np.linspace(-1999, -1025, 30)),  # measured values
        np.full(5, -2000.0),
    ],
    ids=["body", "bytes", "air", "other value", "few", "values below air", "constant"],
)
def test_other_values_are_kept(values, caplog):
    assert measured_values(Path("a.nii"), values) is values
    assert caplog.messages == []
