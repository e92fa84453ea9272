"""Self-labels on disk."""

from pathlib import Path

import numpy as np
import torch

from automedsam.training.self_label_file import StoredLabel, load_self_labels, save_self_labels

USED = StoredLabel("a", 255, ((1, 2, 3, 4), (5.5, 6, 7, 8)), 0.75, None, 2)
REJECTED = StoredLabel("b", 255, (), 0.0, "was not found")


def test_labels_are_read_as_they_were_written(tmp_path: Path) -> None:
    mask = torch.arange(12, dtype=torch.uint8).reshape(3, 4)
    save_self_labels(tmp_path / "labels", [(USED, mask), (REJECTED, None)])
    (used, loaded), (rejected, nothing) = load_self_labels(tmp_path / "labels")
    assert (used, rejected, nothing) == (USED, REJECTED, None)
    assert loaded is not None
    np.testing.assert_array_equal(loaded, mask)


def test_no_labels_are_a_file_too(tmp_path: Path) -> None:
    save_self_labels(tmp_path / "labels", [])
    assert load_self_labels(tmp_path / "labels") == []
