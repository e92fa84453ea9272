"""From boxes to a training signal: pseudo-labels, targets and box losses; no mask is read here."""
