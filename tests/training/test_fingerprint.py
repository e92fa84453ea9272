"""What an unfinished training depends on: any change of content, order or code tells two apart."""

from pathlib import Path

import pytest

from automedsam.training.resume import hash_files, hash_sources


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("train.py", "losses.py", "evaluate.py", "data.csv"):
        Path(name).write_text(name)
    Path("dvc.yaml").write_text(
        "stages:\n"
        "  train:\n    cmd: python train.py\n    deps:\n      - train.py\n      - losses.py\n      - data.csv\n"
        "  evaluate:\n    cmd: python evaluate.py\n    deps:\n      - evaluate.py\n"
    )
    return tmp_path


def test_a_hash_is_of_contents_not_of_names(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("same")
    other.write_text("same")
    assert hash_files([one]) == hash_files([other])
    other.write_text("different")
    assert hash_files([one]) != hash_files([other])


def test_a_hash_minds_the_order_and_where_a_file_ends(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path, content in zip(paths, ["1", "23", ""], strict=True):
        path.write_text(content)
    whole = hash_files(paths)
    assert hash_files(paths[::-1]) != whole
    assert hash_files(paths[:2]) != whole
    paths[0].write_text("12")
    paths[1].write_text("3")
    assert hash_files(paths) != whole


@pytest.mark.parametrize("changed", ["train.py", "losses.py"])
def test_changed_code_of_the_stage_changes_the_hash(project: Path, changed: str) -> None:
    before = hash_sources("train")
    (project / changed).write_text("changed")
    assert hash_sources("train") != before


@pytest.mark.parametrize("changed", ["evaluate.py", "data.csv"])
def test_other_code_and_data_do_not_change_the_hash(project: Path, changed: str) -> None:
    before = hash_sources("train")
    (project / changed).write_text("changed")
    assert hash_sources("train") == before


def test_the_order_in_dvc_yaml_does_not_change_the_hash(project: Path) -> None:
    before = hash_sources("train")
    dvc_yaml = project / "dvc.yaml"
    swapped = dvc_yaml.read_text().replace(
        "- train.py\n      - losses.py", "- losses.py\n      - train.py"
    )
    assert swapped != dvc_yaml.read_text()
    dvc_yaml.write_text(swapped)
    assert hash_sources("train") == before
