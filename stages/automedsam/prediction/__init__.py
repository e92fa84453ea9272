"""Masks of new images from a trained model; the only room that uses both wings."""
