"""Files from the internet, checked, wholly or not at all; one that was cut off is gone on with the next time."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
from filelock import FileLock, Timeout
from requests import RequestException, Response
from tqdm import tqdm

from automedsam.runtime.errors import InputError


@dataclass(frozen=True)
class Source:
    """Where a file is to be had, and how to know it; None: not known to us."""

    url: str
    sha256: str | None
    size_bytes: int | None
    licence: str
    mirrors: tuple[str, ...] = ()  # more addresses of the same file, tried in this order
    by_hand: str | None = None  # a page to get it from with a browser

    @property
    def name(self) -> str:
        """The file's own."""
        return Path(urlsplit(self.url).path).name


def fetch(source: Source, folder: Path) -> Path:
    """Download a file into a folder, unless it is there already and, as far as is known, right.

    What has come before a cut, ctrl-C or a kill stays in NAME.part, if the hash of the whole is known, for the next
    call to go on with. Of two processes the second waits, and takes what the first one fetched.

    Raises:
      InputError: no file to be had, another one than expected, or a folder that cannot be written to. What was there
        before is there still.
    """
    path = folder / source.name
    try:
        if not _is_right(source, path):
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(path):
                if not _is_right(source, path):
                    _fetch(source, path)
    except OSError as error:
        raise InputError(
            f"{path}: expected to write it there, found: {_in_a_line(error)}"
        ) from error
    return path


def _fetch(source: Source, path: Path) -> None:
    partial = path.with_name(f"{path.name}.part")
    faults = [f"{path}: {_find_fault(source, path)}"] if path.exists() else []
    try:
        for url in [source.url, *source.mirrors]:
            _discard_useless(source, partial)
            _announce(source, url, path, partial)
            resumed = partial.exists()
            fault = _download(source, url, partial)
            if (
                fault and resumed and not partial.exists()
            ):  # the beginning may have been what was wrong
                fault = _download(source, url, partial)
            if fault is None:
                os.replace(partial, path)
                return
            faults.append(f"{url}: {fault}")
    finally:
        _discard_useless(source, partial)
    page = f"; by hand it is to be had from {source.by_hand}" if source.by_hand else ""
    raise InputError(f"{'; '.join(faults)}{page}; a file from elsewhere may be put at {path}")


def _download(source: Source, url: str, partial: Path) -> str | None:
    """Go on from what is there, or start; returns what is wrong with the outcome, if anything."""
    if not _is_right(source, partial):  # else it was stopped between its last byte and its name
        try:
            with partial.open("ab") as file:
                _append(url, file, source.name)
                file.flush()
                os.fsync(file.fileno())  # or a power cut may leave the name without the content
        except RequestException as error:
            if (
                getattr(error.response, "status_code", None) == 416
            ):  # there is no rest: it is longer than the file
                partial.unlink()
            return f"expected to download it, found: {_in_a_line(error)}"
    if fault := _find_fault(source, partial):
        partial.unlink()
        return fault
    return None


def _append(url: str, file: BufferedWriter, name: str) -> None:
    """Ask for what a file lacks, and write that to its end."""

    def begin(response: Response, **_: Any) -> None:
        if response.status_code in (200, 206) and "html" in response.headers.get(
            "Content-Type", ""
        ):
            raise RequestException(
                "a web page"
            )  # of a portal or a quota: it must not cost what is there already
        if response.status_code == 200:  # the whole, whatever was asked for
            file.truncate(0)

    # Zenodo slows requests' own name; in another encoding than its own the file has no place to go on from.
    headers = {"User-Agent": f"pooch/{pooch.__version__}", "Accept-Encoding": "identity"}
    if length := file.tell():
        headers["Range"] = f"bytes={length}-"
    with tqdm(desc=name, total=1, unit="B", unit_scale=True) as progress:  # pooch sets the total
        download = pooch.HTTPDownloader(
            progress, chunk_size=2**16, headers=headers, hooks={"response": begin}
        )
        download(url, file, None)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process is in here for this file; the system itself ends the lock of one that dies."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{path}: another process is fetching it, waiting", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        with suppress(
            OSError
        ):  # while it is held, so that who waits for it finds out; Windows removes it by itself
            Path(lock.lock_file).unlink()
        lock.release()


def _discard_useless(source: Source, partial: Path) -> None:
    """Remove a beginning that nothing can be added to, or whose whole nothing could prove right."""
    if partial.exists():
        size = partial.stat().st_size
        whole = source.size_bytes is not None and size >= source.size_bytes
        if source.sha256 is None or size == 0 or (whole and not _is_right(source, partial)):
            partial.unlink()


def _announce(source: Source, url: str, path: Path, partial: Path) -> None:
    size = "of unknown size" if source.size_bytes is None else f"{source.size_bytes / 1e6:.0f} MB"
    done = f", {partial.stat().st_size / 1e6:.0f} MB of it are here" if partial.exists() else ""
    place = urlsplit(url).netloc
    print(
        f"downloading {source.name}, {size}{done}, from {place} to {path}; {source.licence}",
        file=sys.stderr,
    )


def _is_right(source: Source, path: Path) -> bool:
    return path.is_file() and _find_fault(source, path) is None


def _find_fault(source: Source, path: Path) -> str | None:
    """What is wrong with a file, if anything."""
    size = path.stat().st_size
    if source.size_bytes not in (None, size):
        return f"expected {source.size_bytes} bytes, found {size}"
    if source.sha256 and (found := pooch.file_hash(str(path))) != source.sha256:
        return f"expected sha256 {source.sha256}, found {found}"
    return None


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())
