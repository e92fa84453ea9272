"""Pascal VOC files: hand-written exports of three tools, and malformed files and objects."""

import re
from pathlib import Path

import pytest

from automedsam.datasets.annotations.drawn import Annotations, DrawnBox
from automedsam.datasets.annotations.voc import read_voc
from automedsam.runtime.errors import InputError

CVAT = """<annotation>
  <folder>p1</folder>
  <filename>p1/a.png</filename>
  <source><database>Unknown</database><annotation>Unknown</annotation>
    <image>Unknown</image></source>
  <size><width>64</width><height>48</height><depth></depth></size>
  <segmented>0</segmented>
  <object>
    <name>liver</name>
    <truncated>0</truncated><occluded>0</occluded><difficult>0</difficult>
    <bndbox><xmin>10.5</xmin><ymin>20.0</ymin><xmax>16.5</xmax><ymax>27.25</ymax></bndbox>
    <attributes><attribute><name>rotation</name><value>0.0</value></attribute></attributes>
  </object>
  <object>
    <name>2</name>
    <bndbox><xmin>0</xmin><ymin>1</ymin><xmax>64</xmax><ymax>48</ymax></bndbox>
  </object>
</annotation>
"""
LABELIMG = """<annotation verified="yes">
\t<folder>p1</folder><filename>a.png</filename><path>C:\\data\\p1\\a.png</path>
\t<size><width>64</width><height>48</height><depth>1</depth></size>
\t<object><name>liver</name><pose>Unspecified</pose>
\t\t<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>
</annotation>"""
LABEL_STUDIO = """<?xml version="1.0" encoding="utf-8"?>
<annotation><folder>images</folder><filename>1a2b3c4d-é.png</filename>
<owner><name>Label Studio</name></owner>
<object><name>liver</name>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>
</annotation>"""
BOX = (
    "<object><name>x</name>"
    "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>"
)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def test_an_export_of_cvat(tmp_path):
    write(
        tmp_path,
        {
            "labelmap.txt": "# label:color_rgb:parts:actions\nliver:250,50,83::\n",
            "ImageSets/Main/default.txt": "p1/a\nb\n",
            "Annotations/p1/a.xml": CVAT,
            "Annotations/b.xml": "<annotation><folder/><filename>b.png</filename></annotation>",
        },
    )
    location, name = "Annotations/p1/a.xml, object", "Annotations/p1/a"
    assert read_voc(tmp_path) == Annotations(
        [
            DrawnBox(f"{location} 1", name, None, ("liver",), (10.5, 20, 16.5, 27.25)),
            DrawnBox(f"{location} 2", name, None, (2,), (0, 1, 64, 48)),
        ],
        {("Annotations/b", None): "Annotations/b.xml", (name, None): f"{name}.xml"},
        {(name, None): (48, 64)},
        has_records=True,
        inner_names={"Annotations/b": "Annotations/b.png", name: "p1/a.png"},
    )


@pytest.mark.parametrize(
    ("degrees", "half"), [(0, 8), (90, 8), (45, 8 * 2**0.5), (-45, 8 * 2**0.5)]
)
def test_a_rotated_box_of_cvat_gives_the_box_around_it(tmp_path, degrees, half):
    attribute = f"<attribute><name>rotation</name><value>{degrees}</value></attribute>"
    corners = "<xmin>12</xmin><ymin>22</ymin><xmax>28</xmax><ymax>38</ymax>"
    element = (
        f"<object><name>x</name><bndbox>{corners}</bndbox>"
        f"<attributes>{attribute}</attributes></object>"
    )
    write(tmp_path, {"a.xml": f"<annotation>{element}</annotation>"})
    (drawn,) = read_voc(tmp_path).boxes
    assert drawn.box_xyxy == pytest.approx((20 - half, 30 - half, 20 + half, 30 + half))
    assert drawn.source == ("rotated box" if degrees else "")


@pytest.mark.parametrize(
    "size",
    [
        "",
        "<size/>",
        "<size><width>0</width><height>0</height></size>",
        "<size><width>64</width><height></height></size>",
        "<size><width>x</width><height>48</height></size>",
    ],
)
def test_a_missing_size_is_not_read(tmp_path, size):
    write(tmp_path, {"a.xml": f"<annotation><filename>a.png</filename>{size}{BOX}</annotation>"})
    assert read_voc(tmp_path).sizes == {}


