"""Files from the internet, checked, wholly or not at all; and the archives that may be fetched that way."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from zipfile import BadZipFile, ZipFile

import pooch
from tqdm import tqdm

from automedsam.errors import InputError
from automedsam.outputs import fresh_file


@dataclass(frozen=True)
class Source:
    """Where a file is to be had, and how to know it; None: not known to us."""

    url: str
    sha256: str | None
    size_bytes: int | None
    licence: str

    @property
    def name(self) -> str:
        """The file's own."""
        return Path(urlsplit(self.url).path).name


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


def fetch(source: Source, folder: Path) -> Path:
    """Download a file into a folder, unless it is there already and, as far as is known, right.

    Raises:
      InputError: no file to be had, another one than expected, or a folder that cannot be written to. What was there
        before is there still.
    """
    path = folder / source.name
    try:
        if path.is_file() and _find_fault(source, path) is None:
            return path
        with fresh_file(path) as building:
            _download(source.url, building, path.name)
            if fault := _find_fault(source, building):
                raise InputError(f"{source.url}: {fault}")
    except OSError as error:  # requests' own errors among them
        reason = " ".join(str(error).split())
        raise InputError(
            f"{source.url}: expected to download it, found: {reason}; a file from elsewhere may be put at {path}"
        ) from error
    return path


def unpack(archive: Path) -> list[Path]:
    """Unpack a zip beside itself, leaving alone what is there already; returns what is new of its top level.

    Raises:
      InputError: no zip, a broken one, names that point elsewhere, a folder that cannot be written to, or a former one
        that lacks a file.
    """
    folder = archive.parent
    try:
        # Beside the archive, so that moving is renaming. Names such as ../x and /x are kept inside by zipfile itself.
        with ZipFile(archive) as content, TemporaryDirectory(dir=folder, prefix=".unpacking-") as building:
            if not _missing(content, folder):
                return []
            content.extractall(building)
            fresh = [path for path in sorted(Path(building).iterdir()) if not (folder / path.name).exists()]
            unpacked = [path.rename(folder / path.name) for path in fresh]
            missing = _missing(content, folder)
    except (OSError, BadZipFile, zlib.error) as error:
        raise InputError(f"{archive}: expected a zip to unpack in its folder, found: {error}") from error
    if missing:
        raise InputError(
            f"{archive}: expected its {missing[0]} in {folder}, found a former folder without it; move that one away"
        )
    return unpacked


def _missing(content: ZipFile, folder: Path) -> list[str]:
    return [name for name in content.namelist() if not (folder / name).exists()]


def _download(url: str, path: Path, name: str) -> None:
    with tqdm(desc=name, total=1, unit="B", unit_scale=True) as progress:  # pooch sets the total
        pooch.HTTPDownloader(progressbar=progress, chunk_size=2**16)(url, str(path), None)


def _find_fault(source: Source, path: Path) -> str | None:
    """What is wrong with a file, if anything."""
    size = path.stat().st_size
    if source.size_bytes not in (None, size):
        return f"expected {source.size_bytes} bytes, found {size}"
    if source.sha256 and (found := pooch.file_hash(str(path))) != source.sha256:
        return f"expected sha256 {source.sha256}, found {found}"
    return None
