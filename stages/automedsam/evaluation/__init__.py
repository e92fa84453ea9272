"""Scores of the trained model on the test cases, beside baselines that need no learning."""
