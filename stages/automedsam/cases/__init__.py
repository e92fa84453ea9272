"""The vocabulary of all other rooms: boxes, cases, classes, masks and augmentation."""
