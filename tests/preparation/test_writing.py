"""The prepared data set on disk: each scan read once, and every file at fault told."""

from dataclasses import replace

import numpy as np
import pytest

from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, ObjectClass
from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.writing import write_cases
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image, write_image
from automedsam.scans.intensity import Intensity
from automedsam.scans.prepared_scan import Preparation
from automedsam.scans.scan import open_scan
from fake_scans import OBJECT, make_slice

AS_IT_IS = Preparation(intensity=Intensity((0, 255)))


def make_file(folder, name, value, labels=None):
    """A scan of 3 x 4 pixels of one value; its labels are told as often as they are read."""
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


def of(scan, split="train", **fields):
    return make_slice(scan.name, split, ((0, 0, 2, 2),), scan=scan, **fields)


def test_images_are_written_and_masks_of_those_that_are_tested_on(tmp_path):
    labels = np.array([[0, 1, 2, 3], [0, 0, 2, 2], [0, 0, 0, 0]])
    (a, of_a), (b, of_b) = make_file(tmp_path, "a", 7, labels), make_file(tmp_path, "b", 9, labels)
    chosen = [of(a), of(b, "test", has_mask=True)]
    (tmp_path / "out").mkdir()
    cases = write_cases(
        chosen, AS_IT_IS, [ObjectClass("2", SINGLE_CLASS_VALUE, (2,), (2,))], tmp_path / "out"
    )
    case = Case("a", "group of a", "train", 3, 4, ((0, 0, 2, 2),), value_range=(0, 255))
    assert cases == [case, replace(case, name="b", group="group of b", split="test", has_mask=True)]
    assert {path.name for path in (tmp_path / "out").rglob("*.png")} == {"a.png", "b.png"}
    assert (read_image(tmp_path / "out/images/a.png") == 7).all()
    assert [path.name for path in (tmp_path / "out/test_masks").iterdir()] == ["b.png"]
    np.testing.assert_array_equal(
        read_image(tmp_path / "out/test_masks/b.png"), 255 * (labels == 2)
    )
    assert (of_a, of_b) == ([], ["b"])


def test_every_file_at_fault_is_told_and_there_are_no_cases(tmp_path):
    scans = [make_file(tmp_path, name, 7)[0] for name in "abc"]
    for name in "ac":
        (tmp_path / f"{name}.png").write_text("broken")
    (tmp_path / "out").mkdir()
    with pytest.raises(
        InputError,
        match=r"^[^;]*a\.png: cannot read the image [^;]*; [^;]*c\.png: cannot read the image",
    ):
        write_cases([of(scan) for scan in scans], AS_IT_IS, OBJECT, tmp_path / "out")
