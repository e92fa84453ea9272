"""The images to predict, and where their masks are written."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from automedsam.runtime.errors import InputError
from automedsam.scans.finding import FoundScans, describe_unread, search_folder
from automedsam.scans.scan import SUFFIXES, mask_path, own_name

SOFT, OVERLAYS = "soft", "overlays"  # folders in the output folder, beside the masks


@dataclass(frozen=True)
class Jobs:
    """The images to predict.

    Attributes:
      scans: Path of the mask in the output folder -> scan, sorted.
      folders: Path of the mask in the output folder -> folder that was searched, absolute.
      unread: Files in formats that are not read.
      notes: A line about each link and folder that is not followed.
    """

    scans: dict[Path, Path]
    folders: dict[Path, Path]
    unread: list[Path]
    notes: list[str]

    def image_name(self, target: Path) -> str:
        """Path of a scan below the folder that was searched, for its mask in the output folder."""
        return (target.parent / own_name(self.scans[target])).as_posix()


def list_jobs(inputs: Sequence[Path], out: Path) -> Jobs:
    """List the images to predict.

    Masks of an earlier run, in an output folder inside of the input, are not scans.

    Args:
      inputs: files, and folders that are searched.
      out: the output folder.

    Raises:
      InputError: a path is missing, there are no scans, two scans would have the same mask, a
        mask would replace a scan or another output, or the output folder is a file.
    """
    jobs: dict[Path, Path] = {}
    folders: dict[Path, Path] = {}
    unread: list[Path] = []
    notes: list[str] = []
    for given in inputs:
        found = _search(given)
        is_around_out = _is_inside(out, given)
        unread += [path for path in found.unread if not (is_around_out and _is_inside(path, out))]
        notes += found.notes
        for path in found.scans:
            if is_around_out and _is_inside(path, out):
                continue
            target = mask_path(path, found.folder)
            if target in jobs:
                raise InputError(
                    f"{path}: its mask would replace that of {jobs[target]}, {target}; "
                    "rename one image"
                )
            jobs[target] = path
            # The name of a DICOM series that is given itself is that of its folder.
            top = found.folder.resolve()
            folders[target] = top.parent if path == found.folder else top
    if not jobs:
        names = ", ".join(map(str, inputs))
        others = f" beside {describe_unread(unread)}" if unread else ""
        raise InputError(f"{names}: no images found{others}; supported are {', '.join(SUFFIXES)}")
    _check_overwriting(jobs, out)
    _check_folder(out)
    return Jobs(dict(sorted(jobs.items())), folders, unread, notes)


def _search(given: Path) -> FoundScans:
    """The scans in a folder, or a file, which is a scan whatever its suffix is."""
    if os.path.isdir(given):
        return search_folder(given)
    if not os.path.lexists(given):
        raise InputError(f"{given}: no such file or folder")
    return FoundScans(given.parent, [given])


def _check_overwriting(jobs: dict[Path, Path], out: Path) -> None:
    for target, path in jobs.items():
        if _is_inside(path, out):
            raise InputError(
                f"--out {out}: the folder contains the image {path}; choose another one"
            )
        if target.parts[0] in (SOFT, OVERLAYS) and len(target.parts) > 1:
            raise InputError(
                f"{path}: rename its folder, because {out / target.parts[0]} is used for "
                "other outputs"
            )


def _check_folder(out: Path) -> None:
    """Raise InputError if the output folder cannot be created or written to."""
    existing = out.absolute()
    while not os.path.lexists(existing):
        if existing == existing.parent:  # a drive of Windows
            raise InputError(f"--out {out}: {existing} does not exist")
        existing = existing.parent
    if not existing.is_dir():
        raise InputError(f"--out {out}: expected a folder, found the file {existing}")
    if not os.access(existing, os.W_OK):
        raise InputError(f"--out {out}: no permission to write to {existing}")


def _is_inside(path: Path, folder: Path) -> bool:
    # Unlike `Path.resolve`, `realpath` accepts a link to itself, which is a fault of one scan.
    return Path(os.path.realpath(folder)) in Path(os.path.realpath(path)).parents
