"""The keys of params.yaml: their types, ranges and descriptions, and the rules between them."""
