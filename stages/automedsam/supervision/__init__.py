"""The training signal from boxes: pseudo-labels, targets and box losses; no mask is read here."""
