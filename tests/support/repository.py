"""Paths of the repository under test, and of the optional real data."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAGES = ROOT / "stages"
# Real images for the tests that need some; those tests are skipped without the folder.
SHARED = Path(os.environ.get("AUTOMEDSAM_SHARED", ROOT.parent / "shared"))
