"""Storage of embeddings as fp16, or as int8 with one scale per channel, in half the space."""

from torch import Tensor

INT8_MAX = 127  # the range is symmetric, so that zero stays zero


def pack(embedding: Tensor, dtype: str) -> dict[str, Tensor]:
    """Convert an embedding to the tensors to store.

    Args:
      embedding: (C, grid, grid), fp16.
      dtype: "float16" or "int8".

    Returns:
      For "float16", `embedding` as it is. For "int8", `embedding` (C, grid, grid), int8, and
      `scale` (C,), fp32, which maps the largest magnitude of a channel to 127. A channel with a NaN
      or an infinity becomes NaN as a whole, so that the training detects and rejects it.
    """
    if dtype == "float16":
        return {"embedding": embedding}
    channels = embedding.float()
    scale = channels.abs().amax((1, 2)) / INT8_MAX  # (C,)
    steps = (channels / scale[:, None, None]).nan_to_num(0).round()  # 0 / 0 in a channel of zeros
    return {"embedding": steps.char(), "scale": scale.where(scale.isfinite(), float("nan"))}


def unpack(packed: dict[str, Tensor]) -> Tensor:
    """Return the embedding (C, grid, grid), fp32, from the tensors that `pack` returned."""
    embedding = packed["embedding"].float()
    return embedding * packed["scale"][:, None, None] if "scale" in packed else embedding
