"""Images and a volume of noise, to predict."""

from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image


def write_inputs(folder: Path) -> Path:
    """Write grey.png, colour.png, and volume.nii.gz with an oblique affine."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    Image.fromarray(rng.integers(0, 256, (50, 70), np.uint8)).save(folder / "grey.png")
    Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).save(folder / "colour.png")
    voxels = rng.integers(-100, 1000, (3, 44, 36)).astype(np.int16)
    affine = np.array([[0, 0, 2.0, 5], [0, -0.5, 0, 7], [3.0, 0, 0, -2], [0, 0, 0, 1.0]])
    nib.save(nib.Nifti1Image(voxels, affine), folder / "volume.nii.gz")
    return folder