def test_labelimg_names_without_folder_get_the_folder_of_the_file(tmp_path):
    write(tmp_path, {"p1/a.xml": LABELIMG, "p2/b.xml": LABELIMG, "a.xml": LABELIMG})
    found = read_voc(tmp_path)
    assert [(drawn.location, drawn.image, drawn.box_xyxy) for drawn in found.boxes] == [
        ("a.xml, object 1", "a", (1, 2, 3, 4)),
        ("p1/a.xml, object 1", "p1/a", (1, 2, 3, 4)),
        ("p2/b.xml, object 1", "p2/b", (1, 2, 3, 4)),
    ]
    assert found.inner_names == {"a": "p1/a.png", "p1/a": "p1/a.png", "p2/b": "p2/a.png"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_an_export_of_label_studio(tmp_path, encoding):
    (tmp_path / "1a2b3c4d-é.xml").write_text(LABEL_STUDIO, encoding)
    found = read_voc(tmp_path)
    assert found.boxes == [
        DrawnBox("1a2b3c4d-é.xml, object 1", "1a2b3c4d-é", None, ("liver",), (1, 2, 3, 4))
    ]
    assert found.inner_names == {"1a2b3c4d-é": "images/1a2b3c4d-é.png"}
    assert found.classes == ["liver"]


@pytest.mark.parametrize("filename", ["", "<filename/>", "<filename> </filename>"])
def test_a_missing_filename_defaults_to_the_name_of_the_file(tmp_path, filename):
    write(tmp_path, {"p1/a.b.xml": f"<annotation>{filename}</annotation>"})
    assert read_voc(tmp_path) == Annotations(
        [],
        {("p1/a.b", None): "p1/a.b.xml"},
        has_records=True,
        inner_names={"p1/a.b": "p1/a.b"},
    )


def test_a_windows_path_is_kept(tmp_path):
    write(tmp_path, {"p1/a.xml": r"<annotation><filename>C:\data\a.png</filename></annotation>"})
    assert read_voc(tmp_path).inner_names == {"p1/a": r"C:\data\a.png"}


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "windows-1252", "utf-16", "gb18030"])
def test_the_declared_encoding_is_used(tmp_path, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<annotation><filename>é.png</filename>'
    (tmp_path / "a.xml").write_bytes(f"{text}</annotation>".encode(encoding))
    assert read_voc(tmp_path).inner_names == {"a": "é.png"}


@pytest.mark.parametrize("encoding", ["no-such-encoding", "ascii", "utf-8"])
def test_a_wrong_encoding_is_rejected(tmp_path, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><annotation>é</annotation>'
    (tmp_path / "a.xml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.xml: cannot be read as text"):
        read_voc(tmp_path)


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (
            "<object><name>x</name></object>",
            "expected four numbers in bndbox, found xmin None, ymin None, xmax None",
        ),
        (
            BOX.replace("<ymin>2</ymin>", ""),
            "expected four numbers in bndbox, found xmin '1', ymin None",
        ),
        (BOX.replace("2", "x"), "expected four numbers in bndbox, found xmin '1', ymin 'x'"),
        (BOX.replace("2", "nan"), "expected four numbers in bndbox, found xmin '1', ymin 'nan'"),
        (
            BOX.replace("2", "1e999"),
            "expected four numbers in bndbox, found xmin '1', ymin '1e999'",
        ),
        (BOX.replace("<name>x</name>", ""), "expected a name, found none"),
        (BOX.replace("<name>x</name>", "<name> </name>"), "expected a name, found none"),
    ],
)
def test_a_malformed_object_is_rejected(tmp_path, element, message):
    write(tmp_path, {"p1/a.xml": f"<annotation>{BOX}{element}</annotation>"})
    with pytest.raises(InputError, match=f"^{re.escape('p1/a.xml, object 2: ' + message)}"):
        read_voc(tmp_path)


def test_malformed_files_and_objects_are_reported_together(tmp_path):
    write(
        tmp_path,
        {
            "a.xml": f"<annotation>{BOX}<object/><object/></annotation>",
            "b.xml": "<",
            "d.xml": "<annotations/>",
        },
    )
    (tmp_path / "c.xml").write_bytes("<annotation>é</annotation>".encode("latin-1"))
    parts = [
        r"^a\.xml, object 2: .*",
        r"a\.xml, object 3: .*",
        r".*b\.xml: not valid XML.*",
        r".*c\.xml: cannot be read as text.*",
        r".*d\.xml: expected Pascal VOC's <annotation>, found <annotations>$",
    ]
    with pytest.raises(InputError, match="; ".join(parts)):
        read_voc(tmp_path)
