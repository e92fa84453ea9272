"""The whole pipeline with the real DVC, on drawn boxes and without any mask file."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from automedsam.cases.boxes import EDGES, Box, tight_box
from automedsam.datasets.phantoms import draw_phantom
from automedsam.runtime.image_files import write_image
from workspace import SMALL, Workspace, copy_project, stages_run

pytestmark = pytest.mark.slow
COUNT = 12
SHARES = {"train_cases": "null", "val_fraction": 0.2, "test_fraction": 0.3}


def write_csv(folder: Path, boxes: dict[str, Box]) -> str:
    with (folder / "boxes.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "class", "x_min", "y_min", "x_max", "y_max"])
        writer.writerows([name, 1, *box] for name, box in boxes.items())
        writer.writerow(["empty.png", "", "", "", "", ""])
    return "boxes.csv"


def write_coco(folder: Path, boxes: dict[str, Box]) -> str:
    content = {
        "images": [
            {"id": number, "file_name": name} for number, name in enumerate([*boxes, "empty.png"])
        ],
        "categories": [{"id": 3, "name": "ring"}, {"id": 4, "name": "blob"}],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 3, "bbox": [x0, y0, x1 - x0, y1 - y0]}
            for number, (x0, y0, x1, y1) in enumerate(boxes.values())
        ],
    }
    (folder / "instances.json").write_text(json.dumps(content), encoding="utf-8")
    return "instances.json"


@pytest.fixture
def boxes_of(tmp_path: Path) -> Callable[[Path], dict[str, Box]]:
    def write_images(folder: Path) -> dict[str, Box]:
        boxes = {}
        for number in range(COUNT):
            phantom = draw_phantom(np.random.default_rng([5, number]))
            write_image(folder / f"images/case_{number:02d}.png", phantom.image)
            boxes[f"case_{number:02d}.png"] = tight_box(phantom.mask)
        write_image(
            folder / "images/empty.png",
            np.random.default_rng(0).integers(90, 120, (256, 256), dtype=np.uint8),
        )
        return boxes

    return write_images


@pytest.mark.parametrize(("write", "class_ids"), [(write_csv, "null"), (write_coco, "[ring]")])
def test_boxes_alone_are_enough(
    tmp_path: Path, boxes_of, write: Callable[[Path, dict[str, Box]], str], class_ids: str
):
    root = tmp_path / "project"
    root.mkdir()
    boxes = boxes_of(root / "data/raw")
    annotations = write(root / "data/raw", boxes)
    workspace = copy_project(
        root,
        dataset="folder",
        annotations=annotations,
        class_ids=class_ids,
        **SMALL | SHARES,
    )
    assert not [*root.rglob("*mask*.png")]
    printed = workspace.dvc("repro")
    assert len(stages_run(printed)) == 6
    assert "No test image has a true mask." in printed
    assert not [*(root / "data/prepared/test_masks").iterdir()]

    rows = [
        *table(workspace, "data/prepared/boxes.csv"),
        *table(workspace, "data/prepared/test_boxes.csv"),
    ]
    given = {f"{row['case']}.png": tuple(int(row[key]) for key in EDGES) for row in rows}
    assert given == boxes
    summary = json.loads(workspace.read("metrics/summary.json"))
    assert 0 <= summary["box_iou"] <= 1
    assert summary["n_masks"] == 0
    assert not {key for key in summary if "dice" in key}
    scored = [row for row in table(workspace, "metrics/per_case.csv") if row["case"] != "empty"]
    assert all(row["box_iou"] and not row["dice"] for row in scored)
    assert {path.name for path in (root / "plots/snapshots").iterdir()} >= {
        "worst.png",
        "median.png",
        "best.png",
    }
    assert workspace.read("plots/data.png").startswith(b"\x89PNG")


def test_a_changed_box_runs_everything_again_but_embeds_nothing(tmp_path: Path, boxes_of):
    root = tmp_path / "project"
    root.mkdir()
    boxes = boxes_of(root / "data/raw")
    annotations = write_csv(root / "data/raw", boxes)
    workspace = copy_project(
        root,
        dataset="folder",
        annotations=annotations,
        **SMALL | SHARES | {"epochs": 1},
    )
    workspace.dvc("repro")
    x0, y0, x1, y1 = boxes["case_03.png"]
    write_csv(root / "data/raw", boxes | {"case_03.png": (x0 - 1, y0, x1, y1)})
    printed = workspace.dvc("repro")
    assert stages_run(printed)[0] == "prepare"
    assert "train" in stages_run(printed)
    assert "embed" not in stages_run(printed)


def table(workspace: Workspace, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(workspace.read(name).decode().splitlines()))
