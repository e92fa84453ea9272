"""Image names in annotation files, matched to the images although tools change them.

Annotation tools move images, rename them, and drop folders and suffixes.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from automedsam.datasets.annotations.name_forms import name_forms, normal, without_suffix
from automedsam.scans.finding import shorten_name

SLICE_NAME = re.compile(r"(.+)_s([0-9]{3,9})", re.DOTALL)  # scan name and slice; see `slice_name`
# Folders of tools, exports and computers, which identify no patient.
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
    *(
        "default",
        "desktop",
        "documents",
        "downloads",
        "export",
        "exports",
        "files",
        "frames",
        "image",
        "images",
        "img",
        "imgs",
    ),
    *("jpegimages", "label", "labels", "local-files", "media", "obj_data", "pictures", "png"),
    *("raw", "upload", "uploads", "voc", "xml", "yolo", ".."),
}
OTHER_FOLDERS = "leaving out folders"
MORE_FOLDERS = "adding folders"
OTHER_SUFFIX = "changing the suffix"
SPACES = "reading underscores as spaces"


@dataclass(frozen=True)
class Match:
    """The images that a name may refer to, and what had to be changed in the name."""

    paths: list[str]  # sorted; several if the name is ambiguous
    slice: int | None = None  # as specified by the name
    change: str = ""  # such as "removing a hash prefix"; empty: nothing of note


class ImageNames:
    """Matches the image names of annotation tools to image paths.

    Args:
      slices: image path below the images folder to the number of slices.
    """

    def __init__(self, slices: dict[str, int]) -> None:
        self._slices = slices
        self._exact = {normal(path): path for path in slices}
        self._tree = _PathTree(self._exact)
        spaced = {path: original for path, original in self._exact.items() if " " in path}
        self._spaced = _PathTree({path.replace(" ", "_"): spaced[path] for path in spaced})

    def find(self, name: str) -> Match:
        """Find the images that a name may refer to.

        The first rule that matches any image decides:

        1. the full path, then the path without suffix;
        2. without leading folders of the name or of the path, the longest common ending first;
           also with `__` in place of `/`. Folders that both have must not differ, except for those
           of tools, such as `labels`;
        3. the name of a slice of a volume, `VOLUME_s012`, the volume by rules 1 and 2;
        4. rules 1 to 3 with the other forms of the name, see `name_forms`, and with underscores in
           place of spaces.
        """
        forms = name_forms(name)
        for form, change in forms.items():
            if match := self._find_form(form, change):
                return match
        for form, change in forms.items():
            if paths := self._spaced.find(form):
                return Match(sorted(paths), change=" and ".join(filter(None, (change, SPACES))))
        return Match([])

    def _find_form(self, form: str, change: str) -> Match | None:
        paths = self._tree.find(form)
        if change:  # the tool may have replaced spaces as well
            spaced = self._spaced.find(form)
            change = change if paths or not spaced else f"{change} and {SPACES}"
            paths = paths | spaced
        elif len(paths) == 1:
            change = _describe_difference(form, normal(*paths))
        if paths:
            return Match(sorted(paths), change=change)
        if slice_match := SLICE_NAME.fullmatch(without_suffix(form)):
            volumes = {path for path in self._tree.find(slice_match[1]) if self._slices[path] > 1}
            if volumes:
                return Match(sorted(volumes), int(slice_match[2]), change)
        return None


class _PathTree:
    """Images by their path, by their path without suffix, and by the endings of both.

    Args:
      paths: normal path to the path that is returned.
    """

    def __init__(self, paths: dict[str, str]) -> None:
        self._paths = paths
        self._by_stem: dict[str, set[str]] = defaultdict(set)
        # Ending to the images and the folders before it.
        self._by_ending: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for normal_path, path in paths.items():
            stem = without_suffix(normal_path)
            self._by_stem[stem].add(path)
            for folders, ending in (*_endings(normal_path), *_endings(stem)):
                self._by_ending[ending].add((path, folders))
            self._by_ending[shorten_name(stem.replace("/", "__"))].add((path, ""))

    def find(self, name: str) -> set[str]:
        """Apply rules 1 and 2 of `ImageNames.find`."""
        if name in self._paths:
            return {self._paths[name]}
        stem = without_suffix(name)
        for full in (name, stem):
            if full in self._by_stem:
                return self._by_stem[full]
        for endings in zip(_endings(name), _endings(stem), strict=True):
            for name_folders, ending in endings:
                paths = {
                    path
                    for path, folders in self._by_ending.get(ending, ())
                    if _may_be_same_folder(name_folders, folders)
                }
                if paths:
                    return paths
        return set()


def _describe_difference(name: str, path: str) -> str:
    """Describe in what a name differs from its image; empty if it does not, or as usual."""
    stem, name_stem = without_suffix(path), without_suffix(name)
    if "/" in stem and name_stem.split("/")[-1] == stem.replace("/", "__"):
        return ""
    folders, name_folders = _split_common_ending(stem, name_stem)
    if not _are_of_tools(name_folders):
        return OTHER_FOLDERS
    if not _are_of_tools(folders):
        return MORE_FOLDERS
    suffix, name_suffix = path[len(stem) :].lower(), name[len(name_stem) :].lower()
    return OTHER_SUFFIX if suffix and name_suffix and suffix != name_suffix else ""


def _may_be_same_folder(one: str, other: str) -> bool:
    """Return whether two names may be those of one folder, after a tool changed one of them."""
    if not one or not other:
        return True
    splits = [
        {SPLIT_FOLDERS[part] for part in folders.lower().split("/") if part in SPLIT_FOLDERS}
        for folders in (one, other)
    ]
    if all(splits) and splits[0] != splits[1]:
        return False
    return _are_of_tools(one) or _are_of_tools(other)


def _are_of_tools(folders: str) -> bool:
    parts = folders.lower().split("/") if folders else []
    return all(part in TOOL_FOLDERS or part in SPLIT_FOLDERS for part in parts)


def _endings(path: str) -> Iterator[tuple[str, str]]:
    """Yield the leading folders and the rest of a path: no folder, the first one, and so on."""
    parts = path.split("/")
    for start in range(len(parts)):
        yield "/".join(parts[:start]), "/".join(parts[start:])


def _split_common_ending(path: str, other: str) -> tuple[str, str]:
    """Return what precedes the common last parts of two paths."""
    parts, other_parts = path.split("/"), other.split("/")
    while parts and other_parts and parts[-1] == other_parts[-1]:
        parts.pop()
        other_parts.pop()
    return "/".join(parts), "/".join(other_parts)
