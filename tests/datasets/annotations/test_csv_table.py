"""CSV tables of boxes: columns, inclusive edges, negative examples and malformed rows."""

import re
from pathlib import Path

import pytest

from automedsam.datasets.annotations.csv_table import read_csv
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox
from automedsam.runtime.errors import InputError

HEADER = "image,slice,class,x_min,y_min,x_max,y_max,ends\n"


def read(folder: Path, text: str, encoding: str = "utf-8") -> Annotations:
    (folder / "boxes.csv").write_bytes(text.encode(encoding))
    return read_csv(folder / "boxes.csv")


def test_a_table_with_all_columns(tmp_path):
    found = read(
        tmp_path,
        HEADER
        + "p1/a.png,,liver,1,2,30,40,\n"
        + "vol.nii.gz,12,3,5,6.5,7,8,inclusive\n"
        + "vol.nii.gz,13,,,,,,\n"
        + '"b, c.png",,,0,0,1,1,exclusive\n',
    )
    assert found.boxes == [
        DrawnBox("boxes.csv, line 2", "p1/a.png", None, ("liver",), (1, 2, 30, 40)),
        DrawnBox("boxes.csv, line 3", "vol.nii.gz", 12, (3,), (5, 6.5, 8, 9)),
        DrawnBox("boxes.csv, line 5", "b, c.png", None, (1,), (0, 0, 1, 1)),
    ]
    assert found.locations == {
        ("p1/a.png", None): "boxes.csv, line 2",
        ("vol.nii.gz", 12): "boxes.csv, line 3",
        ("vol.nii.gz", 13): "boxes.csv, line 4",
        ("b, c.png", None): "boxes.csv, line 5",
    }
    assert found.classes == [1, 3, "liver"]
    assert found.marked_empty == {("vol.nii.gz", 13)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize(
    "text",
    [
        "image,x_min,y_min,x_max,y_max\nbüste.png,1,2,3,4\n",
        "y_max;x_max;y_min;x_min;image\r\n4;3;2;1;büste.png\r\n",
        "\n image , x_min,y_min,x_max,y_max,class\n\n büste.png , 1 , 2 ,3,4,1.0\n,,,,,\n",
    ],
)
def test_separators_spaces_and_column_order_may_vary(tmp_path, text, encoding):
    (drawn,) = read(tmp_path, text, encoding).boxes
    assert (drawn.image, drawn.slice, drawn.classes, drawn.box_xyxy) == (
        "büste.png",
        None,
        (1,),
        (1, 2, 3, 4),
    )


def test_location_of_an_image_is_its_first_row(tmp_path):
    found = read(tmp_path, "image,x_min,y_min,x_max,y_max\na,1,2,3,4\na,5,6,7,8\n")
    assert found.locations == {("a", None): "boxes.csv, line 2"}
    assert [drawn.location for drawn in found.boxes] == ["boxes.csv, line 2", "boxes.csv, line 3"]


def test_a_table_without_rows_is_empty(tmp_path):
    assert read(tmp_path, HEADER) == Annotations([], {})


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "x", "1.234,5", "1e999"])
def test_edges_must_be_finite_numbers(tmp_path, number):
    with pytest.raises(
        InputError,
        match=rf"^boxes\.csv, line 2: expected a number in y_min, found '({number})?'$",
    ):
        read(tmp_path, f"image;x_min;y_min;x_max;y_max\na;1;{number};3;4\n")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,,,1,,3,4,", "expected a number in y_min, found ''"),
        (",,,1,2,3,4,", "expected an image name, found none"),
        ("a,-1,,1,2,3,4,", "slice must be empty or a whole number from 0, found '-1'"),
        ("a,1.5,,1,2,3,4,", "slice must be empty or a whole number from 0, found '1.5'"),
        ("a,x,,,,,,", "slice must be empty or a whole number from 0, found 'x'"),
        ("a,,,1,2,3,4,past", "expected exclusive or inclusive in ends, found 'past'"),
        ("a,1,2", "expected 8 cells, found 3"),
        ("a,,,1,2,3,4,,", "expected 8 cells, found 9"),
    ],
)
def test_a_malformed_row_is_rejected(tmp_path, row, message):
    with pytest.raises(InputError, match=f"^{re.escape('boxes.csv, line 3: ' + message)}$"):
        read(tmp_path, f"{HEADER}b,,,1,2,3,4,\n{row}\n")


