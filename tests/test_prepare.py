"""stages/prepare.py on small folders: what it writes, what it leaves out, and how it fails."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import prepare
from automedsam.cases import read_index
from automedsam.errors import InputError
from automedsam.images import read_image, read_labels

ROOT = Path(__file__).parent.parent
INDEX = Path("data/prepared/index.csv")
PREPARED = Path("data/prepared")
NAMES = [f"p{patient}_{number}" for patient in range(10) for number in (1, 2)]
IMAGES, MASKS = Path("data/raw/images"), Path("data/raw/masks")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The working folder: a clone's params.yaml and dvc.yaml, and an empty data/raw; changes go to params.yaml."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    IMAGES.mkdir(parents=True)
    MASKS.mkdir()

    def set_params(**changes):
        values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")) | {"dataset": "folder"} | changes
        Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    set_params()
    return set_params


def save_case(name, labels, suffix=".png"):
    image = np.arange(labels.size).reshape(labels.shape).astype(np.uint16) + 1000
    Image.fromarray(image).save(IMAGES / f"{name}.png")
    Image.fromarray(labels.astype(np.uint8)).save(MASKS / f"{name}{suffix}")


def draw_labels(x0, y0, x1, y1, value=1, size=(12, 16)):
    labels = np.zeros(size, np.uint8)
    labels[y0:y1, x0:x1] = value
    return labels


def save_cases(names=NAMES, empty=(), value=1):
    """Boxes that tell the cases apart; those named `empty` hold nothing."""
    for number, name in enumerate(names):
        x0, y0 = number % 5, number // 5
        save_case(name, draw_labels(x0, y0, x0 + 4, y0 + 3, value=0 if name in empty else value))


def run_prepare():
    return subprocess.run([sys.executable, ROOT / "stages" / "prepare.py"], capture_output=True, text=True, timeout=60)


def contents(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def names_of(split=None):
    return [case.name for case in read_index(INDEX, split)]


def test_index_holds_every_case_with_its_half_open_box(project):
    project(train_cases=None)
    save_case("a", draw_labels(2, 3, 9, 7))
    save_case("b", draw_labels(0, 0, 20, 10, size=(10, 20)))
    save_case("c", draw_labels(15, 11, 16, 12, value=255), suffix=".tif")
    prepare.main()
    header, *rows = INDEX.read_text().splitlines()
    assert header == "case,group,split,height,width,x_min,y_min,x_max,y_max"
    assert sorted(row.split(",")[2] for row in rows) == ["test", "train", "val"]
    assert [row.split(",")[:2] + row.split(",")[3:] for row in rows] == [
        ["a", "a", "12", "16", "2", "3", "9", "7"],
        ["b", "b", "10", "20", "0", "0", "20", "10"],
        ["c", "c", "12", "16", "15", "11", "16", "12"],
    ]


def test_images_are_scaled_and_test_masks_are_black_and_white(project):
    project(train_cases=None)
    save_cases()
    prepare.main()
    for name in NAMES:
        with Image.open(PREPARED / "images" / f"{name}.png") as image:
            assert np.array_equal(np.asarray(image), read_image(IMAGES / f"{name}.png"))
    for name in names_of("test"):
        with Image.open(PREPARED / "test_masks" / f"{name}.png") as mask:
            assert np.array_equal(np.asarray(mask), 255 * read_labels(MASKS / f"{name}.png"))


def test_only_the_masks_of_test_cases_are_written(project):
    save_cases()
    prepare.main()
    written = {str(path.relative_to(PREPARED)) for path in PREPARED.rglob("*") if path.is_file()}
    assert written == {
        "index.csv",
        *(f"images/{name}.png" for name in names_of()),
        *(f"test_masks/{name}.png" for name in names_of("test")),
    }


def test_class_ids_choose_the_object(project):
    for name in "abc":
        labels = (
            draw_labels(1, 1, 4, 4, value=1) + draw_labels(6, 2, 9, 8, value=2) + draw_labels(10, 3, 15, 9, value=3)
        )
        save_case(name, labels)
    boxes = []
    for class_ids in (None, [2], [2, 3]):
        project(class_ids=class_ids)
        prepare.main()
        boxes.append({case.box_xyxy for case in read_index(INDEX)})
    assert boxes == [{(1, 1, 15, 9)}, {(6, 2, 9, 8)}, {(6, 2, 15, 9)}]


def test_class_ids_cut_the_test_masks_too(project):
    project(class_ids=[2])
    for name in "abc":
        save_case(name, draw_labels(1, 1, 4, 4, value=1) + draw_labels(6, 2, 9, 8, value=2))
    prepare.main()
    (name,) = names_of("test")
    assert np.array_equal(read_labels(PREPARED / "test_masks" / f"{name}.png"), draw_labels(6, 2, 9, 8, value=255))


def test_train_cases_are_picked_by_the_seed_and_touch_no_other_split(project):
    save_cases()
    picks, others = set(), set()
    for seed in range(4):
        project(train_cases=3, seed=seed)
        prepare.main()
        assert len(names_of("train")) == 3
        picks.add(tuple(names_of("train")))
        others.add((*names_of("val"), *names_of("test")))
    assert len(picks) > 1
    assert len(others) == 1


def test_more_train_cases_keep_the_ones_picked_before(project):
    save_cases()
    picks = []
    for wanted in (1, 3, 5, None):
        project(train_cases=wanted)
        prepare.main()
        picks.append(set(names_of("train")))
    assert [len(pick) for pick in picks] == [1, 3, 5, 10]
    assert picks[0] < picks[1] < picks[2] < picks[3]


def test_train_cases_count_boxes_and_null_takes_negatives_too(project):
    project(train_cases=None)
    save_cases()
    prepare.main()
    train = names_of("train")
    empty = train[:6]
    save_cases(empty=[*empty, names_of("val")[0], names_of("test")[0]])
    before = {split: names_of(split) for split in ("val", "test")}
    for wanted, expected in ((4, train[6:]), (100, train[6:]), (None, train)):
        project(train_cases=wanted)
        prepare.main()
        assert names_of("train") == expected
        assert {split: names_of(split) for split in ("val", "test")} == before
    assert [case.name for case in read_index(INDEX, "train") if not case.has_object] == empty


def test_training_files_beyond_the_last_pick_are_not_read(project):
    project(train_cases=3)
    save_cases()
    prepare.main()
    before = contents(PREPARED)
    (MASKS / f"{min(set(NAMES) - set(names_of()))}.png").write_text("broken")
    prepare.main()
    assert contents(PREPARED) == before


def test_groups_never_cross_splits(project):
    project(group_by=r"^(p\d+)_", train_cases=None)
    save_cases()
    prepare.main()
    cases = read_index(INDEX)
    assert [case.group for case in cases] == [name.split("_")[0] for name in sorted(NAMES)]
    assert len({(case.group, case.split) for case in cases}) == 10


def test_same_input_gives_the_same_bytes(project):
    save_cases()
    prepare.main()
    before = contents(PREPARED)
    prepare.main()
    assert contents(PREPARED) == before


def test_what_was_prepared_before_is_replaced_as_a_whole(project):
    save_cases()
    prepare.main()
    gone = names_of("test")[0]
    (IMAGES / f"{gone}.png").unlink()
    prepare.main()
    assert not any(gone in path for path in contents(PREPARED))
    assert [path.name for path in sorted(Path("data").iterdir())] == ["prepared", "raw"]


def test_script_says_how_many_cases_each_split_has(project):
    project(train_cases=4)
    save_cases(NAMES[:10])
    ended = run_prepare()
    assert (ended.returncode, ended.stdout.splitlines()) == (
        0,
        [
            "train: 4 cases, 4 with an object",
            "val: 2 cases, 2 with an object",
            "test: 3 cases, 3 with an object",
            "left out: 1 cases of the training split, beyond train_cases",
        ],
    )


def test_broken_files_are_all_named_and_the_old_result_is_untouched(project):
    save_cases()
    prepare.main()
    before = contents(PREPARED)
    broken_image, broken_mask = names_of("test")[1], names_of("val")[1]
    (IMAGES / f"{broken_image}.png").write_bytes((IMAGES / f"{broken_image}.png").read_bytes()[:60])
    (MASKS / f"{broken_mask}.png").write_text("not an image")
    ended = run_prepare()
    assert (ended.returncode, ended.stdout) == (1, "")
    message = ended.stderr.splitlines()[-1]
    assert message.startswith("prepare: ")
    assert f"{IMAGES / broken_image}.png: expected an image, found" in message
    assert f"{MASKS / broken_mask}.png: expected an image, found" in message
    assert "Traceback" not in ended.stderr
    assert contents(PREPARED) == before
    assert [path.name for path in sorted(Path("data").iterdir())] == ["prepared", "raw"]


def test_a_split_with_broken_files_alone_is_not_blamed_on_class_ids(project):
    save_cases("abc")
    prepare.main()
    (name,) = names_of("test")
    (MASKS / f"{name}.png").write_text("not an image")
    with pytest.raises(InputError, match=rf"{name}\.png: expected an image") as caught:
        prepare.main()
    assert "class_ids" not in str(caught.value)


def test_no_object_anywhere_names_class_ids_and_the_values_found(project):
    project(class_ids=[7])
    save_cases(value=200)
    expected = "; ".join(
        rf"class_ids: expected an object in the {split} images, found only the mask values \[0, 200\]"
        for split in ("train", "val", "test")
    )
    with pytest.raises(InputError, match=f"^{expected}$"):
        prepare.main()
    assert not PREPARED.exists()


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_without_an_object_is_named_alone(project, split):
    project(train_cases=None)
    save_cases()
    prepare.main()
    save_cases(empty=names_of(split))
    with pytest.raises(InputError, match=f"^class_ids: expected an object in the {split} images") as caught:
        prepare.main()
    assert str(caught.value).count("class_ids") == 1


def test_masks_of_nothing_are_told_as_such(project):
    save_cases(value=0)
    with pytest.raises(InputError, match=r"class_ids: .* found only the mask values \[0\]"):
        prepare.main()


def test_empty_data_folder_is_named(project):
    with pytest.raises(InputError, match=r"^data/raw/images: expected \.png.* found none; see dataset and data_dir$"):
        prepare.main()


def test_fault_of_params_is_one_line(project):
    project(train_cases=0, lr=1)
    ended = run_prepare()
    assert ended.returncode == 1
    assert ended.stderr.startswith("prepare: params.yaml: train_cases: ")
    assert "; params.yaml: lr: no such key\n" in ended.stderr
    assert ended.stderr.count("\n") == 1
