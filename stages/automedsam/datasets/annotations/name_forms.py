"""The forms that an image name may have had before an annotation tool changed it."""

import re
from collections.abc import Callable
from unicodedata import normalize
from urllib.parse import unquote

# Suffixes of images and volumes, and of the formats that tools export them as. No other suffix is
# removed, because names may contain dots (1.2.840).
SUFFIX = re.compile(
    r"\.(png|jpe?g|tiff?|bmp|gif|webp|dcm|dicom|ima|nii(\.gz)?|mha|mhd|nrrd)\Z", re.IGNORECASE
)
# Label Studio: a prefix of uploads, and the folder of the project's uploads before it.
UPLOAD_PREFIX = re.compile(r"(?:(?:.*/)?upload/[0-9]+/|(?<![^/]))[0-9a-f]{8}-(?=[^/]+\Z)")
LOCAL_FILE = re.compile(r".*\?(?:.*&)?d=([^&]+).*", re.DOTALL)  # Label Studio's local storage
SERVER = re.compile(r"\A[a-z][a-z0-9+.-]+:/[^/]+/", re.IGNORECASE)  # of a URL, with one slash
QUERY = re.compile(r"\?.*", re.DOTALL)
ROBOFLOW = re.compile(
    r"(?:[_.-](?:png|jpe?g|tiff?|bmp|gif|webp))?\.rf\.[0-9a-z]{8,}(?=(?:\.[a-z]+)?\Z)",
    re.IGNORECASE,
)


def name_forms(name: str) -> dict[str, str]:
    """Map the possible forms of a name to what must be changed in it, the name itself first.

    A form may need several changes, for example `data/upload/3/1a2b3c4d-a%20b.png`.
    """
    forms = {normal(name): ""}
    for change, undo in CHANGES.items():
        for form, changes in list(forms.items()):
            forms.setdefault(normal(undo(form)), " and ".join(filter(None, (changes, change))))
    return {form: changes for form, changes in forms.items() if form}


def normal(name: str) -> str:
    """Return a path with forward slashes and composed accents, without dots and empty parts."""
    # macOS stores a letter and its accent as two characters.
    parts = normalize("NFC", name).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def without_suffix(path: str) -> str:
    """Remove the suffix of an image or volume; `.nii.gz` is one suffix."""
    return SUFFIX.sub("", path)


def _path_in_url(name: str) -> str:
    match = LOCAL_FILE.fullmatch(name)
    return match[1] if match else QUERY.sub("", SERVER.sub("", name))


CHANGES: dict[str, Callable[[str], str]] = {
    "taking the path from a URL": _path_in_url,
    "decoding percent signs": unquote,
    "removing a hash prefix": lambda name: UPLOAD_PREFIX.sub("", name),
    "removing the ending of Roboflow": lambda name: ROBOFLOW.sub("", name),
}
