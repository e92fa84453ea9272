"""The frozen backbone: SAM's architectures and weights, preprocessing, and image embeddings."""
