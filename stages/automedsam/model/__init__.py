"""The model: a trainable prompter in front of the frozen decoder, in memory and on disk."""
