"""Brightness inside and outside of the boxes on volumes."""

import nibabel as nib
import numpy as np
import pytest

from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.box_brightness import MAX_VOLUMES, count_dark_slices
from automedsam.runtime.errors import InputError
from automedsam.scans.scan import open_scan
from fake_scans import single_class

BOX = (2, 3, 9, 7)
OTHER = (10, 3, 15, 7)


def save_volume(path, object_value=200.0):
    """Four slices of 12 x 16 px; slices 1 and 2 have an object of 7 x 4 px."""
    stack = np.full((4, 12, 16), 50.0)
    stack[1:3, BOX[1] : BOX[3], BOX[0] : BOX[2]] = object_value
    nib.save(nib.Nifti1Image(stack.T, np.diag([-1.5, -2, 8, 1])), path)
    return path


def scan_of(path, boxes):
    return RawScan(path.name, "g", lambda: open_scan(path, "auto"), None, boxes=single_class(boxes))


@pytest.mark.parametrize(
    ("boxes", "counts"),
    [
        ({1: (BOX,), 2: (BOX,)}, (0, 2)),
        ({1: (OTHER,), 2: (BOX,)}, (1, 2)),
        ({0: (BOX,), 1: (OTHER,), 3: ()}, (2, 2)),
        ({1: (BOX, OTHER)}, (0, 1)),
        ({1: ((0, 0, 16, 12),)}, (0, 1)),
        ({1: ()}, (0, 0)),
        (None, (0, 0)),
    ],
)
def test_slices_that_are_not_brighter_inside_the_boxes_are_counted(tmp_path, boxes, counts):
    assert count_dark_slices([scan_of(save_volume(tmp_path / "v.nii"), boxes)]) == counts


def test_a_dark_object_is_counted(tmp_path):
    path = save_volume(tmp_path / "v.nii", object_value=-20)
    assert count_dark_slices([scan_of(path, {1: (BOX,)})]) == (1, 1)


def test_at_most_eight_volumes_are_read(tmp_path):
    path = save_volume(tmp_path / "v.nii")
    scans = [scan_of(path, {1: (OTHER,)})] * (MAX_VOLUMES + 3)
    assert count_dark_slices(scans) == (MAX_VOLUMES, MAX_VOLUMES)


def test_unreadable_volumes_are_left_to_the_preparation(tmp_path):
    def fail():
        raise InputError("broken")

    broken = RawScan("x", "g", fail, None, boxes=single_class({1: (BOX,)}))
    readable = scan_of(save_volume(tmp_path / "v.nii"), {1: (OTHER,)})
    assert count_dark_slices([broken, readable]) == (1, 1)
