"""stages/prepare.py --check: what is told, with other parameters, and that nothing is written."""

from pathlib import Path

import pytest

from automedsam.runtime.paths import DATA_REPORT, PREPARED
from small_data import (
    IMAGES,
    MASKS,
    NAMES,
    contents,
    draw_labels,
    faults_of,
    save_case,
    save_cases,
    save_volumes,
)


def test_what_was_found_and_what_is_used_is_printed(raw_project, call_prepare):
    raw_project(train_cases=4, min_object_px=12)
    save_cases(NAMES[:10])
    save_case("extra", draw_labels((0, 0, 1, 1), value=3, size=(8, 8)))
    assert call_prepare() == [
        "found: 11 images, 0 volumes of 0 slices, 11 groups",
        "size (rows x columns, px): 2 kinds, 8 x 8 to 12 x 16",
        "spacing (slices, rows, columns, mm): unknown",
        "mask values: 0, 1, 3",
        "train: 4 cases of 4 groups, 4 with an object",
        "val: 2 cases of 2 groups, 2 with an object",
        "test: 3 cases of 3 groups, 3 with an object, 3 with a mask",
        "left out: 2 of the training split, 0 of the others; 1 object below min_object_px",
    ]


def test_a_check_prints_the_same_and_writes_nothing(raw_project, call_prepare):
    save_volumes()
    before = contents(Path())
    checked = call_prepare("--check")
    assert contents(Path()) == before
    assert [path.name for path in sorted(Path().iterdir())] == ["data", "dvc.yaml", "params.yaml"]
    assert call_prepare() == checked
    assert checked[0] == "found: 0 images, 4 volumes of 12 slices, 4 groups"


def test_a_check_leaves_what_was_prepared_before(raw_project, call_prepare):
    save_cases("abc")
    call_prepare()
    before = contents(Path())
    save_cases("abcdefg")
    assert call_prepare("--check")[0].startswith("found: 7 images")
    assert {
        path: bytes_ for path, bytes_ in contents(Path()).items() if not path.startswith("data/raw")
    } == {path: bytes_ for path, bytes_ in before.items() if not path.startswith("data/raw")}


def test_a_value_can_be_changed_for_one_look(raw_project, call_prepare):
    save_cases()
    before = contents(Path())
    checked = call_prepare(
        "--check", "-S", "train_cases=3", "--set", "class_ids=[[1, 7]]", "-S", r"group_by=^(p\d+)_"
    )
    assert checked[0] == "found: 12 images, 0 volumes of 0 slices, 6 groups"
    assert checked[4].startswith("train: 3 cases")
    assert call_prepare("--check", "-S", "train_cases=")[4].startswith(
        "train: 6 cases"
    )  # nothing is null
    assert (
        call_prepare(
            "--check", "-S", "data_dir=data/raw", "-S", "train_cases=3", "-S", "train_cases=2"
        )[4][:14]
        == "train: 2 cases"
    )
    assert contents(Path()) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("train_cases", "expected KEY=VALUE, found train_cases"),
        ("class_ids=[1,", "expected KEY=VALUE, found class_ids=[1,"),
        ("group_by=%", "expected KEY=VALUE, found group_by=%"),
    ],
)
def test_a_change_that_is_none_is_an_error_line(raw_project, call_prepare, capsys, change, told):
    with pytest.raises(SystemExit) as ended:
        call_prepare("--check", "-S", change)
    assert ended.value.code == 2
    assert (
        capsys.readouterr().err.splitlines()[-1] == f"prepare.py: error: argument -S/--set: {told}"
    )


def test_changes_go_with_a_look_alone_so_that_what_is_written_is_what_params_say(
    raw_project, call_prepare, capsys
):
    save_cases("abc")
    with pytest.raises(SystemExit) as ended:
        call_prepare("-S", "train_cases=3")
    assert ended.value.code == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("prepare.py: error: -S goes with --check alone")
    )
    assert not PREPARED.exists()


def test_a_change_to_what_cannot_be_is_told_by_its_key(raw_project, call_prepare):
    save_cases()
    faults = faults_of("--check", "-S", "train_cases=0", "-S", "lr=1", call=call_prepare)
    assert [fault.split(":")[1].strip() for fault in faults] == ["train_cases", "lr"]


def test_a_check_fails_like_the_run(raw_project, call_prepare):
    save_cases()
    (IMAGES / f"{NAMES[3]}.png").write_text("broken")
    (MASKS / f"{NAMES[5]}.png").unlink()
    assert faults_of("--check", call=call_prepare) == faults_of(call=call_prepare)
    save_cases(value=0)
    assert faults_of("--check", call=call_prepare) == faults_of(call=call_prepare)
    assert not PREPARED.exists()
    assert not DATA_REPORT.exists()
