"""Public data sets: where they are to be had, and how their archives are unpacked."""

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
            f"{HC18}training_set.zip",
            "fd20d7909df892cfbdc0850de18072dbdad4dc3bc0a57202d4cc818d4715de36",
            None,
            HC18_LICENCE,
        ),
        Source(f"{HC18}training_set_pixel_size_and_HC.csv", None, None, HC18_LICENCE),
    ),
}
LANDING_PAGES = {  # of data sets that want a registration, or a click
    "acdc": "https://www.creatis.insa-lyon.fr/Challenge/acdc/",
    "camus": "https://www.creatis.insa-lyon.fr/Challenge/camus/",
}


def unpack(archive: Path) -> list[Path]:
    """Unpack a zip beside itself, leaving alone what is there already; returns what is new of its top level.

    Raises:
      InputError: no zip, a broken one, names that point elsewhere, a folder that cannot be written to, or a former one
        that lacks a file.
    """
    folder = archive.parent
    try:
        # Beside the archive, so that moving is renaming. Names such as ../x and /x are kept inside by zipfile itself.
        with (
            ZipFile(archive) as content,
            TemporaryDirectory(dir=folder, prefix=".unpacking-") as building,
        ):
            if not _missing(content, folder):
                return []
            content.extractall(building)
            fresh = [
                path
                for path in sorted(Path(building).iterdir())
                if not (folder / path.name).exists()
            ]
            unpacked = [path.rename(folder / path.name) for path in fresh]
            missing = _missing(content, folder)
    except (OSError, BadZipFile, zlib.error) as error:
        raise InputError(
            f"{archive}: expected a zip to unpack in its folder, found: {error}"
        ) from error
    if missing:
        raise InputError(
            f"{archive}: expected its {missing[0]} in {folder}, found a former folder without it; move that one away"
        )
    return unpacked


def _missing(content: ZipFile, folder: Path) -> list[str]:
    return [name for name in content.namelist() if not (folder / name).exists()]
