"""The classes of drawn boxes."""

from automedsam.datasets.annotations.drawn import Annotations, DrawnBox


def test_classes_are_unique_and_numbers_come_first():
    drawn = [
        DrawnBox("", "a", None, classes, (0, 0, 1, 1))
        for classes in [(10, "b"), ("a",), (2, "b"), (10,)]
    ]
    assert Annotations(drawn, {}).classes == [2, 10, "a", "b"]
    assert Annotations([], {}).classes == []
