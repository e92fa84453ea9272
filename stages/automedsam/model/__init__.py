"""The model: a trainable prompter in front of the frozen decoder, and the trained model as a file."""
