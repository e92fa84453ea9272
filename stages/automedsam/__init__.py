"""Automatic MedSAM: learn from tight boxes to segment with no prompt at all.

The public names, each imported on first use, so that `import automedsam` costs nothing.
"""

import os
from importlib import import_module
from typing import Any

# Before torch is imported: its waiting threads soon sleep and do not spin for long. On cores that
# something else uses too, spinning made a training two to fifteen times slower; on idle ones
# sleeping costs a tenth.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_HOME = {
    "AutoMedSAM": "model.automedsam",
    "AutoMedSAMConfig": "runtime.parameters.config",
    "AutoMedSAMLoss": "supervision.box_losses",
    "Predictor": "prediction.predictor",
    "PromptModule": "model.direct",
    "compute_dice_score": "evaluation.metrics",
    "create_model": "model.automedsam",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"automedsam.{_HOME[name]}"), name)
