"""Boxes in Pascal VOC's XML, as CVAT, LabelImg and Label Studio write it: a file an image, maybe with no object.

The edges are taken as these tools write them: pixels from 0, xmax and ymax past the object, half open. The VOC data
sets of old, which count from 1 and to the last pixel inside, come out at most a pixel off.
"""

from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from automedsam.cases.boxes import Size
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox, Listed
from automedsam.datasets.annotations.text import files_below, number, read_text, whole_number
from automedsam.runtime.errors import ErrorCollector, InputError

EDGES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(folder: Path) -> Annotations:
    """Read a folder of XML files.

    Raises:
      InputError: all malformed files and objects at once.
    """
    listed: Listed = {}
    sizes: dict[tuple[str, int | None], Size] = {}
    boxes, errors = [], ErrorCollector()
    for path in files_below(folder, ".xml"):
        with errors.catch():
            root = _read_xml(path)
            file = PurePosixPath(path.relative_to(folder).as_posix())
            image = _image_name(root, file)
            listed.setdefault((image, None), str(file))
            height, width = (
                whole_number(root.findtext(f"size/{side}") or "") for side in ("height", "width")
            )
            if height and width:
                sizes[image, None] = height, width
            for index, found in enumerate(root.findall("object"), start=1):
                with errors.catch():
                    boxes.append(_read_object(f"{file}, object {index}", image, found))
    errors.raise_if_any()
    return Annotations(boxes, listed, sizes)


def _read_xml(path: Path) -> Element:
    try:
        root = ElementTree.fromstring(read_text(path))
    except ElementTree.ParseError as error:
        raise InputError(
            f"{path}: expected XML, found a file that cannot be read ({error})"
        ) from error
    if root.tag != "annotation":  # another tool's XML would else pass for an image without objects
        raise InputError(f"{path}: expected Pascal VOC, an <annotation>, found <{root.tag}>")
    return root


def _image_name(root: Element, file: PurePosixPath) -> str:
    """The file name that the XML tells or else its own; one that tells no folder lies where the XML does.

    LabelImg tells none: only so are p1/a.png and p2/a.png told apart.
    """
    name = (root.findtext("filename") or "").strip() or file.stem
    return name if "/" in name or "\\" in name else str(file.parent / name)


def _read_object(where: str, image: str, found: Element) -> DrawnBox:
    name = (found.findtext("name") or "").strip()
    if not name:
        raise InputError(f"{where}: expected a name, found none")
    texts = {edge: found.findtext(f"bndbox/{edge}") for edge in EDGES}
    edges = [value for value in map(number, texts.values()) if value is not None]
    if len(edges) != 4:
        told = ", ".join(f"{edge} {text!r}" for edge, text in texts.items())
        raise InputError(f"{where}: expected a bndbox of four numbers, found {told}")
    index = whole_number(name)
    x0, y0, x1, y1 = edges
    return DrawnBox(where, image, None, (name if index is None else index,), (x0, y0, x1, y1))
