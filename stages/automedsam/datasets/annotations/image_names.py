"""Which image an annotation tool means: tools move images, rename them, drop folders and suffixes."""

import re
from collections import defaultdict
from collections.abc import Iterable
from unicodedata import normalize

# Of images, volumes and what tools export them as; no others, as names may hold dots (1.2.840).
SUFFIX = re.compile(
    r"\.(png|jpe?g|tiff?|bmp|gif|webp|dcm|nii(\.gz)?|mha|mhd|nrrd)\Z", re.IGNORECASE
)
UPLOAD_PREFIX = re.compile(
    r"(?<![^/])[0-9a-f]{8}-(?=[^/]+\Z)"
)  # Label Studio's, before the file name
SLICE = re.compile(
    r"(.+)_s([0-9]{3,9})", re.DOTALL
)  # a slice's name in this pipeline, by its scan's


class ImageNames:
    """Finds images, given by their paths below a folder, from the names that tools give them.

    Args:
      slices: path to the number of slices.
    """

    def __init__(self, slices: dict[str, int]) -> None:
        self._slices = slices
        self._paths = {normal(path): path for path in slices}
        self._whole, self._ends = defaultdict(set), defaultdict(set)
        for spelled, path in self._paths.items():
            stem = without_suffix(spelled)
            self._whole[stem].add(path)
            for end in (*_ends(spelled), *_ends(stem), stem.replace("/", "__")):
                self._ends[end].add(path)

    def find(self, name: str) -> tuple[list[str], int | None]:
        """The paths that a name may mean, sorted, and the slice that it tells: of the first rule that fits any.

        A path as it is, without suffix, without leading folders (the longest common end first, the other path's folders
        left out too), with `__` for `/`; then as a slice of a volume; then all again without an upload's prefix.
        """
        spelled = normal(name)
        for spelling in (spelled, UPLOAD_PREFIX.sub("", spelled)):
            if paths := self._lookup(spelling):
                return sorted(paths), None
            match = SLICE.fullmatch(without_suffix(spelling))
            volumes = (
                {path for path in self._lookup(match[1]) if self._slices[path] > 1}
                if match
                else set()
            )
            if match and volumes:
                return sorted(volumes), int(match[2])
        return [], None

    def _lookup(self, spelling: str) -> Iterable[str]:
        if spelling in self._paths:
            return {self._paths[spelling]}
        stem = without_suffix(spelling)
        for whole in (spelling, stem):
            if whole in self._whole:
                return self._whole[whole]
        for ends in zip(_ends(spelling), _ends(stem), strict=True):
            for end in ends:
                if end in self._ends:
                    return self._ends[end]
        return set()


def normal(name: str) -> str:
    """A path with slashes, and no dots or empty parts."""
    parts = (
        normalize("NFC", name).replace("\\", "/").split("/")
    )  # macOS spells accents in two characters
    return "/".join(part for part in parts if part not in ("", "."))


def without_suffix(path: str) -> str:
    """A path without the suffix of an image or volume; `.nii.gz` is one."""
    return SUFFIX.sub("", path)


def _ends(path: str) -> list[str]:
    """The path, and what is left of it without its first folder, its first two, and so on."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]
