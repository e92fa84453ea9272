"""Packages for pip: a wheel with data, and a source distribution; both report that they were run.

The package is `pack` 1.0. Its wheel has the file `pack/asset/weights.pth`.
"""

import tarfile
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from automedsam.runtime.wheels import WheelMember

WEIGHTS = WheelMember("pack==1.0", "pack/asset/weights.pth")
WHEEL = "pack-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: pack\nVersion: 1.0\n"


def write_wheel(folder: Path, weights: bytes, metadata: str = METADATA) -> Path:
    """Write the wheel, its members not compressed."""
    members: dict[str, str | bytes] = {
        "pack/__init__.py": _reporting(folder),
        WEIGHTS.member: weights,
        "pack-1.0.dist-info/METADATA": metadata,
        "pack-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    names = [*members, "pack-1.0.dist-info/RECORD"]
    members["pack-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in names)
    with ZipFile(folder / WHEEL, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return folder / WHEEL


def write_source_distribution(folder: Path) -> Path:
    path = folder / "pack-1.0.tar.gz"
    setup = f"{_reporting(folder)}; import setuptools; setuptools.setup(name='pack', version='1.0')"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in {"PKG-INFO": METADATA, "setup.py": setup}.items():
            member = tarfile.TarInfo(f"pack-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, BytesIO(text.encode()))
    return path


def was_run(folder: Path) -> bool:
    """Return whether the code of a package in this folder was executed."""
    return (folder / "was_run").exists()


def _reporting(folder: Path) -> str:
    return f"import pathlib; pathlib.Path({str(folder / 'was_run')!r}).touch()"
