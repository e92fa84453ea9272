"""Image names in annotation files, matched to the images although tools change them.

Annotation tools move images, rename them, and drop folders and suffixes.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from automedsam.datasets.annotations.folder_names import (
    are_of_tools,
    may_be_same_folder,
    own_folders,
)
from automedsam.datasets.annotations.name_forms import name_forms, normal, without_suffix
from automedsam.scans.finding import shorten_name

SLICE_NAME = re.compile(r"(.+)_s([0-9]{3,9})", re.DOTALL)  # scan name and slice; see `slice_name`
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
    folders: str = ""  # those of the name, after the changes


class ImageNames:
    """Matches the image names of annotation tools to image paths.

    Args:
      slices: image path below the images folder to the number of slices.
    """

    def __init__(self, slices: Mapping[str, int]) -> None:
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
           of tools, such as `labels`; an image that differs in these only takes precedence;
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
                return Match(
                    sorted(paths),
                    change=" and ".join(filter(None, (change, SPACES))),
                    folders=_folders(form, paths),
                )
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
            return Match(sorted(paths), None, change, _folders(form, paths))
        if slice_match := SLICE_NAME.fullmatch(without_suffix(form)):
            volumes = {path for path in self._tree.find(slice_match[1]) if self._slices[path] > 1}
            if volumes:
                folders = _folders(slice_match[1], volumes)
                return Match(sorted(volumes), int(slice_match[2]), change, folders)
        return None


class _PathTree:
    """Images by their path, by their path without suffix, and by the endings of both.

    Args:
      paths: normal path to the path that is returned.
    """

    def __init__(self, paths: dict[str, str]) -> None:
        self._paths = paths
        self._by_stem: dict[str, set[str]] = defaultdict(set)
        # Ending to the last folder before it that is not one of tools, "" if there is none, to the
        # images and all folders before it. Hundreds of patients may have images of equal names.
        self._by_ending: dict[str, dict[str, set[tuple[str, str]]]] = defaultdict(
            lambda: defaultdict(set)
        )
        for normal_path, path in paths.items():
            stem = without_suffix(normal_path)
            self._by_stem[stem].add(path)
            for folders, ending in (*_endings(normal_path), *_endings(stem)):
                self._by_ending[ending][_last_own(folders)].add((path, folders))
            self._by_ending[_joined(stem)][""].add((path, ""))

    def find(self, name: str) -> set[str]:
        """Apply rules 1 and 2 of `ImageNames.find`."""
        if name in self._paths:
            return {self._paths[name]}
        stem = without_suffix(name)
        for full in (name, stem):
            if full in self._by_stem:
                return self._by_stem[full]
        for endings in zip(_endings(name), _endings(stem), strict=True):
            for folders, ending in endings:
                if paths := self._find_ending(folders, ending):
                    return paths
        return set()

    def _find_ending(self, name_folders: str, ending: str) -> set[str]:
        """Find the images with an ending whose folders may be those of the name.

        Images that differ from the name in folders of tools only take precedence.
        """
        by_last_own = self._by_ending.get(ending, {})
        last_own = _last_own(name_folders)
        keys = {"", last_own} if last_own else by_last_own.keys()
        found = {
            path: own_folders(folders)
            for key in keys
            for path, folders in by_last_own.get(key, ())
            if may_be_same_folder(name_folders, folders)
        }
        own = own_folders(name_folders)
        return {path for path, folders in found.items() if folders == own} or set(found)


def _describe_difference(name: str, path: str) -> str:
    """Describe in what a name differs from its image; empty if it does not, or as usual."""
    stem, name_stem = without_suffix(path), without_suffix(name)
    if "/" in stem and name_stem.split("/")[-1] == _joined(stem):
        return ""
    folders, name_folders = _split_common_ending(stem, name_stem)
    if not are_of_tools(name_folders):
        return OTHER_FOLDERS
    if not are_of_tools(folders):
        return MORE_FOLDERS
    suffix, name_suffix = path[len(stem) :].lower(), name[len(name_stem) :].lower()
    return OTHER_SUFFIX if suffix and name_suffix and suffix != name_suffix else ""


def _folders(name: str, paths: Iterable[str]) -> str:
    """Return the folders of a name, also of one that joins the folders of its image by `__`."""
    folders, _, file = name.rpartition("/")
    for path in paths:
        stem = without_suffix(normal(path))
        if "/" in stem and without_suffix(file) == _joined(stem):
            return "/".join(filter(None, (folders, stem.rpartition("/")[0])))
    return folders


def _last_own(folders: str) -> str:
    return next(reversed(own_folders(folders)), "")


def _joined(path: str) -> str:
    """Return a path without suffix as the name of one file."""
    return shorten_name(path.replace("/", "__"))


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
