"""The synthetic data set: its splits, and that every phantom is reproducible."""

from collections import Counter

import numpy as np

from automedsam.datasets.synthetic import synthetic_scans


def test_synthetic_scans_have_fixed_splits_and_names():
    scans = synthetic_scans()
    names = [f"phantom_{number:03d}" for number in range(120)]
    assert Counter(scan.split for scan in scans) == {"train": 40, "val": 20, "test": 60}
    assert [scan.name for scan in scans] == [scan.group for scan in scans] == names


def test_synthetic_scans_are_reproducible_images_with_masks():
    for one, other in zip(synthetic_scans()[::40], synthetic_scans()[::40], strict=True):
        opened, labels = one.open(), one.read_labels()
        assert (opened.shape, opened.is_volume, opened.spacing_mm) == ((1, 256, 256), False, None)
        assert opened.read_values().dtype == np.uint8
        assert opened.read_values().tobytes() == other.open().read_values().tobytes()
        assert (labels.shape, labels.dtype) == ((1, 256, 256), np.int64)
        assert labels.tobytes() == other.read_labels().tobytes()
        assert np.unique(labels).tolist() == [0, 1]


def test_synthetic_scans_differ_from_each_other():
    assert len({scan.open().read_values().tobytes() for scan in synthetic_scans()[:4]}) == 4
