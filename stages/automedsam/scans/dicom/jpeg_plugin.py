"""Plugin with which pydicom decompresses JPEG streams that Pillow cannot read."""

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.pixels import get_decoder

LABEL = "imagecodecs"
DECODERS: dict[str, Callable[[bytes], np.ndarray]] = {
    uid.JPEGLossless: imagecodecs.jpegsof3_decode,
    uid.JPEGLosslessSV1: imagecodecs.jpegsof3_decode,
    uid.JPEGLSLossless: imagecodecs.jpegls_decode,
    uid.JPEGLSNearLossless: imagecodecs.jpegls_decode,
    uid.JPEGExtended12Bit: imagecodecs.jpeg8_decode,
    uid.HTJ2K: imagecodecs.jpeg2k_decode,
    uid.HTJ2KLossless: imagecodecs.jpeg2k_decode,
    uid.HTJ2KLosslessRPCL: imagecodecs.jpeg2k_decode,
}
WAVELET_COLOURS = ("YBR_ICT", "YBR_RCT")  # which the decoder of HTJ2K returns as RGB
# pydicom imports a plugin by name and requires this table of what it needs.
DECODER_DEPENDENCIES = dict.fromkeys(DECODERS, ("imagecodecs",))


def register() -> None:
    """Add the decoders to those of pydicom; those that are there already are tried first."""
    for syntax in DECODERS:
        decoder = get_decoder(syntax)
        if LABEL not in decoder.available_plugins:
            decoder.add_plugin(LABEL, (__name__, "decode_frame"))


def is_available(syntax: str) -> bool:
    """Whether this plugin decompresses a transfer syntax; pydicom calls it."""
    return syntax in DECODERS


def decode_frame(stream: bytes, runner: Any) -> bytearray:
    """Decompress one frame.

    Args:
      stream: The compressed frame.
      runner: pydicom's description of the pixels; it is adapted to what the decoder returns.

    Returns:
      The pixels, little endian, colour by pixel.

    Raises:
      NotImplementedError: If a JPEG of 12 bits is in colour, because its colour space is unclear.
    """
    if runner.transfer_syntax == uid.JPEGExtended12Bit and runner.samples_per_pixel > 1:
        raise NotImplementedError("JPEG of 12 bits must be grey")
    pixels = DECODERS[runner.transfer_syntax](stream)
    runner.set_option("bits_allocated", 8 * pixels.itemsize)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    if runner.photometric_interpretation in WAVELET_COLOURS:
        runner.set_option("photometric_interpretation", "RGB")
    return bytearray(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())
