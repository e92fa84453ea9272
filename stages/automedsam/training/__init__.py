"""Training of the prompter on pseudo-labels, boxes and embeddings; it can be resumed."""
