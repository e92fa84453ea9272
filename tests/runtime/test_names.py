"""File names of a limited length, and names that can be printed."""

import hashlib
import os
import sys

import pytest

from automedsam.runtime.names import fit_name, printable_name


def test_a_name_that_fits_is_not_changed():
    assert fit_name("scan", ".nii.gz") == "scan.nii.gz"
    assert fit_name(251 * "a", ".png") == 251 * "a" + ".png"


def test_a_name_that_is_too_long_ends_in_a_hash_and_its_suffix():
    stem = 252 * "a"
    digest = hashlib.sha256(stem.encode()).hexdigest()[:16]
    assert fit_name(stem, ".png") == f"{(255 - 22) * 'a'}__{digest}.png"


def test_characters_are_never_cut():
    name = fit_name(100 * "\u65e5", "", 50)  # three bytes each; 32 remain
    assert name.startswith(10 * "\u65e5" + "__")
    assert len(name.encode()) == 48


def test_different_stems_have_different_names():
    assert len({fit_name(300 * "a" + str(number), ".png") for number in range(100)}) == 100


def test_bytes_that_are_not_utf_8_are_spelled_out():
    assert printable_name("caf\udce9\u65e5 %") == "caf%E9\u65e5 %"
    assert printable_name("a\ud800") == "a%uD800"
    assert printable_name("") == ""


@pytest.mark.skipif(sys.platform == "win32", reason="names are not bytes there")
def test_names_that_are_not_utf_8_can_be_shortened():
    name = fit_name(os.fsdecode(300 * b"\xe9"), ".png")
    assert name.endswith(".png")
    assert len(os.fsencode(name)) <= 255
