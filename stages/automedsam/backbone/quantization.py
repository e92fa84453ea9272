"""What an embedding is stored as: fp16, or int8 with one scale a channel, in half of the space."""

from torch import Tensor

STEPS = 127  # int8 to either side of zero, which stays zero


def pack(embedding: Tensor, dtype: str) -> dict[str, Tensor]:
    """An embedding (C, grid, grid), fp16, as the tensors to store.

    Args:
      dtype: "float16" keeps it as it is; "int8" gives `embedding` (C, grid, grid), int8, and `scale` (C,), fp32, so
        that a channel's largest magnitude is 127 steps. A channel that holds a NaN or an infinity becomes NaN as a
        whole, for the training to refuse.
    """
    if dtype == "float16":
        return {"embedding": embedding}
    channels = embedding.float()
    scale = channels.abs().amax((1, 2)) / STEPS  # (C,)
    steps = (channels / scale[:, None, None]).nan_to_num(0).round()  # 0 / 0 in a channel of zeros
    return {"embedding": steps.char(), "scale": scale.where(scale.isfinite(), float("nan"))}


def unpack(packed: dict[str, Tensor]) -> Tensor:
    """The embedding (C, grid, grid), fp32, of what `pack` gave; the tensors tell which kind it was."""
    embedding = packed["embedding"].float()
    return embedding * packed["scale"][:, None, None] if "scale" in packed else embedding
