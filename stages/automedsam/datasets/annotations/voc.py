"""Box annotations in Pascal VOC's XML, as written by CVAT, LabelImg and Label Studio.

Each image has one XML file. A file without objects is a negative example.

The edges are interpreted as these tools write them: pixels from 0, xmax and ymax past the object
(half open). The original VOC data sets count from 1, to the last pixel inside; their boxes are
placed with an error of at most one pixel.
"""

from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from automedsam.cases.boxes import Size
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox, SliceKey
from automedsam.datasets.annotations.text import files_below, number, read_text, whole_number
from automedsam.runtime.errors import ErrorCollector, InputError

EDGES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(folder: Path) -> Annotations:
    """Read a folder of XML files, including its subfolders.

    Raises:
      InputError: all malformed files and objects.
    """
    locations: dict[SliceKey, str] = {}
    sizes: dict[SliceKey, Size] = {}
    boxes, errors = [], ErrorCollector()
    for path in files_below(folder, ".xml"):
        with errors.catch():
            root = _read_xml(path)
            file = PurePosixPath(path.relative_to(folder).as_posix())
            image = _image_name(root, file)
            locations.setdefault((image, None), str(file))
            height, width = (
                whole_number(root.findtext(f"size/{side}") or "") for side in ("height", "width")
            )
            if height and width:
                sizes[image, None] = height, width
            for index, element in enumerate(root.findall("object"), start=1):
                with errors.catch():
                    boxes.append(_read_object(f"{file}, object {index}", image, element))
    errors.raise_if_any()
    return Annotations(boxes, locations, sizes)


def _read_xml(path: Path) -> Element:
    try:
        root = ElementTree.fromstring(read_text(path))
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not valid XML ({error})") from error
    # XML of any other kind would otherwise be read as an image without objects.
    if root.tag != "annotation":
        raise InputError(f"{path}: expected Pascal VOC's <annotation>, found <{root.tag}>")
    return root


def _image_name(root: Element, file: PurePosixPath) -> str:
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
    return DrawnBox(location, image, None, (name if index is None else index,), (x0, y0, x1, y1))
