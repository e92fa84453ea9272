"""The network classes of segment_anything, without the rest of that package.

`import segment_anything` also imports torchvision for tools that this project does not use. That
doubles the start-up time of every stage, and fails if torchvision and torch were built for
different devices. The networks themselves require torch only.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

PACKAGE = "segment_anything"


def _import_networks() -> Any:
    """Import `segment_anything.modeling` without running the `__init__.py` of its package."""
    if PACKAGE in sys.modules:
        return import_module(f"{PACKAGE}.modeling")
    spec = find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"No module named {PACKAGE!r}", name=PACKAGE)
    package = ModuleType(PACKAGE)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[PACKAGE] = package
    try:
        return import_module(f"{PACKAGE}.modeling")
    finally:
        del sys.modules[PACKAGE]  # a later `import segment_anything` gets the whole package


if TYPE_CHECKING:
    from segment_anything.modeling import (
        ImageEncoderViT,
        MaskDecoder,
        PromptEncoder,
        TwoWayTransformer,
    )
else:
    networks = _import_networks()
    ImageEncoderViT = networks.ImageEncoderViT
    MaskDecoder = networks.MaskDecoder
    PromptEncoder = networks.PromptEncoder
    TwoWayTransformer = networks.TwoWayTransformer
