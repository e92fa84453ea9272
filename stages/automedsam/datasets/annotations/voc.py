"""Box annotations in Pascal VOC's XML, as written by CVAT, LabelImg and Label Studio.

Each image has one XML file. Its name, without suffix, is the name of the record; the image name
that it contains is the inner name. Tools write the two alike, and they differ only after files were
renamed. An XML file without objects may be an image that nobody has looked at.

The edges are interpreted as these tools write them: pixels from 0, xmax and ymax past the object
(half open). The original VOC data sets count from 1, to the last pixel inside; their boxes are
placed with an error of at most one pixel.
"""

import re
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from automedsam.cases.boxes import Size
from automedsam.datasets.annotations.bounds import bounds_of_rotated, is_rotated
from automedsam.datasets.annotations.drawn import ROTATED, Annotations, DrawnBox, SliceKey
from automedsam.datasets.annotations.text import decode, files_below, number, whole_number
from automedsam.runtime.errors import ErrorCollector, InputError

EDGES = ("xmin", "ymin", "xmax", "ymax")
DECLARED_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]*\sencoding=["']([\w.:-]+)["']""")


def read_voc(folder: Path) -> Annotations:
    """Read a folder of XML files, including its subfolders.

    Raises:
      InputError: all malformed files and objects.
    """
    locations: dict[SliceKey, str] = {}
    sizes: dict[SliceKey, Size] = {}
    inner_names: dict[str, str] = {}
    boxes, errors = [], ErrorCollector()
    for path in files_below(folder, ".xml"):
        with errors.catch():
            root = _read_xml(path)
            file = PurePosixPath(path.relative_to(folder).as_posix())
            record = str(file.with_suffix(""))
            locations[record, None] = str(file)
            inner_names[record] = _inner_name(root, file)
            height, width = (
                whole_number(root.findtext(f"size/{side}") or "") for side in ("height", "width")
            )
            if height and width:
                sizes[record, None] = height, width
            for index, element in enumerate(root.findall("object"), start=1):
                with errors.catch():
                    boxes.append(_read_object(f"{file}, object {index}", record, element))
    errors.raise_if_any()
    return Annotations(boxes, locations, sizes, has_records=True, inner_names=inner_names)


def _read_xml(path: Path) -> Element:
    """Read an XML file in the encoding that it declares; the default is UTF-8."""
    try:
        content = path.read_bytes()
        declared = DECLARED_ENCODING.match(content)
        root = ElementTree.fromstring(decode(content, declared[1].decode() if declared else None))
    # LookupError: an encoding that does not exist.
    except (OSError, ValueError, LookupError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from error
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not valid XML ({error})") from error
    # XML of any other kind would otherwise be read as an image without objects.
    if root.tag != "annotation":
        raise InputError(f"{path}: expected Pascal VOC's <annotation>, found <{root.tag}>")
    return root


def _inner_name(root: Element, file: PurePosixPath) -> str:
    """Return the file name in the XML, or by default the name of the XML file itself.

    A name without a folder is given the folder of the XML file. LabelImg writes no folder, so
    p1/a.png and p2/a.png would otherwise have the same name.
    """
    name = (root.findtext("filename") or "").strip() or file.stem
    return name if "/" in name or "\\" in name else str(file.parent / name)


def _read_object(location: str, image: str, element: Element) -> DrawnBox:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise InputError(f"{location}: expected a name, found none")
    texts = {edge: element.findtext(f"bndbox/{edge}") for edge in EDGES}
    edges = [value for value in map(number, texts.values()) if value is not None]
    if len(edges) != 4:
        found = ", ".join(f"{edge} {text!r}" for edge, text in texts.items())
        raise InputError(f"{location}: expected four numbers in bndbox, found {found}")
    index = whole_number(name)
    x0, y0, x1, y1 = edges
    degrees = _rotation(element)
    box_xyxy = bounds_of_rotated((x0, y0, x1, y1), degrees)
    classes = (name if index is None else index,)
    source = ROTATED if is_rotated(degrees) else ""
    return DrawnBox(location, image, None, classes, box_xyxy, source=source)


def _rotation(element: Element) -> float:
    """Return the rotation in degrees, which CVAT writes as an attribute; 0 if there is none."""
    for attribute in element.findall("attributes/attribute"):
        if attribute.findtext("name") == "rotation":
            return number(attribute.findtext("value")) or 0.0
    return 0.0
