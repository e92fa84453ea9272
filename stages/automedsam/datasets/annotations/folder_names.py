"""Folders in names of images: those that tools and computers add, and those that identify images.

The folders of patients must agree. Those of tools, such as `labels`, may differ.
"""

import re
from collections.abc import Sequence

NUMBER = re.compile("[0-9]+")
SPLIT_FOLDERS = {
    name: split
    for split, names in {
        "train": ("train", "training", "obj_train_data"),
        "val": ("val", "valid", "validation", "obj_valid_data", "obj_validation_data"),
        "test": ("test", "testing", "obj_test_data"),
    }.items()
    for name in names
}
TOOL_FOLDERS = {
    *("annotation", "annotations", "bbox", "boxes", "box", "coco", "data", "dataset", "datasets"),
    *("default", "desktop", "documents", "downloads", "export", "exports", "files", "frames"),
    *("image", "images", "img", "imgs", "jpegimages", "label", "labels", "local-files", "media"),
    *("obj_data", "pictures", "png", "raw", "upload", "uploads", "voc", "xml", "yolo", ".."),
}


def may_be_same_folder(one: str, other: str) -> bool:
    """Return whether two paths may be those of one folder, after a tool changed one of them.

    Without the folders of tools, one path must be the end of the other. Two paths of different
    splits are never those of one folder.
    """
    if not one or not other:
        return True
    splits = _splits(one), _splits(other)
    if all(splits) and splits[0] != splits[1]:
        return False
    return _is_end(own_folders(one), own_folders(other))


def may_be_in_folder(folders: str, place: str) -> bool:
    """Return whether the folders of a name may be those of an image at a place on this computer.

    Args:
      folders: the folders of the name, changed by a tool or on another computer.
      place: absolute path of the folder of the image.
    """
    folders, place = folders.replace(" ", "_"), place.replace(" ", "_")  # as tools do
    if f"/{place}/".endswith(f"/{folders}/"):
        return True
    if not _is_end(own_folders(folders), own_folders(place)):
        return False
    # A computer may have a folder `test` far above the images.
    parts = place.split("/")
    last_own = max((i for i, part in enumerate(parts) if not are_of_tools(part)), default=0)
    splits = _splits(folders), _splits("/".join(parts[last_own:]))
    return not all(splits) or splits[0] == splits[1]


def differ_in_number(one: str, other: str) -> bool:
    """Return whether the last folders of two paths that are not of tools differ in numbers only."""
    names = [own[-1] for path in (one, other) if (own := own_folders(path))]
    return len(set(names)) == 2 and len({NUMBER.sub("0", name) for name in names}) == 1


def are_of_tools(folders: str) -> bool:
    """Return whether all folders of a path are those that tools and computers add."""
    return not own_folders(folders)


def own_folders(folders: str) -> list[str]:
    """Return the folders of a path without those that tools and computers add."""
    return [part for part in folders.split("/") if not _is_of_tools(part.lower())]


def _is_of_tools(part: str) -> bool:
    is_drive = part.endswith(":")
    return not part or is_drive or part in TOOL_FOLDERS or part in SPLIT_FOLDERS


def _splits(folders: str) -> set[str]:
    parts = folders.lower().split("/")
    return {SPLIT_FOLDERS[part] for part in parts if part in SPLIT_FOLDERS}


def _is_end(one: Sequence[str], other: Sequence[str]) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return list(longer[len(longer) - len(shorter) :]) == list(shorter)
