"""The prepared data set on disk: one read per scan, and one error for all unreadable files."""

from dataclasses import replace

import numpy as np
import pytest

from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.writing import write_cases
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image, write_image
from automedsam.scans.intensity import Intensity
from automedsam.scans.prepared_scan import Preparation
from automedsam.scans.scan import open_scan
from fake_scans import OBJECT, make_slice

UNSCALED = Preparation(intensity=Intensity((0, 255)))


def make_file(folder, name, value, labels=None):
    """A scan of 3 x 4 pixels of one value, and a list that grows whenever its labels are read."""
    path = folder / f"{name}.png"
    write_image(path, np.full((3, 4), value, np.uint8))
    reads = []

    def read_labels():
        reads.append(name)
        return np.asarray(labels)[None]

    scan = RawScan(
        name,
        f"group of {name}",
        lambda: open_scan(path, "auto"),
        None if labels is None else read_labels,
    )
    return scan, reads


def surveyed(scan, split="train", **fields):
    return make_slice(scan.name, split, ((0, 0, 2, 2),), scan=scan, **fields)


def test_write_cases_writes_all_images_and_test_masks_only(tmp_path):
    labels = np.array([[0, 1, 2, 3], [0, 0, 2, 2], [0, 0, 0, 0]])
    (a, reads_a), (b, reads_b) = (
        make_file(tmp_path, "a", 7, labels),
        make_file(tmp_path, "b", 9, labels),
    )
    chosen = [surveyed(a), surveyed(b, "test", has_mask=True)]
    (tmp_path / "out").mkdir()
    classes = Classes([ObjectClass("2", SINGLE_CLASS_VALUE, (2,), (2,))])
    cases = write_cases(chosen, UNSCALED, classes, tmp_path / "out")
    boxes = {SINGLE_CLASS_VALUE: ((0, 0, 2, 2),)}
    case = Case("a", "group of a", "train", 3, 4, boxes, value_range=(0, 255))
    assert cases == [case, replace(case, name="b", group="group of b", split="test", has_mask=True)]
    assert {path.name for path in (tmp_path / "out").rglob("*.png")} == {"a.png", "b.png"}
    assert (read_image(tmp_path / "out/images/a.png") == 7).all()
    assert [path.name for path in (tmp_path / "out/test_masks").iterdir()] == ["b.png"]
    np.testing.assert_array_equal(
        read_image(tmp_path / "out/test_masks/b.png"), 255 * (labels == 2)
    )
    assert (reads_a, reads_b) == ([], ["b"])


def test_write_cases_reports_all_unreadable_files(tmp_path):
    scans = [make_file(tmp_path, name, 7)[0] for name in "abc"]
    for name in "ac":
        (tmp_path / f"{name}.png").write_text("broken")
    (tmp_path / "out").mkdir()
    with pytest.raises(
        InputError,
        match=r"^[^;]*a\.png: cannot read the image [^;]*; [^;]*c\.png: cannot read the image",
    ):
        write_cases([surveyed(scan) for scan in scans], UNSCALED, OBJECT, tmp_path / "out")
