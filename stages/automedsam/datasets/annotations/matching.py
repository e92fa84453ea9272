"""The image and slice that each name in an annotation file refers to."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from automedsam.cases.boxes import Size
from automedsam.datasets.annotations.drawn import Annotations, SliceKey
from automedsam.datasets.annotations.folder_names import (
    differ_in_number,
    may_be_in_folder,
    own_folders,
)
from automedsam.datasets.annotations.image_names import ImageNames, Match
from automedsam.datasets.annotations.name_forms import normal, without_suffix
from automedsam.runtime.errors import ErrorCollector, InputError, count_phrase, name_some
from automedsam.scans.shapes import Shape, SliceCounts

Place = tuple[str, int]  # image path below the images folder, and slice
RECORD_NAME = "using the name of the XML file, because no image has the name inside"


class Matcher:
    """Matches the listed names of one annotation file to images and slices.

    Args:
      annotations: the boxes and the listed images.
      sizes: image path below the images folder to slices, height and width; raises InputError for
        an image that cannot be read.
      errors: collects all names without exactly one place.

    Attributes:
      places: Place of each listed slice; None if it has none, and the error is collected.
    """

    def __init__(
        self,
        annotations: Annotations,
        sizes: Mapping[str, Shape],
        errors: ErrorCollector,
    ) -> None:
        self.places: dict[SliceKey, Place | None] = {}
        self._annotations = annotations
        self._sizes = sizes
        self._names = ImageNames(SliceCounts(sizes))
        self._examples: dict[str, dict[str, str]] = {}  # change to names and their images
        self._folders: dict[str, tuple[str, str, str]] = {}  # name to location, folders, image
        self._near: dict[str, str] = {}  # file name to a note on the images of this name
        self._boxed = annotations.boxed
        # Place to the key that is listed first for it, and its location.
        self._first_listed: dict[Place, tuple[SliceKey, str]] = {}
        for key, location in annotations.locations.items():
            self.places[key] = None
            with errors.catch():
                self.places[key] = self._place(location, key)

    def describe_changes(self) -> list[str]:
        """Return a line about each kind of change that was needed to match names."""
        lines = []
        for change, images in self._examples.items():
            name, image = next(iter(images.items()))
            count = count_phrase(len(images), "name")
            lines.append(f"{count} matched after {change}, for example {name} -> {image}")
        return lines

    def check_folders(self, images_folder: Path, errors: ErrorCollector) -> list[str]:
        """Compare the folders of matched names with those above the images.

        A different folder is an error if its name differs in a number only, as in `patient2` and
        `patient1`, or if other names have the folders of the images. It is doubtful otherwise: the
        images may have been copied.

        Args:
          images_folder: absolute path of the folder of all images.
          errors: collects the names that are surely those of other images.

        Returns:
          A line about the doubtful names.
        """
        doubtful = []
        strange = self._strange_names(images_folder)
        # Names with more folders than those below the images folder.
        are_listed = any(
            name not in strange and len(own_folders(folders)) > len(own_folders(_folder(image)))
            for name, (_, folders, image) in self._folders.items()
        )
        for name in sorted(strange):
            location, folders, image = self._folders[name]
            path = images_folder / image
            if are_listed or differ_in_number(folders, path.parent.as_posix()):
                errors.add(
                    f"{location}: no image matches the name {name!r}; {path} is in another folder"
                )
            else:
                doubtful.append(f"{name} -> {image}")
        if not doubtful:
            return []
        return [
            f"{count_phrase(len(doubtful), 'name')} with folders that are not those of the image "
            f"in {images_folder}, for example {doubtful[0]}; if it is another image, for example "
            "of another patient, remove it from the annotations"
        ]

    def _strange_names(self, images_folder: Path) -> set[str]:
        """The matched names whose folders are not those of their images."""
        return {
            name
            for name, (_, folders, image) in self._folders.items()
            if not may_be_in_folder(folders, normal((images_folder / image).parent.as_posix()))
        }

    def _place(self, location: str, key: SliceKey) -> Place:
        name, index = key
        match = self._match(location, name)
        place = self._find_slice(location, name, index, match)
        image_size, annotated_size = self._sizes[place[0]][1:], self._annotations.sizes.get(key)
        _check_size(location, place[0], image_size, annotated_size)
        self._check_first(location, key, place)
        if match.change:
            self._examples.setdefault(match.change, {})[name] = place[0]
        if match.folders:
            self._folders[name] = location, match.folders, place[0]
        return place

    def _match(self, location: str, name: str) -> Match:
        """Match a name, and the name inside of the record if there is one."""
        inner_name = self._annotations.inner_names.get(name)
        if inner_name is None:
            return self._unique(location, name, self._names.find(name))
        of_record, of_inner = self._names.find(name), self._names.find(inner_name)
        if not of_inner.paths and of_record.paths and not _have_same_stem(name, inner_name):
            return self._unique(location, name, replace(of_record, change=RECORD_NAME))
        if len(of_record.paths) == 1 and set(of_record.paths) < set(of_inner.paths):
            of_inner = replace(of_inner, paths=of_record.paths)
        match = self._unique(location, inner_name, of_inner)
        is_contradiction = of_record.paths and (
            match.paths[0] not in of_record.paths or match.slice != of_record.slice
        )
        if is_contradiction:
            raise InputError(
                f"{location}: the name of the file is that of {of_record.paths[0]}, but <filename> "
                f"is {inner_name}; correct or remove <filename>, or rename the file"
            )
        return match

    def _unique(self, location: str, name: str, match: Match) -> Match:
        """Return the match, and raise InputError if it is not exactly one image."""
        if not match.paths:
            near = self._describe_near(name)
            raise InputError(f"{location}: no image matches the name {name!r}{near}")
        if len(match.paths) > 1:
            after = f" after {match.change}" if match.change else ""
            raise InputError(
                f"{location}: the name {name!r} matches several images{after}: "
                f"{name_some(match.paths)}"
            )
        return match

    def _describe_near(self, name: str) -> str:
        """Name images with this name in other folders; they are not the same image."""
        file_name = normal(name).split("/")[-1]
        if file_name not in self._near:
            others = self._names.find(file_name).paths
            self._near[file_name] = f"; {name_some(others)} is in another folder" if others else ""
        return self._near[file_name]

    def _find_slice(self, location: str, name: str, index: int | None, match: Match) -> Place:
        image = match.paths[0]
        try:
            slices = self._sizes[image][0]
        except InputError as error:
            raise InputError(f"{location}: {error}") from error
        # Slice 0 is accepted, because a file that holds one slice of a volume has no other.
        if match.slice is not None and index not in (None, 0, match.slice):
            raise InputError(
                f"{location}: expected slice {match.slice} for the name {name!r}, found slice "
                f"{index}"
            )
        if match.slice is not None:
            index = match.slice
        elif slices == 1 and index is None:
            index = 0
        if index is None or not 0 <= index < slices:
            found = "none" if index is None else index
            raise InputError(
                f"{location}: expected a slice from 0 to {slices - 1} of {image}, found {found}"
            )
        return image, index

    def _check_first(self, location: str, key: SliceKey, place: Place) -> None:
        """Raise InputError if the place already belongs to a name of another image.

        Without this check, p2/a.png, which does not exist, could be matched to a.png although
        p1/a.png is, too.
        """
        other, other_location = self._first_listed.setdefault(place, (key, location))
        inner_names = self._annotations.inner_names
        name, other_name = (inner_names.get(name, name) for name in (key[0], other[0]))
        if not _are_same_image(name, other_name):
            raise InputError(
                f"{location}: {name!r} and {other_name!r} ({other_location}) both match slice "
                f"{place[1]} of {place[0]}, but are different names"
            )
        is_second_record = self._annotations.has_records and key != other
        if is_second_record and {key, other} <= self._boxed:
            raise InputError(
                f"{location}: {other_location} has boxes of the same image, {place[0]}; remove one "
                "of the two"
            )


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _check_size(location: str, image: str, size: Size, annotated_size: Size | None) -> None:
    """Raise InputError for boxes drawn on a resized copy: they would be in the wrong place."""
    if annotated_size is not None and annotated_size != size:
        raise InputError(
            f"{location}: {image} has {size[1]} x {size[0]} px, but was annotated with "
            f"{annotated_size[1]} x {annotated_size[0]} px"
        )


def _have_same_stem(name: str, other_name: str) -> bool:
    """Whether two paths have the same file name, except for the suffix."""
    stems = [without_suffix(normal(one).split("/")[-1]) for one in (name, other_name)]
    return stems[0] == stems[1]


def _are_same_image(name: str, other_name: str) -> bool:
    """Whether two names differ in leading folders and suffix only."""
    stems = without_suffix(normal(name)), without_suffix(normal(other_name))
    shorter, longer = sorted(stems, key=len)
    return f"/{longer}".endswith(f"/{shorter}")
