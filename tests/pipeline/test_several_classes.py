"""Two classes in one run: on masks, on drawn boxes with names, and on new images and volumes."""

import csv
import json
import math
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from automedsam.cases.boxes import tight_box
from automedsam.datasets.phantoms import draw_phantom
from automedsam.runtime.image_files import read_image, write_image
from workspace import SMALL, Workspace, copy_project

pytestmark = pytest.mark.slow
STAGES = ("prepare", "embed", "label", "train", "evaluate", "render")
COUNT = 12
RECIPE = SMALL | {"steps_per_epoch": 20}


def draw(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A phantom, and its labels: 1 the ring, 3 the first thing beside it, 2 the others."""
    phantom = draw_phantom(np.random.default_rng([5, number]))
    labels = np.array([0, 1, 3, 2, 2, 2], np.uint8)[phantom.labels]
    return phantom.image, labels


def make_project(root: Path, masks: bool = True, **params: object) -> Workspace:
    root.mkdir()
    workspace = copy_project(root, dataset="folder", **RECIPE | params)
    for number in range(COUNT):
        image, labels = draw(number)
        write_image(root / f"data/raw/images/case_{number:02d}.png", image)
        if masks:
            write_image(root / f"data/raw/masks/case_{number:02d}.png", labels)
    return workspace


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """With masks, and the values 1 and 3 to find."""
    workspace = make_project(tmp_path_factory.mktemp("several") / "project", class_ids="[1, 3]")
    workspace.stages(*STAGES)
    return workspace


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def values_in(folder: Path) -> set[int]:
    return {int(value) for path in folder.glob("*.png") for value in np.unique(read_image(path))}


def test_masks_are_of_both_classes_and_of_nothing_else(trained: Workspace) -> None:
    data = trained.root / "data"
    assert values_in(data / "prepared/test_masks") == {0, 1, 3}
    assert {1, 3} <= values_in(data / "predictions/masks") <= {0, 1, 3}
    for path in (data / "predictions/masks").iterdir():
        soft = read_image(data / "predictions/soft" / path.name)
        assert np.array_equal(read_image(path) > 0, soft > 127)
    for value in (1, 3):
        assert any((data / f"pseudo_labels/{value}").iterdir())


def test_each_class_is_scored_in_each_case_and_the_summary_is_their_mean(
    trained: Workspace,
) -> None:
    rows = rows_of(trained.root / "metrics/per_case.csv")
    names = sorted(path.stem for path in (trained.root / "data/predictions/masks").iterdir())
    assert [(row["case"], row["class"]) for row in rows] == [
        (name, cls) for name in names for cls in ("1", "3")
    ]
    assert [row["class"] for row in rows_of(trained.root / "data/predictions/prompts.csv")] == [
        "1",
        "3",
    ] * len(names)
    row = rows[1]
    predicted, truth = (
        read_image(trained.root / f"data/{folder}/{row['case']}.png") == 3
        for folder in ("predictions/masks", "prepared/test_masks")
    )
    expected = 2 * (predicted & truth).sum() / (predicted.sum() + truth.sum())
    assert float(row["dice"]) == pytest.approx(expected, abs=1e-5)

    summary = json.loads(trained.read("metrics/summary.json"))
    means = {
        cls: np.mean([float(row["dice"]) for row in rows if row["class"] == cls and row["dice"]])
        for cls in "13"
    }
    assert {cls: summary[f"dice_of_{cls}"] for cls in "13"} == pytest.approx(means, rel=1e-4)
    of_classes = rows_of(trained.root / "metrics/per_class.csv")
    assert {row["class"]: float(row["dice"]) for row in of_classes} == pytest.approx(
        means, rel=1e-4
    )
    assert summary["dice"] == pytest.approx(sum(means.values()) / 2, rel=1e-4)
    assert (summary["n_cases"], summary["n_masks"]) == (len(names), len(names))


def test_there_are_pictures_of_all_of_it(trained: Workspace) -> None:
    plots = {
        path.relative_to(trained.root / "plots").as_posix()
        for path in (trained.root / "plots").rglob("*.png")
    }
    assert plots >= {
        "data.png",
        "pseudo_labels.png",
        "progress.png",
        "score_histogram.png",
        "snapshots/best.png",
    }


def test_new_images_get_the_labels_that_evaluate_scored(trained: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "out"
    trained.run(
        "python", "stages/predict.py", "data/raw/images", "--out", str(out), "--soft", "--overlay"
    )
    for mask in sorted((trained.root / "data/predictions/masks").iterdir()):
        assert np.array_equal(read_image(out / mask.name), read_image(mask))
        soft = np.maximum(*(read_image(out / f"soft/{value}" / mask.name) for value in (1, 3)))
        assert np.array_equal(soft, read_image(trained.root / "data/predictions/soft" / mask.name))
        assert read_image(out / "overlays" / mask.name).shape == (256, 256, 3)
    rows = rows_of(out / "predictions.csv")
    assert [row["class"] for row in rows] == ["1", "3"] * COUNT
    for row in rows:
        assert int(row["area_px"]) == (read_image(out / row["mask"]) == int(row["class"])).sum()
    assert (out / "classes.csv").read_bytes() == b"class,value\n1,1\n3,3\n"


def test_new_volumes_get_labels_in_their_own_voxels(trained: Workspace, tmp_path: Path) -> None:
    stack = np.stack([draw(number)[0] for number in (0, 1)], axis=2)
    affine = np.diag([-2, -0.5, 3, 1])
    nib.save(nib.Nifti1Image(stack, affine), tmp_path / "scan.nii.gz")
    out = tmp_path / "out"
    trained.run(
        "python",
        "stages/predict.py",
        str(tmp_path / "scan.nii.gz"),
        "--out",
        str(out),
        "--soft",
        "--overlay",
    )
    mask = nib.load(out / "scan.nii.gz")
    voxels = mask.get_fdata()
    assert (mask.shape, mask.get_data_dtype()) == (stack.shape, np.uint8)
    assert np.array_equal(mask.affine, affine)
    assert set(np.unique(voxels)) <= {0, 1, 3}
    soft = [nib.load(out / f"soft/{value}/scan.nii.gz").get_fdata() for value in (1, 3)]
    assert np.array_equal(voxels > 0, np.maximum(*soft) > 0.5)
    rows = rows_of(out / "volumes.csv")
    assert [(row["class"], row["slices"]) for row in rows] == [("1", "2"), ("3", "2")]
    for row in rows:
        count = (voxels == int(row["class"])).sum()
        assert int(row["voxels"]) == count
        assert float(row["volume_mm3"]) == pytest.approx(count * math.prod((2, 0.5, 3)), rel=1e-5)
    assert [(row["slice"], row["class"]) for row in rows_of(out / "predictions.csv")] == [
        ("0", "1"), ("0", "3"), ("1", "1"), ("1", "3")
    ]  # fmt: skip


def write_csv(folder: Path) -> str:
    lines = ["image,class,x_min,y_min,x_max,y_max"]
    for number in range(COUNT):
        labels = draw(number)[1]
        boxes = {name: tight_box(labels == value) for name, value in (("ring", 1), ("other", 3))}
        lines += [
            f"case_{number:02d}.png,{name},{','.join(map(str, box))}" for name, box in boxes.items()
        ]
    (folder / "boxes.csv").write_text("\n".join(lines), encoding="utf-8")
    return "boxes.csv"


def write_coco(folder: Path) -> str:
    numbered = range(COUNT)
    annotations = []
    for number in numbered:
        labels = draw(number)[1]
        for category, value in ((7, 1), (8, 3)):
            x0, y0, x1, y1 = tight_box(labels == value)
            annotations.append(
                {"image_id": number, "category_id": category, "bbox": [x0, y0, x1 - x0, y1 - y0]}
            )
    content = {
        "images": [{"id": number, "file_name": f"case_{number:02d}.png"} for number in numbered],
        "categories": [{"id": 7, "name": "ring"}, {"id": 8, "name": "other"}],
        "annotations": annotations,
    }
    (folder / "set.json").write_text(json.dumps(content), encoding="utf-8")
    return "set.json"


@pytest.mark.parametrize("write", [write_csv, write_coco])
def test_boxes_of_named_classes_are_enough(trained: Workspace, tmp_path: Path, write) -> None:
    """Labels and training are those that masks give, except for the values of the classes."""
    workspace = make_project(tmp_path / "project", masks=False, class_ids="[ring, other]")
    annotations = write(workspace.root / "data/raw")
    workspace.set_params(annotations=annotations, val_fraction=0.2, test_fraction=0.3)
    workspace.stages(*STAGES[:-1])
    assert workspace.read("data/prepared/classes.csv") == b"class,value\nring,1\nother,2\n"
    for own, of_masks in ((1, 1), (2, 3)):
        labels = sorted((workspace.root / f"data/pseudo_labels/{own}").iterdir())
        expected = sorted((trained.root / f"data/pseudo_labels/{of_masks}").iterdir())
        assert [path.read_bytes() for path in labels] == [path.read_bytes() for path in expected]
    assert workspace.read("plots/train.csv") == trained.read("plots/train.csv")
    assert values_in(workspace.root / "data/predictions/masks") <= {0, 1, 2}
    summary = json.loads(workspace.read("metrics/summary.json"))
    assert [key for key in summary if "_of_" in key] == ["box_iou_of_ring", "box_iou_of_other"]
    assert summary["n_masks"] == 0


def test_test_masks_require_their_values(tmp_path: Path) -> None:
    workspace = make_project(tmp_path / "project", class_ids="[ring, other]", train_cases="null")
    workspace.set_params(annotations=write_csv(workspace.root / "data/raw"))
    assert "so specify the values of ring, other in them" in workspace.python(
        "stages/prepare.py", status=1
    )
    workspace.set_params(mask_ids="[1, [2, 3]]")
    workspace.python("stages/prepare.py")
    assert values_in(workspace.root / "data/prepared/test_masks") == {0, 1, 2}
