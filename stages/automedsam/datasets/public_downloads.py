"""Download sources of the public data sets, and the unpacking of their archives."""

import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from automedsam.runtime.downloads import Source
from automedsam.runtime.errors import InputError

HC18 = "https://zenodo.org/records/1327317/files/"
HC18_LICENCE = "CC BY 4.0, van den Heuvel et al. 2018, https://zenodo.org/records/1327317"
DATASETS: dict[str, tuple[Source, ...]] = {
    "hc18": (
        Source(
            name="training_set.zip",
            urls=(f"{HC18}training_set.zip",),
            sha256="fd20d7909df892cfbdc0850de18072dbdad4dc3bc0a57202d4cc818d4715de36",
            size_bytes=None,
            licence=HC18_LICENCE,
        ),
        Source(
            name="training_set_pixel_size_and_HC.csv",
            urls=(f"{HC18}training_set_pixel_size_and_HC.csv",),
            sha256=None,
            size_bytes=None,
            licence=HC18_LICENCE,
        ),
    ),
}
LANDING_PAGES = {  # data sets that must be downloaded by hand, some after registration
    "acdc": "https://www.creatis.insa-lyon.fr/Challenge/acdc/",
    "camus": "https://www.creatis.insa-lyon.fr/Challenge/camus/",
}


def unpack(archive: Path) -> list[Path]:
    """Unpack a zip into its own folder; never overwrite existing files and folders.

    Returns:
      The files and folders of the top level that are new; empty if nothing is missing.

    Raises:
      InputError: a file that is not a zip or is damaged; names that point outside of the folder; a
        folder that is not writable; or an existing folder that lacks a file of the archive.
    """
    folder = archive.parent
    try:
        # A folder next to the archive, on the same file system: moving is renaming. ZipFile itself
        # keeps names such as ../x and /x inside of it.
        with (
            ZipFile(archive) as content,
            TemporaryDirectory(dir=folder, prefix=".unpacking-") as temporary,
        ):
            if not _missing(content, folder):
                return []
            content.extractall(temporary)
            new = [
                path
                for path in sorted(Path(temporary).iterdir())
                if not (folder / path.name).exists()
            ]
            unpacked = [path.rename(folder / path.name) for path in new]
            missing = _missing(content, folder)
    except (OSError, BadZipFile, zlib.error) as error:
        raise InputError(f"{archive}: cannot unpack: {error}") from error
    if missing:
        raise InputError(
            f"{archive}: {missing[0]} is missing from the copy in {folder}; move that copy away "
            "and try again"
        )
    return unpacked


def _missing(content: ZipFile, folder: Path) -> list[str]:
    """Return the names in the archive that do not exist in the folder."""
    return [name for name in content.namelist() if not (folder / name).exists()]
