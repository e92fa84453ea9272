"""Image names in annotation files: each rule, their order, and ambiguous names."""

import pytest

from automedsam.datasets.annotations.image_names import ImageNames, normal, without_suffix

TREE = {
    "p1/a.png": 1,
    "p2/a.png": 1,
    "b.png": 1,
    "p1/c.tif": 1,
    "site/p9/d.png": 1,
    "vol.nii.gz": 60,
    "p3/v.nii": 9,
}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("b.png", "b.png"),
        ("p1/a.png", "p1/a.png"),
        ("./b.png", "b.png"),
        ("images/train/b.png", "b.png"),
        ("images/train/p2/a.png", "p2/a.png"),
        (r"C:\data\p2\a.png", "p2/a.png"),
        ("/data/upload/b.png", "b.png"),
        ("../images/b.png", "b.png"),
        ("c.tif", "p1/c.tif"),
        ("data/c.tif", "p1/c.tif"),
        ("p9/d.png", "site/p9/d.png"),
        ("train/p9/d", "site/p9/d.png"),
        ("b", "b.png"),
        ("b.jpg", "b.png"),
        ("b.PNG", "b.png"),
        ("p1/a", "p1/a.png"),
        ("labels/p1/a", "p1/a.png"),
        ("c", "p1/c.tif"),
        ("vol", "vol.nii.gz"),
        ("vol.nii", "vol.nii.gz"),
        ("v.nii.gz", "p3/v.nii"),
        ("p1__a", "p1/a.png"),
        ("p2__a.jpg", "p2/a.png"),
        ("labels/site__p9__d", "site/p9/d.png"),
        ("1a2b3c4d-b.png", "b.png"),
        ("images/1a2b3c4d-b", "b.png"),
        ("1a2b3c4d-p1__a.png", "p1/a.png"),
    ],
)
def test_find_image(name, path):
    assert ImageNames(TREE).find(name) == ([path], None)


@pytest.mark.parametrize(
    ("name", "path", "index"),
    [
        ("vol_s012.png", "vol.nii.gz", 12),
        ("images/vol_s000", "vol.nii.gz", 0),
        ("vol_s1234.jpg", "vol.nii.gz", 1234),
        ("p3__v_s008.png", "p3/v.nii", 8),
        ("v_s008.png", "p3/v.nii", 8),
        ("p3/v_s008.png", "p3/v.nii", 8),
        ("1a2b3c4d-vol_s012.png", "vol.nii.gz", 12),
    ],
)
def test_find_slice_of_a_volume(name, path, index):
    assert ImageNames(TREE).find(name) == ([path], index)


@pytest.mark.parametrize("name", ["a.png", "p7/a.png", "a", "1a2b3c4d-a.png", "images/a.jpg"])
def test_find_returns_all_images_of_an_ambiguous_name(name):
    assert ImageNames(TREE).find(name) == (["p1/a.png", "p2/a.png"], None)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        ".",
        "z.png",
        "b.v2",
        "B.png",
        "p1",
        "p1/",
        "p2__c",
        "b_s000.png",
        "vol_s12.png",
        "vol_s",
        "_s012",
        "1a2b3c4-b.png",
        "1A2B3C4D-b.png",
        "1a2b3c4d-b/z.png",
        "x1a2b3c4d-b.png",
    ],
)
def test_find_returns_nothing_for_an_unknown_name(name):
    assert ImageNames(TREE).find(name) == ([], None)


@pytest.mark.parametrize(
    ("paths", "name", "found"),
    [
        ({"a.png": 1, "p1/a.png": 1}, "a.png", "a.png"),
        ({"a.png": 1, "p1/a.png": 1}, "a", "a.png"),
        ({"a.png": 1, "a.jpg": 1}, "a.jpg", "a.jpg"),
        ({"a.png": 1, "a.jpg": 1}, "images/a.jpg", "a.jpg"),
        ({"p1/a.png": 1, "p2/a.jpg": 1}, "p1/a.jpg", "p1/a.png"),
        ({"p1/a.png": 1, "p2/a.jpg": 1}, "images/p1/a.jpg", "p1/a.png"),
        ({"p1/a.png": 1, "p2/a.jpg": 1}, "a.jpg", "p2/a.jpg"),
        ({"p1/a.png": 1, "p1__a.png": 1}, "p1__a", "p1__a.png"),
        ({"b.png": 1, "1a2b3c4d-b.png": 1}, "1a2b3c4d-b.png", "1a2b3c4d-b.png"),
        ({"v.nii": 20, "v_s003.png": 1}, "v_s003.png", "v_s003.png"),
        ({"1.2.840.png": 1, "1.2.png": 1}, "1.2.840", "1.2.840.png"),
        ({"v.1.nii.gz": 1}, "v.1", "v.1.nii.gz"),
    ],
)
def test_find_prefers_the_closest_name(paths, name, found):
    assert ImageNames(paths).find(name) == ([found], None)


def test_find_slice_ignores_images():
    assert ImageNames({"v.png": 1, "p1/v.nii.gz": 20}).find("p1/v_s003.png") == (["p1/v.nii.gz"], 3)
    assert ImageNames({"p1/v.nii": 20, "p2/v.nii": 20}).find("v_s003") == (
        ["p1/v.nii", "p2/v.nii"],
        3,
    )


def test_dots_in_a_name_are_not_a_suffix():
    assert ImageNames({"1.2.png": 1}).find("1.2.840") == ([], None)
    assert without_suffix("p.1/v.2.NII.GZ") == "p.1/v.2"
    assert without_suffix("p.1/v.2") == "p.1/v.2"


def test_accents_are_composed():
    one, two = "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"
    assert normal(f"p/{two}.png") == normal(f"p/{one}.png") == f"p/{one}.png"
    for stored, listed in ((one, two), (two, one)):
        assert ImageNames({f"p/{stored}.png": 1}).find(f"{listed}.png") == (
            [f"p/{stored}.png"],
            None,
        )


def test_paths_are_normalised():
    assert normal(r".\a\\b//c.png/") == "a/b/c.png"
