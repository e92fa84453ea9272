"""Drawn boxes for some of the images to predict, from an annotation file."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from automedsam.cases.boxes import BoxesByClass
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.datasets.annotations.drawn import Annotations
from automedsam.datasets.annotations.folder_names import may_be_in_folder
from automedsam.datasets.annotations.formats import read_annotations
from automedsam.datasets.annotations.image_names import ImageNames, Match
from automedsam.datasets.annotations.name_forms import normal
from automedsam.datasets.annotations.placing import place_boxes
from automedsam.runtime.errors import InputError, count_phrase, name_some
from automedsam.runtime.options import SliceAxis
from automedsam.scans.scan import open_scan
from automedsam.scans.shapes import LazyShapes, SliceCounts

logger = logging.getLogger(__name__)

GivenBoxes = dict[str, dict[int, BoxesByClass]]  # image name -> slice -> boxes


def read_given_boxes(
    path: Path,
    images: Mapping[str, Path],
    folders: Mapping[str, Path],
    slice_axis: SliceAxis,
    classes: Classes,
) -> GivenBoxes:
    """Read drawn boxes and place them on the images to predict.

    Listed images that are not among them are reported in a warning. Images that cannot be read get
    no boxes, and no message here. The folders of a listed image must be those of the image: the
    name `patient2/x.png` is not that of `x.png` in a folder `patient1`.

    Args:
      path: a file or folder of annotations, in any format that the pipeline reads.
      images: names, which are paths below the folder that was searched, and paths.
      folders: the same names, and the absolute path of that folder.
      slice_axis: the axis along which volumes are cut into slices.
      classes: those of the model.

    Raises:
      InputError: the annotations cannot be read, list none of the images, have no box of the
        classes, or do not fit the images.
    """
    annotations = read_annotations(path)
    annotated_classes = [with_ids(cls, classes.is_single) for cls in classes]
    if not any(cls.takes(box.classes) for box in annotations.boxes for cls in annotated_classes):
        found = name_some([str(name) for name in annotations.classes]) or "none"
        raise InputError(
            f"--annotations {path}: no box of the classes of the model, "
            f"{', '.join(classes.names)}; the classes of the boxes are: {found}"
        )
    shapes = LazyShapes(
        {name: partial(open_scan, image, slice_axis) for name, image in images.items()}
    )
    known = _select_known(path, annotations, SliceCounts(shapes), folders)
    placement = place_boxes(known, shapes, annotated_classes)
    for note in placement.notes:
        logger.info(note)
    for doubt in placement.doubts:
        logger.warning(doubt)
    return placement.boxes


def with_ids(cls: ObjectClass, is_single: bool) -> ObjectClass:
    """Add the ids of drawn boxes to a class of a model, which has only a name.

    The name consists of the ids, joined by `+`, or is `object` for a single class that takes all.
    """
    if is_single and cls.name == "object":
        return replace(cls, ids=None)
    parts = [int(part) if part.isdecimal() else part for part in cls.name.split("+")]
    return replace(cls, ids=tuple(dict.fromkeys([*parts, cls.name])))


def _select_known(
    path: Path,
    annotations: Annotations,
    slices: Mapping[str, int],
    folders: Mapping[str, Path],
) -> Annotations:
    """The annotations of images that can be read; the fault of another is reported with its mask.

    `slices` is 0 for images that cannot be read.
    """
    names = ImageNames(slices)
    known, unknown, elsewhere = set(), [], []
    for key in annotations.locations:
        alternatives = {key[0], annotations.inner_names.get(key[0], key[0])}
        matches = [match for one in alternatives if (match := names.find(one)).paths]
        strange = [name for match in matches for name in _strange_paths(match, folders)]
        if strange or not matches:
            unknown.append(key[0])
            elsewhere += [str(folders[name] / name) for name in strange]
        elif any(slices[name] for match in matches for name in match.paths):
            known.add(key)
    if unknown:
        count = count_phrase(len(unknown), "listed image")
        line = f"--annotations {path}: {count} not among those to predict: {name_some(unknown)}"
        if elsewhere:
            line += f"; {elsewhere[0]} is in another folder"
        if not known:
            raise InputError(line)
        logger.warning(line)
    return replace(
        annotations,
        boxes=[box for box in annotations.boxes if (box.image, box.slice) in known],
        locations={key: place for key, place in annotations.locations.items() if key in known},
        sizes={key: size for key, size in annotations.sizes.items() if key in known},
        marked_empty=frozenset(annotations.marked_empty & known),
    )


def _strange_paths(match: Match, folders: Mapping[str, Path]) -> list[str]:
    """The images that a name matches although they are in folders of other names."""
    return [
        name
        for name in match.paths
        if not may_be_in_folder(match.folders, normal((folders[name] / name).parent.as_posix()))
    ]
