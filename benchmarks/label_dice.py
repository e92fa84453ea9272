"""Mean Dice of the pseudo-labels against the true masks of the training cases.

    python benchmarks/label_dice.py

Run it in a folder with prepared and labelled data, as accuracy.py creates it. It states how much
the teacher loses; the stages never read these masks. The last printed line is the mean over the
classes, each a mean over its accepted pseudo-labels.
"""

from statistics import mean

from peer import MASKS, write_masks

from automedsam.cases.classes import read_classes
from automedsam.cases.index import read_index
from automedsam.evaluation.metrics import dice
from automedsam.runtime.image_files import read_image
from automedsam.runtime.paths import CLASSES, INDEX, PSEUDO_LABELS, image_path


def main() -> None:
    classes = read_classes(CLASSES)
    write_masks({case.name for case in read_index(INDEX, classes, "train")}, classes, MASKS)
    scores = []
    for cls in classes:
        labels = sorted(classes.folder_of(PSEUDO_LABELS, cls).glob("*.png"))
        truths = [image_path(classes.folder_of(MASKS, cls), label.stem) for label in labels]
        pairs = zip(labels, truths, strict=True)
        scores.append(mean(dice(read_image(a) > 127, read_image(b) > 127) for a, b in pairs))
    print(mean(scores))


if __name__ == "__main__":
    main()
