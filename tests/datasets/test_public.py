"""Official archives: the scans of each layout, and the errors for missing files."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from automedsam.datasets.public import ARCHIVES, acdc_scans, camus_scans, hc18_scans
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import write_image
from automedsam.scans.framing import Framing

HEADER = "filename,pixel size(mm),head circumference (mm)"
HERE = (".", "above")  # the folder that contains the scans, and its parent


def write_head(folder: Path, name: str, annotation: np.ndarray | None = None) -> None:
    write_image(folder / f"{name}.png", np.full((4, 6), 9, np.uint8))
    if annotation is not None:
        write_image(folder / f"{name}_Annotation.png", annotation)


def write_volume(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values.astype(np.uint8), np.diag([-1.5, -1.5, 8, 1])), path)


def write_heart(folder: Path, frame: int, info: str | None) -> None:
    """Write an ACDC patient of 5 x 4 x 3 voxels, one voxel of the last slice labelled."""
    values = np.zeros((5, 4, 3))
    values[1, 2, 2] = 1
    write_volume(folder / f"{folder.name}_frame{frame:02d}.nii.gz", values * 50)
    write_volume(folder / f"{folder.name}_frame{frame:02d}_gt.nii.gz", values)
    if info is not None:
        (folder / "Info.cfg").write_text(info, encoding="utf-8")


def write_view(folder: Path, part: str = "2CH_ED") -> None:
    """Write a CAMUS view of 5 x 4 pixels, one of them labelled."""
    values = np.zeros((5, 4))
    values[1, 2] = 1
    write_volume(folder / f"{folder.name}_{part}.nii.gz", values * 50)
    write_volume(folder / f"{folder.name}_{part}_gt.nii.gz", values)


def test_each_archive_has_the_framing_of_the_paper():
    assert {name: archive.framing for name, archive in ARCHIVES.items()} == {
        "hc18": Framing(pixel_mm=None, canvas_px=640),
        "acdc": Framing(pixel_mm=1.0, canvas_px=256),
        "camus": Framing(pixel_mm=None, canvas_px=512),
    }
    assert [archive.list_scans for archive in ARCHIVES.values()] == [
        hc18_scans,
        acdc_scans,
        camus_scans,
    ]


@pytest.mark.parametrize(("place", "table"), [(".", "."), ("above", "."), ("above", "..")])
def test_hc18_scans_have_filled_masks_spacings_and_groups(tmp_path, monkeypatch, place, table):
    folder = tmp_path / "training_set"
    ring = np.zeros((4, 6), np.uint8)
    ring[1:4, 2:5] = 255
    ring[2, 3] = 0
    for name in ("010_HC", "002_2HC", "002_HC"):
        write_head(folder, name, ring)
    write_head(folder, "._002_HC")
    write_head(folder, "notes")
    (folder / table / "training_set_pixel_size_and_HC.csv").write_text(
        f"{HEADER}\n002_HC.png,0.07,44.3\n002_2HC.png,0.08,4\n010_HC.png,.1,5\n", "utf-8"
    )
    monkeypatch.chdir(folder)
    scans = hc18_scans(Path("." if place == "." else ".."), "auto")
    assert [(scan.name, scan.group, scan.split) for scan in scans] == [
        ("002_2HC", "002", None),
        ("002_HC", "002", None),
        ("010_HC", "010", None),
    ]
    assert [scan.spacing_mm for scan in scans] == [(0.08,) * 3, (0.07,) * 3, (0.1,) * 3]
    assert scans[0].open().shape == (1, 4, 6)
    expected = np.zeros((1, 4, 6), np.int64)
    expected[0, 1:4, 2:5] = 1
    assert scans[0].read_labels().dtype == np.int64
    np.testing.assert_array_equal(scans[0].read_labels(), expected)


def test_hc18_table_outside_of_data_dir_is_rejected(tmp_path):
    write_head(tmp_path / "training_set", "000_HC", np.zeros((4, 6), np.uint8))
    table = tmp_path / "training_set_pixel_size_and_HC.csv"
    table.write_text(f"{HEADER}\n000_HC.png,0.07,44.3\n", "utf-8")
    assert [scan.spacing_mm for scan in hc18_scans(tmp_path, "auto")] == [(0.07,) * 3]
    with pytest.raises(InputError) as error:
        hc18_scans(tmp_path / "training_set", "auto")
    assert str(error.value) == (
        f"data_dir: {tmp_path / 'training_set'} must also contain {table}, "
        "which belongs to the data set"
    )


def test_hc18_without_the_table_has_no_spacing(tmp_path):
    write_head(tmp_path, "000_HC", np.zeros((4, 6), np.uint8))
    (scan,) = hc18_scans(tmp_path, "auto")
    assert scan.spacing_mm is None
    assert not scan.read_labels().any()


def test_hc18_errors_are_reported_together(tmp_path):
    blank = np.zeros((4, 6), np.uint8)
    for number in range(5):
        write_head(tmp_path / "training_set", f"{number:03d}_HC", blank if number else None)
    table = tmp_path / "training_set_pixel_size_and_HC.csv"
    table.write_text(
        f"{HEADER}\n000_HC.png,0.1,9\n001_HC.png,0,9\n002_HC.png,wide,9\n003_HC.png\n", "utf-8"
    )
    with pytest.raises(InputError) as error:
        hc18_scans(tmp_path, "auto")
    assert str(error.value).split("; ") == [
        f"{tmp_path / 'training_set/000_HC_Annotation.png'}: file not found",
        f"{table}, line 3: expected a pixel size above 0 mm, found '0'",
        f"{table}, line 4: expected a pixel size above 0 mm, found 'wide'",
        f"{table}, line 5: expected a pixel size above 0 mm, found ''",
        f"{table}: no row for 004_HC.png",
    ]


def test_hc18_table_with_other_columns_is_rejected(tmp_path):
    write_head(tmp_path, "000_HC", np.zeros((4, 6), np.uint8))
    (tmp_path / "training_set_pixel_size_and_HC.csv").write_text("file,size\n", "utf-8")
    with pytest.raises(
        InputError,
        match=r"HC.csv: expected the columns filename, pixel size\(mm\), found file, size",
    ):
        hc18_scans(tmp_path, "auto")


@pytest.mark.parametrize("place", HERE)
def test_acdc_scans_are_end_diastolic_and_testing_is_the_test_split(tmp_path, place):
    database = tmp_path / "database"
    write_heart(database / "training/patient002", 4, "ED: 4\nES: 12\nGroup: DCM\n")
    write_heart(database / "training/patient002", 12, None)
    write_heart(database / "training/patient001", 1, "ED: 1\r\nES: 12\r\n")
    write_heart(database / "testing/patient101", 10, "ES: 1\nED: 10")
    (database / "training/patient001/patient001_4d.nii.gz").touch()
    (database / "training/.patient003").mkdir()
    scans = acdc_scans(database if place == "." else tmp_path, "auto")
    assert [(scan.name, scan.group, scan.split, scan.spacing_mm) for scan in scans] == [
        ("patient001_frame01", "patient001", None, None),
        ("patient002_frame04", "patient002", None, None),
        ("patient101_frame10", "patient101", "test", None),
    ]
    assert scans[0].open().shape == (3, 4, 5)
    assert scans[0].open().spacing_mm == (8, 1.5, 1.5)
    assert np.argwhere(scans[0].read_labels()).tolist() == [[2, 2, 1]]


@pytest.mark.parametrize("folder", ["patients", "testing"])
def test_acdc_patients_without_their_database_have_no_split(tmp_path, folder):
    write_heart(tmp_path / folder / "patient001", 1, "ED: 1\n")
    assert [scan.split for scan in acdc_scans(tmp_path / folder, "auto")] == [None]


def test_acdc_errors_are_reported_together(tmp_path):
    for number, info in enumerate([None, "ES: 12\nLED: 3\n", "ED: 2\n", "ED: 1\n"]):
        write_heart(tmp_path / f"patient00{number}", 1, info)
    (tmp_path / "patient003/patient003_frame01_gt.nii.gz").unlink()
    with pytest.raises(InputError) as error:
        acdc_scans(tmp_path, "auto")
    assert str(error.value).split("; ") == [
        f"{tmp_path / 'patient000/Info.cfg'}: file not found",
        f"{tmp_path / 'patient001/Info.cfg'}: no line such as 'ED: 1' with the number of the "
        "end-diastolic frame",
        f"{tmp_path / 'patient002/patient002_frame02.nii.gz'}: file not found",
        f"{tmp_path / 'patient002/patient002_frame02_gt.nii.gz'}: file not found",
        f"{tmp_path / 'patient003/patient003_frame01_gt.nii.gz'}: file not found",
    ]


@pytest.mark.parametrize("folder", [".", "CAMUS_public"])
def test_camus_scans_have_the_official_splits(tmp_path, folder):
    public = tmp_path / "CAMUS_public"
    for number in (4, 3, 2, 1):
        write_view(public / f"database_nifti/patient000{number}")
        write_view(public / f"database_nifti/patient000{number}", "2CH_ES")
        write_view(public / f"database_nifti/patient000{number}", "2CH_half_sequence")
    (public / "database_split").mkdir()
    for word, listed in {"training": "1\npatient0009", "validation": "2", "testing": "3\n"}.items():
        (public / f"database_split/subgroup_{word}.txt").write_text(
            f"patient000{listed}\n", "utf-8"
        )
    scans = camus_scans(tmp_path / folder, "auto")
    assert [(scan.name, scan.group, scan.split) for scan in scans] == [
        ("patient0001_2CH_ED", "patient0001", "train"),
        ("patient0002_2CH_ED", "patient0002", "val"),
        ("patient0003_2CH_ED", "patient0003", "test"),
        ("patient0004_2CH_ED", "patient0004", None),
    ]
    assert scans[0].open().shape == (1, 4, 5)
    assert np.argwhere(scans[0].read_labels()).tolist() == [[0, 2, 1]]


def test_camus_lists_outside_of_data_dir_are_rejected(tmp_path):
    write_view(tmp_path / "database_nifti/patient0001")
    split_list = tmp_path / "database_split/subgroup_testing.txt"
    split_list.parent.mkdir()
    split_list.write_text("patient0001\n", "utf-8")
    assert [scan.split for scan in camus_scans(tmp_path, "auto")] == ["test"]
    with pytest.raises(InputError) as error:
        camus_scans(tmp_path / "database_nifti", "auto")
    assert str(error.value) == (
        f"data_dir: {tmp_path / 'database_nifti'} must also contain {split_list}, "
        "which belongs to the data set"
    )


def test_camus_without_lists_has_no_splits(tmp_path, monkeypatch):
    write_view(tmp_path / "patient0001")
    monkeypatch.chdir(tmp_path)
    assert [scan.split for scan in camus_scans(Path(), "auto")] == [None]


def test_camus_patients_in_two_lists_are_rejected(tmp_path):
    write_view(tmp_path / "database_nifti/patient0001")
    lists = tmp_path / "database_split"
    lists.mkdir()
    for word in ("training", "testing"):
        (lists / f"subgroup_{word}.txt").write_text("patient0001\n", "utf-8")
    with pytest.raises(InputError) as error:
        camus_scans(tmp_path, "auto")
    assert str(error.value) == (
        f"{lists / 'subgroup_testing.txt'}: patient0001 is listed in the train split as well"
    )


def test_missing_camus_views_are_reported_together(tmp_path):
    for number in (1, 2):
        (tmp_path / f"patient000{number}").mkdir()
    with pytest.raises(
        InputError,
        match=r"0001_2CH_ED.nii.gz: .*0001_2CH_ED_gt.*0002_2CH_ED.nii.gz: .*0002_2CH_ED_gt",
    ):
        camus_scans(tmp_path, "auto")


@pytest.mark.parametrize(
    ("list_scans", "description"),
    [
        (hc18_scans, "images of HC18, such as training_set/000_HC.png"),
        (acdc_scans, "patients of ACDC, such as database/training/patient001"),
        (camus_scans, "patients of CAMUS, such as database_nifti/patient0001"),
    ],
)
@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_another_layout_is_rejected_with_an_example(tmp_path, list_scans, description, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match=rf"{folder}: no {description}; check dataset and data_dir"
    ):
        list_scans(tmp_path / folder, "auto")
