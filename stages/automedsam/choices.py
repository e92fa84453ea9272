"""What some parameters may be, as params.yaml is checked and as the code that acts on them is typed."""

from typing import Literal

BoxesPerObject = Literal["union", "component"]
SliceAxis = Literal["auto", "axial", "coronal", "sagittal"]
Augmentation = Literal["flip", "turn", "rotate", "scale", "shift", "intensity"]
Prompting = Literal["locate", "direct"]
PromptSource = Literal["embedding", "image", "both"]
SparsePrompt = Literal["box", "point", "tokens"]
