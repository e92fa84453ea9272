"""What parameters of few values may be, for params.yaml and for the code that acts on them alike."""

from typing import Literal

BoxesPerObject = Literal["union", "component"]
SliceAxis = Literal["auto", "axial", "coronal", "sagittal"]
Augmentation = Literal["flip", "turn", "rotate", "scale", "shift", "intensity"]
Prompting = Literal["locate", "direct"]
PromptSource = Literal["embedding", "image", "both"]
SparsePrompt = Literal["box", "point", "tokens"]
