"""stages/prepare.py --check: its report, changed parameters, and that it writes nothing."""

from pathlib import Path

import pytest

from automedsam.runtime.paths import DATA_REPORT, PREPARED
from small_data import (
    IMAGES,
    MASKS,
    NAMES,
    contents,
    draw_labels,
    errors_of,
    save_case,
    save_cases,
    save_volumes,
)


def test_prepare_prints_what_it_found_and_what_it_uses(raw_project, call_prepare):
    raw_project(train_cases=4, min_object_px=12)
    save_cases(NAMES[:10])
    save_case("extra", draw_labels((0, 0, 1, 1), value=3, size=(8, 8)))
    assert call_prepare() == [
        "found: 11 images, 0 volumes with 0 slices, 11 groups",
        "size (rows x columns, px): 2 kinds, 8 x 8 to 12 x 16",
        "spacing (slices, rows, columns, mm): unknown",
        "mask values: 0, 1, 3",
        "masks: 11 of 11 show an object, which covers 1.6 % to 6.2 % of the image in 1 part",
        "train: 4 cases of 4 groups, 4 with an object",
        "val: 2 cases of 2 groups, 2 with an object",
        "test: 3 cases of 3 groups, 3 with an object, 3 with a mask",
        "left out: 2 of the training split, 0 of the others; 1 object below min_object_px",
        "read 11, skipped 0",
    ]


def test_a_check_prints_the_same_and_writes_nothing(raw_project, call_prepare):
    save_volumes()
    before = contents(Path())
    checked = call_prepare("--check")
    assert contents(Path()) == before
    assert [path.name for path in sorted(Path().iterdir())] == ["data", "params.yaml"]
    assert call_prepare() == checked
    assert checked[0] == "found: 0 images, 4 volumes with 12 slices, 4 groups"


def test_a_check_keeps_the_earlier_result(raw_project, call_prepare):
    save_cases("abc")
    call_prepare()
    before = contents(Path())
    save_cases("abcdefg")
    assert call_prepare("--check")[0].startswith("found: 7 images")
    assert {
        path: content
        for path, content in contents(Path()).items()
        if not path.startswith("data/raw")
    } == {path: content for path, content in before.items() if not path.startswith("data/raw")}


def test_a_check_can_change_parameters(raw_project, call_prepare):
    save_cases()
    before = contents(Path())
    checked = call_prepare(
        "--check", "-S", "train_cases=3", "--set", "class_ids=[[1, 7]]", "-S", r"group_by=^(p\d+)_"
    )
    assert checked[0] == "found: 12 images, 0 volumes with 0 slices, 6 groups"
    assert checked[5].startswith("train: 3 cases")
    assert call_prepare("--check", "-S", "train_cases=")[5].startswith(
        "train: 6 cases"
    )  # an empty value is null
    assert (
        call_prepare(
            "--check", "-S", "data_dir=data/raw", "-S", "train_cases=3", "-S", "train_cases=2"
        )[5][:14]
        == "train: 2 cases"
    )
    assert contents(Path()) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("train_cases", "expected KEY=VALUE, found train_cases"),
        ("class_ids=[1,", "expected KEY=VALUE, found class_ids=[1,"),
        ("group_by=%", "expected KEY=VALUE, found group_by=%"),
    ],
)
def test_an_invalid_change_is_an_error_line(raw_project, call_prepare, capsys, change, message):
    with pytest.raises(SystemExit) as ended:
        call_prepare("--check", "-S", change)
    assert ended.value.code == 2
    assert (
        capsys.readouterr().err.splitlines()[-1]
        == f"prepare.py: error: argument -S/--set: {message}"
    )


def test_changes_require_a_check(raw_project, call_prepare, capsys):
    save_cases("abc")
    with pytest.raises(SystemExit) as ended:
        call_prepare("-S", "train_cases=3")
    assert ended.value.code == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("prepare.py: error: -S requires --check")
    )
    assert not PREPARED.exists()


def test_an_invalid_value_is_reported_with_its_key(raw_project, call_prepare):
    save_cases()
    errors = errors_of("--check", "-S", "train_cases=0", "-S", "lr=1", call=call_prepare)
    assert [error.split(":")[1].strip() for error in errors] == ["train_cases", "lr"]


def test_a_check_fails_like_the_run(raw_project, call_prepare):
    save_cases()
    (IMAGES / f"{NAMES[3]}.png").write_text("broken")
    (MASKS / f"{NAMES[5]}.png").unlink()
    assert errors_of("--check", call=call_prepare) == errors_of(call=call_prepare)
    save_cases(value=0)
    assert errors_of("--check", call=call_prepare) == errors_of(call=call_prepare)
    assert not PREPARED.exists()
    assert not DATA_REPORT.exists()
