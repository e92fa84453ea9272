"""All figures: of the data, the pseudo-labels, the training and the test cases."""
