"""The backbones: one module per backbone, which defines BACKBONE and is named after it."""
