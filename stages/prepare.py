"""Raw images and masks -> data/prepared: 8-bit images, tight boxes and splits in an index, the masks of the test set.

    python stages/prepare.py

Boxes are simulated from the masks; no mask of a training or validation image leaves this stage.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from automedsam.boxes import tight_box
from automedsam.cases import SPLITS, Case, write_index
from automedsam.errors import InputError
from automedsam.images import write_image
from automedsam.outputs import fresh_folder
from automedsam.params import StageParams, load_params
from automedsam.paths import IMAGES, INDEX, PREPARED, TEST_MASKS
from automedsam.sources import RawCase, folder_cases, synthetic_cases
from automedsam.splits import rank
from automedsam.stage import run


def main() -> None:
    params = load_params("prepare")
    raw_cases = list_raw_cases(params)
    with fresh_folder(PREPARED) as folder:
        cases = prepare_cases(reading_order(raw_cases, params.seed), params, folder)
        write_index(folder / INDEX.name, cases)
    for split in SPLITS:
        chosen = [case for case in cases if case.split == split]
        print(f"{split}: {len(chosen)} cases, {sum(case.has_object for case in chosen)} with an object")
    print(f"left out: {len(raw_cases) - len(cases)} cases of the training split, beyond train_cases")
    if params.train_cases is not None and count_boxed(cases, "train") < params.train_cases:
        print(f"train_cases: asked for {params.train_cases}, the training split has no more than these")


def list_raw_cases(params: StageParams) -> list[RawCase]:
    if params.dataset == "synthetic":
        return synthetic_cases()
    return folder_cases(params.data_dir, params.group_by, params.val_fraction, params.test_fraction)


def reading_order(raw_cases: list[RawCase], seed: int) -> list[RawCase]:
    """Test and validation first, then the training cases, shuffled by the seed."""
    return sorted(raw_cases, key=lambda raw: (raw.split == "train", rank(raw.name, seed)))


def prepare_cases(raw_cases: list[RawCase], params: StageParams, folder: Path) -> list[Case]:
    """Write each case that is used, and return its line of the index; the training cases beyond the last are not read.

    Raises:
      InputError: every file that is at fault; or a split with no object in it.
    """
    cases: list[Case] = []
    values: set[int] = set()
    faults: list[str] = []
    wanted = params.train_cases
    for raw in tqdm(raw_cases, "prepare", unit="case"):
        if raw.split == "train" and wanted is not None and count_boxed(cases, "train") == wanted:
            break
        try:
            image, labels = raw.read()
        except InputError as fault:
            faults.append(str(fault))
            continue
        values.update(np.unique(labels).tolist())
        mask = labels > 0 if params.class_ids is None else np.isin(labels, params.class_ids)
        case = Case(raw.name, raw.group, raw.split, mask.shape[0], mask.shape[1], tight_box(mask))
        if raw.split == "train" and wanted is not None and not case.has_object:
            continue  # train_cases counts boxes
        cases.append(case)
        write_image(folder / IMAGES.name / f"{case.name}.png", image)
        if case.split == "test":
            write_image(folder / TEST_MASKS.name / f"{case.name}.png", mask)
    faults = faults or [
        f"class_ids: expected an object in the {split} images, found only the mask values {sorted(values)}"
        for split in SPLITS
        if count_boxed(cases, split) == 0
    ]
    if faults:
        raise InputError("; ".join(faults))
    return cases


def count_boxed(cases: list[Case], split: str) -> int:
    return sum(case.has_object for case in cases if case.split == split)


if __name__ == "__main__":
    run(main)
