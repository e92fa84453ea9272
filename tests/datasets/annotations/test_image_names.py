"""Image names in annotation files: each rule, their order, and ambiguous names."""

from time import process_time

import pytest

from automedsam.datasets.annotations.image_names import ImageNames, Match

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
    found = ImageNames(TREE).find(name)
    assert (found.paths, found.slice) == ([path], None)


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
    found = ImageNames(TREE).find(name)
    assert (found.paths, found.slice) == ([path], index)


@pytest.mark.parametrize("name", ["a.png", "a", "1a2b3c4d-a.png", "images/a.jpg"])
def test_find_returns_all_images_of_an_ambiguous_name(name):
    found = ImageNames(TREE).find(name)
    assert (found.paths, found.slice) == (["p1/a.png", "p2/a.png"], None)


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
        "p7/a.png",
        "p7/c.tif",
        "site/p8/d.png",
        "p8/d.png",
        "p7/1a2b3c4d-c.tif",
    ],
)
def test_find_returns_nothing_for_an_unknown_name(name):
    assert ImageNames(TREE).find(name) == Match([])


def test_images_of_equal_names_are_searched_by_their_folder():
    names = ImageNames({f"p{number}/images/s.png": 1 for number in range(3000)})
    start = process_time()
    for number in range(3000):
        assert names.find(f"other{number}/s.png") == Match([])
        assert names.find(f"p{number}/s.png").paths == [f"p{number}/images/s.png"]
    assert process_time() - start < 5  # a search of all of them each time takes a minute


@pytest.mark.parametrize(
    ("paths", "name", "found"),
    [
        ({"patient1/x.png": 1}, "patient1/images/x.png", "patient1/x.png"),
        ({"patient1/images/x.png": 1}, "labels/patient1/x.png", "patient1/images/x.png"),
        ({"s.png": 1, "p1/s.png": 1}, "images/s.png", "s.png"),
        ({"p1/s.png": 1, "site/p1/s.png": 1}, "images/p1/s.png", "p1/s.png"),
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
    assert ImageNames(paths).find(name).paths == [found]


def test_find_slice_ignores_images():
    names = ImageNames({"v.png": 1, "p1/v.nii.gz": 20})
    assert names.find("p1/v_s003.png") == Match(["p1/v.nii.gz"], 3, folders="p1")
    names = ImageNames({"p1/v.nii": 20, "p2/v.nii": 20})
    assert names.find("v_s003") == Match(["p1/v.nii", "p2/v.nii"], 3)


def test_dots_in_a_name_are_not_a_suffix():
    assert ImageNames({"1.2.png": 1}).find("1.2.840") == Match([])


def test_accents_are_composed():
    one, two = "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"
    for stored, listed in ((one, two), (two, one)):
        names = ImageNames({f"p/{stored}.png": 1})
        assert names.find(f"{listed}.png").paths == [f"p/{stored}.png"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("patient2/s.png", None),
        ("study/patient2/s", None),
        ("patient2/images/s.png", None),
        ("val/patient1/s.png", None),
        ("val/s.png", None),
        ("test/labels/s.txt", None),
        ("labels/s", "train/patient1/s.png"),
        ("train/s", "train/patient1/s.png"),
        ("s.png", "train/patient1/s.png"),
        ("patient1/s.png", "train/patient1/s.png"),
        ("D:/study/train/patient1/s.png", "train/patient1/s.png"),
    ],
)
def test_an_image_is_not_found_in_the_folder_of_another_patient_or_split(name, path):
    found = ImageNames({"train/patient1/s.png": 1}).find(name).paths
    assert found == ([path] if path else [])


@pytest.mark.parametrize("folder", ["images", "labels", "JPEGImages", "data/upload"])
def test_folders_of_tools_are_no_patients(folder):
    assert ImageNames({"patient1/s.png": 1}).find(f"{folder}/s.png").paths == ["patient1/s.png"]
    names = ImageNames({f"{folder}/s.png": 1})
    assert names.find("patient1/s.png") == Match(
        [f"{folder}/s.png"], None, "leaving out folders", "patient1"
    )


@pytest.mark.parametrize(
    ("name", "path", "change"),
    [
        ("a b.png", "a b.png", ""),
        ("labels/a b", "a b.png", ""),
        ("p1__c.png", "p1/c.png", ""),
        ("v_s003.png", "v.nii.gz", ""),
        ("0a1b2c3d-p1__c.png", "p1/c.png", "removing a hash prefix"),
        ("data/upload/7/0a1b2c3d-c.png", "p1/c.png", "removing a hash prefix"),
        ("0a1b2c3d-v_s003.png", "v.nii.gz", "removing a hash prefix"),
        ("a%20b.png", "a b.png", "decoding percent signs"),
        ("a_b.png", "a b.png", "reading underscores as spaces"),
        (
            "upload/0a1b2c3d-a_b.png",
            "a b.png",
            "removing a hash prefix and reading underscores as spaces",
        ),
        ("/data/local-files/?d=p1/c.png", "p1/c.png", "taking the path from a URL"),
        (
            "/data/local-files/?d=p1%2Fc.png",
            "p1/c.png",
            "taking the path from a URL and decoding percent signs",
        ),
        ("s3://bucket/p1/c.png", "p1/c.png", "leaving out folders"),
        ("s3://bucket/c.png", "p1/c.png", "taking the path from a URL"),
        (
            "https://host.org/bucket/c.png?X-Amz-Date=1&X-Amz-Signature=a%2Fb",
            None,
            "",
        ),
        (
            "https://host.org/p1/c.png?X-Amz-Date=1&X-Amz-Signature=a%2Fb",
            "p1/c.png",
            "taking the path from a URL",
        ),
        (
            "c_png.rf.4f5d0cb1b6d8a1d4f8b2d1c4e5f60718.jpg",
            "p1/c.png",
            "removing the ending of Roboflow",
        ),
        ("c.png", "p1/c.png", "adding folders"),
        ("study/a b.png", "a b.png", "leaving out folders"),
        ("p1/c.jpg", "p1/c.png", "changing the suffix"),
    ],
)
def test_a_match_describes_what_was_changed_in_the_name(name, path, change):
    found = ImageNames({"a b.png": 1, "p1/c.png": 1, "v.nii.gz": 9}).find(name)
    assert (found.paths, found.change) == ([path] if path else [], change)


def test_an_exact_name_precedes_every_change():
    tree = dict.fromkeys(
        ["a%20b.png", "a b.png", "0a1b2c3d-c.png", "c.png", "d_e.png", "d e.png"], 1
    )
    for name in tree:
        assert ImageNames(tree).find(name) == Match([name])


def test_a_changed_name_is_ambiguous_if_spaces_may_have_been_replaced():
    """The upload may have been named `d e.png`, because the tool replaces spaces as well."""
    names = ImageNames({"d e.png": 1, "d_e.png": 1})
    assert names.find("0a1b2c3d-d_e.png").paths == ["d e.png", "d_e.png"]
