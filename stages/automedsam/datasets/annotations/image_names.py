"""Image names in annotation files, matched to the images although tools change them.

Annotation tools move images, rename them, and drop folders and suffixes.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from unicodedata import normalize

# Suffixes of images and volumes, and of the formats that tools export them as. No other suffix is
# removed, because names may contain dots (1.2.840).
SUFFIX = re.compile(
    r"\.(png|jpe?g|tiff?|bmp|gif|webp|dcm|nii(\.gz)?|mha|mhd|nrrd)\Z", re.IGNORECASE
)
UPLOAD_PREFIX = re.compile(r"(?<![^/])[0-9a-f]{8}-(?=[^/]+\Z)")  # added by Label Studio
SLICE_NAME = re.compile(r"(.+)_s([0-9]{3,9})", re.DOTALL)  # scan name and slice; see `slice_name`


class ImageNames:
    """Matches the image names of annotation tools to image paths.

    Args:
      slices: image path below the images folder to the number of slices.
    """

    def __init__(self, slices: dict[str, int]) -> None:
        self._slices = slices
        self._paths = {normal(path): path for path in slices}
        # Images by their path without suffix, and by every shortened form of their path.
        self._by_stem, self._by_ending = defaultdict(set), defaultdict(set)
        for normal_path, path in self._paths.items():
            stem = without_suffix(normal_path)
            self._by_stem[stem].add(path)
            for ending in (*_endings(normal_path), *_endings(stem), stem.replace("/", "__")):
                self._by_ending[ending].add(path)

    def find(self, name: str) -> tuple[list[str], int | None]:
        """Find the images that a name may refer to.

        The first rule that matches any image decides:

        1. the full path, then the path without suffix;
        2. without leading folders of the name or of the path, the longest common ending first;
           also with `__` in place of `/`;
        3. the name of a slice of a volume, `VOLUME_s012`, the volume by rules 1 and 2;
        4. rules 1 to 3 without the prefix of an upload.

        Returns:
          The matching paths, sorted, and the slice that the name specifies, or None.
        """
        normal_name = normal(name)
        for candidate in (normal_name, UPLOAD_PREFIX.sub("", normal_name)):
            if paths := self._lookup(candidate):
                return sorted(paths), None
            if match := SLICE_NAME.fullmatch(without_suffix(candidate)):
                volumes = {path for path in self._lookup(match[1]) if self._slices[path] > 1}
                if volumes:
                    return sorted(volumes), int(match[2])
        return [], None

    def _lookup(self, name: str) -> Iterable[str]:
        """Apply rules 1 and 2."""
        if name in self._paths:
            return {self._paths[name]}
        stem = without_suffix(name)
        for full in (name, stem):
            if full in self._by_stem:
                return self._by_stem[full]
        for endings in zip(_endings(name), _endings(stem), strict=True):
            for ending in endings:
                if ending in self._by_ending:
                    return self._by_ending[ending]
        return set()


def normal(name: str) -> str:
    """Return a path with forward slashes and composed accents, without dots and empty parts."""
    # macOS stores a letter and its accent as two characters.
    parts = normalize("NFC", name).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def without_suffix(path: str) -> str:
    """Remove the suffix of an image or volume; `.nii.gz` is one suffix."""
    return SUFFIX.sub("", path)


def _endings(path: str) -> list[str]:
    """Return the path, then the path without its first folder, without its first two, and so on."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]
