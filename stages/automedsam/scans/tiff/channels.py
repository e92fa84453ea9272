"""Channels of TIFF files: colours are read, and channels of other meanings are rejected."""

import re
from collections.abc import Sequence
from pathlib import Path

from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage

from automedsam.runtime.errors import InputError, count_phrase
from automedsam.scans.notices import warn_once

ALPHA = (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA)
GREY = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.PALETTE)
INKS = 4  # of CMYK
COLOURS = 3
PHOTOMETRIC_TAG = 262


def photometric(page: TiffPage) -> int:
    """The tag that specifies grey, palette or colour; 0 is black if it is missing."""
    # Without the tag, tifffile would assume that 0 is white.
    return page.photometric if PHOTOMETRIC_TAG in page.tags else PHOTOMETRIC.MINISBLACK


def check_channels(path: Path, file: TiffFile, page: TiffPage) -> None:
    """Check that the channels of a file are grey or colours, with or without transparency.

    A warning names channels without a meaning that are left out or read as colours.

    Args:
      path: The file, for messages.
      file: The open file.
      page: Its first page.

    Raises:
      InputError: If a page has several channels that are no colours, or if the pages are channels.
    """
    _check_channels_of_page(path, page)
    if len(file.pages) > 1:
        _check_channels_of_pages(path, file)


def _check_channels_of_page(path: Path, page: TiffPage) -> None:
    channels = page.samplesperpixel
    further = page.extrasamples[: channels - 1]
    unknown = [meaning for meaning in further if meaning not in ALPHA]
    if photometric(page) not in GREY:
        inks = INKS if photometric(page) == PHOTOMETRIC.SEPARATED else COLOURS
        count = channels - inks - (len(further) - len(unknown))
        if count > 0:
            left_out = count_phrase(count, "channel")
            warn_once(path, f"{left_out} beside the colours left out")
    elif channels == COLOURS and len(unknown) == len(further):
        warn_once(path, "3 channels without colour information are read as red, green and blue")
    elif channels > 2 or (channels == 2 and (unknown or not further)):
        raise InputError(
            f"{path}: each pixel has {channels} channels that are no colours, for example stains "
            "or wavelengths; save the channel to segment as a file of its own"
        )


def _check_channels_of_pages(path: Path, file: TiffFile) -> None:
    try:
        series = file.series[0]
        count = dict(zip(series.axes, series.shape, strict=True)).get("C", 1)
        names = _channel_names(file)[:count]
    # Metadata of unknown writers raise nearly every exception; the pages are then slices.
    except Exception:
        return
    if count > 1:
        listed = f" ({', '.join(names)})" if len(names) == count else ""
        raise InputError(
            f"{path}: the pages are {count} channels{listed}; save the channel to segment as a "
            "file of its own, or, if they are slices, save them as slices"
        )


def _channel_names(file: TiffFile) -> Sequence[str]:
    """Names of the channels as OME or ImageJ store them; empty if there are none."""
    names = re.findall(r'<Channel\b[^>]*\bName="([^"]*)"', file.pages.first.description)
    return names or (file.imagej_metadata or {}).get("Labels", ())