def test_malformed_rows_are_reported_together(tmp_path):
    with pytest.raises(
        InputError, match=r"^boxes\.csv, line 2: .* 'x'; boxes\.csv, line 4: .* found none$"
    ):
        read(tmp_path, f"{HEADER}a,,,x,2,3,4,\nb,,,1,2,3,4,\n,,,1,2,3,4,\n")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", "none"),
        ("image,x_min,y_min,x_max", "'image', 'x_min', 'y_min', 'x_max'"),
        ("image,x_min,y_min,x_max,y_max,label", "'y_max', 'label'"),
        ("image,x_min,y_min,x_max,y_max,image", "'y_max', 'image'"),
        ("image,x_min,y_min,x_max,y_max,\na,1,2,3,4,5", "'y_max', ''"),
        ("image,x_min,y_min,x_max,y_max,mask", "'y_max', 'mask'"),
        ("image,x_min,y_min,x_max,y_max,rotation", "'y_max', 'rotation'"),
        ("mask,area_px,image,x_min,y_min,x_max", "'y_min', 'x_max'"),
    ],
)
def test_missing_unknown_and_duplicate_columns_are_rejected(tmp_path, header, found):
    with pytest.raises(
        InputError, match=rf"boxes\.csv: expected the columns image, x_min, .*found .*{found}$"
    ):
        read(tmp_path, header + "\n")


def test_a_table_of_predictions_is_accepted(tmp_path):
    """The other columns are ignored, and the empty box is a negative example."""
    header = "image,mask,slice,class,x_min,y_min,x_max,y_max,area_px,area_mm2,confidence,later\n"
    found = read(
        tmp_path,
        header
        + "../new/a.png,a.png,,object,1,2,30,40,77,,0.9,x\n"
        + "../new/b.png,b.png,,object,0,0,0,0,0,,0,x\n"
        + "../new/v.nii,v.nii,3,1,0,0,0,0,0,0,0,x\n"
        + "../new/v.nii,v.nii,3,2,1,1,4,4,9,9,0.5,x\n",
    )
    assert [(drawn.image, drawn.slice, drawn.box_xyxy) for drawn in found.boxes] == [
        ("../new/a.png", None, (1, 2, 30, 40)),
        ("../new/v.nii", 3, (1, 1, 4, 4)),
    ]
    assert found.marked_empty == {("../new/b.png", None)}


def test_one_inclusive_pixel_at_the_origin_is_a_box(tmp_path):
    (drawn,) = read(tmp_path, HEADER + "a,,,0,0,0,0,inclusive\n").boxes
    assert drawn.box_xyxy == (0, 0, 1, 1)


@pytest.mark.parametrize("missing", ["NA", "nan", "NaN", "N/A", "null", "<NA>"])
def test_a_row_of_missing_values_is_a_negative_example(tmp_path, missing):
    rows = f"a,,,{missing},{missing},,{missing},\nb,{missing},,1,2,3,4,\n"
    found = read(tmp_path, HEADER + rows)
    assert found.marked_empty == {("a", None)}
    assert list(found.locations) == [("a", None), ("b", None)]
    with pytest.raises(InputError, match=r"line 2: expected a number in y_min, found ''$"):
        read(tmp_path, f"{HEADER}a,,,1,{missing},3,4,\n")


def test_decimal_commas_are_read_in_every_column_of_numbers(tmp_path):
    found = read(tmp_path, HEADER.replace(",", ";") + "v;12,0;;1,5;2,25;30,0;,5;\n", "utf-16")
    assert (found.boxes[0].slice, found.boxes[0].box_xyxy) == (12, (1.5, 2.25, 30, 0.5))


def test_an_unclosed_quote_is_rejected(tmp_path):
    with pytest.raises(InputError, match=r"^boxes\.csv, line 3: not valid CSV"):
        read(tmp_path, HEADER + '"a,,,1,2,3,4,\nb,,,1,2,3,4,\n')


def test_other_encodings_are_rejected(tmp_path):
    with pytest.raises(InputError, match=r"boxes\.csv: cannot be read as UTF-8"):
        read(tmp_path, HEADER + "é,,,1,2,3,4,\n", "latin-1")


def test_fractions_are_rejected(tmp_path):
    fractions = HEADER + "a.png,,,0.25,0.5,0.75,1,\nb.png,,,0,0,0.1,0.2,\nc.png,,,,,,,\n"
    with pytest.raises(InputError, match=r"boxes\.csv: all edges are 1 or less; .* in pixels"):
        read(tmp_path, fractions)
    assert len(read(tmp_path, fractions + "d.png,,,0.5,0.5,1.5,1,\n").boxes) == 3
    assert len(read(tmp_path, HEADER + "a.png,,,0,0,1,1,\n").boxes) == 1
