"""Forms of image names before annotation tools changed them."""

import pytest

from automedsam.datasets.annotations.name_forms import name_forms, normal, without_suffix
from automedsam.scans.scan import SUFFIXES


def test_paths_are_normalised():
    assert normal(r".\a\\b//c.png/") == "a/b/c.png"
    one, two = "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"
    assert normal(f"p/{two}.png") == normal(f"p/{one}.png") == f"p/{one}.png"


def test_only_suffixes_of_images_are_removed():
    assert without_suffix("p.1/v.2.NII.GZ") == "p.1/v.2"
    assert without_suffix("p.1/v.2") == "p.1/v.2"


def test_suffixes_of_all_formats_are_removed():
    assert {without_suffix(f"a{suffix}") for suffix in SUFFIXES} == {"a"}


def test_an_ordinary_name_has_one_form():
    for name in ("a.png", "p1/a b-c_d.v2.png", "C:/data/a.png", "12345678.png", ""):
        assert list(name_forms(name)) == [name] * bool(name)


def test_several_changes_are_undone_together():
    forms = name_forms("https://host/data/upload/3/0a1b2c3d-a%20b_png.rf.0123456789abcdef.jpg?x=1")
    assert list(forms.items())[-1] == (
        "a b.jpg",
        "taking the path from a URL and decoding percent signs and removing a hash prefix and "
        "removing the ending of Roboflow",
    )


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("/data/local-files/?d=a.png", "a.png"),
        ("/data/local-files/?d=p1/a.png&x=1", "p1/a.png"),
        ("/data/local-files/?x=1&d=p1/a.png", "p1/a.png"),
        ("http://h:8080/p1/a.png?X-Amz-Expires=9", "p1/a.png"),
        ("s3://bucket/p1/a.png", "p1/a.png"),
        ("p1%2Fa.png", "p1/a.png"),
        ("a.png.rf.0123456789.jpg", "a.jpg"),
        ("a_jpg.rf.0123456789", "a"),
        ("x/0a1b2c3d-a.png", "x/a.png"),
        ("data/upload/12/0a1b2c3d-a.png", "a.png"),
    ],
)
def test_a_change_is_undone(name, form):
    assert form in name_forms(name)


def test_a_hash_prefix_has_eight_digits_before_the_file_name():
    for name in ("1a2b3c4-b.png", "1A2B3C4D-b.png", "x1a2b3c4d-b.png", "1a2b3c4d-b/z.png"):
        assert list(name_forms(name)) == [name]
