"""The images to predict, and where their masks are written."""

from collections.abc import Sequence
from pathlib import Path

from automedsam.runtime.errors import InputError
from automedsam.scans.scan import SUFFIXES, find_scans, mask_path

SOFT, OVERLAYS = "soft", "overlays"  # folders in the output folder, beside the masks


def list_jobs(inputs: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Path of the mask in the output folder -> scan, sorted.

    Masks of an earlier run, in an output folder inside of the input, are not scans.

    Args:
      inputs: files, and folders that are searched.
      out: the output folder.

    Raises:
      InputError: a path is missing, there are no scans, two scans would have the same mask, or a
        mask would replace a scan or another output.
    """
    jobs: dict[Path, Path] = {}
    for given in inputs:
        if not given.exists():
            raise InputError(f"{given}: no such file or folder")
        folder = given if given.is_dir() else given.parent
        for path in find_scans(given) if given.is_dir() else [given]:
            if _is_inside(out, given) and _is_inside(path, out):
                continue
            target = mask_path(path, folder)
            if target in jobs:
                raise InputError(
                    f"{path}: its mask would replace that of {jobs[target]}, {target}; "
                    "rename one image"
                )
            jobs[target] = path
    if not jobs:
        names = ", ".join(map(str, inputs))
        raise InputError(f"{names}: no images found; supported are {', '.join(SUFFIXES)}")
    _check_overwriting(jobs, out)
    return dict(sorted(jobs.items()))


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


def _is_inside(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents
