"""The scans below a folder, their names, and what is there besides them."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from automedsam.runtime.errors import ErrorCollector, InputError
from automedsam.runtime.names import MAX_CASE_BYTES, fit_name, printable_name
from automedsam.scans.dicom.series import find_series
from automedsam.scans.scan import SUFFIXES, has_known_suffix, is_dicom, stem

SHORT_NAME_BYTES = 200  # of a name that was too long; the number of a slice may follow
# Files beside the images of a data set that nobody expects to be read as images.
TEXT_SUFFIXES = (
    *(".txt", ".md", ".rst", ".log", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml"),
    *(".toml", ".ini", ".cfg", ".html", ".htm", ".pdf", ".doc", ".docx", ".odt", ".xls", ".xlsx"),
    *(".ods", ".py", ".ipynb", ".sh", ".dvc", ".names", ".data", ".bval", ".bvec", ".md5"),
    *(".sha256", ".safetensors", ".url", ".lnk"),
)
TEXT_NAMES = ("readme", "license", "licence", "changes", "thumbs.db", "dicomdir")


@dataclass(frozen=True)
class FoundScans:
    """The content of a folder and its subfolders.

    Attributes:
      folder: The folder.
      scans: Files in a format that can be read, and folders of DICOM series, sorted. A link to a
        missing file is one of them if it has the suffix of a format: it cannot be opened.
      unread: Files in other formats, sorted, without text files and tables.
      notes: A line about each link and folder that is not followed.
    """

    folder: Path
    scans: list[Path]
    unread: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def by_name(self) -> dict[str, Path]:
        """Map names of scans to paths, sorted by name.

        A name is the path below the folder without suffix, with `__` as separator. Names of more
        than 243 bytes are shortened; bytes that are not UTF-8 are spelled out.

        Raises:
          InputError: If there is no scan, or if several have the same name.
        """
        paths_by_name = defaultdict(list)
        for path in self.scans:
            paths_by_name[shorten_name(self.full_name(path))].append(path)
        if not paths_by_name:
            others = f" beside {describe_unread(self.unread)}" if self.unread else ""
            raise InputError(
                f"{self.folder}: no {', '.join(SUFFIXES)} files{others}; "
                "check dataset, data_dir and annotations"
            )
        errors = ErrorCollector()
        for paths in paths_by_name.values():
            if len(paths) > 1:
                errors.add(f"{', '.join(map(str, paths))}: scans must have different names")
        errors.raise_if_any()
        return {name: paths[0] for name, paths in sorted(paths_by_name.items())}

    def full_name(self, path: Path) -> str:
        """The name of a scan before it is shortened."""
        name = "__".join((*path.relative_to(self.folder).parent.parts, stem(path)))
        # macOS stores an accented letter as two characters, other systems as one.
        return normalize("NFC", printable_name(name))


def search_folder(folder: Path) -> FoundScans:
    """Find the scans below a folder: files with a known suffix, and folders of DICOM series.

    DICOM files without a known suffix are recognized by their content. Hidden files and folders
    are ignored. Linked folders are searched; each folder is searched once.
    """
    files: list[Path] = []
    dicom_files: list[Path] = []
    unread: list[Path] = []
    walk = Walk(folder)
    for path in sorted(walk.files):
        if is_dicom(path):
            dicom_files.append(path)
        elif has_known_suffix(path):
            files.append(path)
        elif is_broken_link(path):
            walk.notes.append(describe_broken_link(path))
        elif not _is_text(path):
            unread.append(path)
    return FoundScans(folder, sorted([*files, *find_series(dicom_files)]), unread, walk.notes)


def shorten_name(name: str) -> str:
    """Return a name of at most 243 bytes; shorter names are returned unchanged."""
    is_long = fit_name(name, "", MAX_CASE_BYTES) != name
    return fit_name(name, "", SHORT_NAME_BYTES) if is_long else name


def describe_unread(paths: Iterable[Path]) -> str:
    """The suffixes of files and their numbers, such as "2 .mha, 1 without suffix"."""
    counts = Counter(path.suffix.lower() or "without suffix" for path in paths)
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))


def _is_text(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(TEXT_SUFFIXES) or name in TEXT_NAMES


class Walk:
    """All files below a folder, those in linked folders included.

    Hidden files and folders are ignored. A link that leads to a folder that is searched anyway, or
    to one that contains it, is not followed: the same files would be found twice, or without end.

    Args:
      folder: The folder.

    Attributes:
      files: The files, in no order, and links to missing files.
      notes: A line about each folder that cannot be read, and each link that is not followed.
    """

    def __init__(self, folder: Path) -> None:
        self.files: list[Path] = []
        self.notes: list[str] = []
        self._links: list[Path] = []
        self._searched: set[Path] = set()
        self._search(folder)
        while self._links:
            link = self._links.pop(0)
            target = link.resolve()
            if target in self._searched:
                self.notes.append(f"{link}: not followed, because {target} is read already")
            elif folder.resolve().is_relative_to(target):
                self.notes.append(f"{link}: not followed, because {target} contains {folder}")
            else:
                self._search(link)

    def _search(self, top: Path) -> None:
        for root, folders, names in os.walk(top, onerror=self._report):
            folder = Path(root)
            real = folder.resolve()
            if real in self._searched:
                folders.clear()
                continue
            self._searched.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            self._links += [path for name in folders if os.path.islink(path := folder / name)]
            paths = [folder / name for name in names if not name.startswith(".")]
            self.files += [path for path in paths if os.path.isfile(path) or is_broken_link(path)]

    def _report(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self.notes.append(f"{error.filename}: cannot read the folder ({error.strerror})")


def is_broken_link(path: Path) -> bool:
    """Return whether a path is a link to a missing file."""
    return os.path.islink(path) and not os.path.exists(path)


def describe_broken_link(path: Path) -> str:
    """A line about a link to a missing file."""
    return f"{path}: left out, because the file that it links to is missing"
