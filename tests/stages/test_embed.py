"""The embed stage: its output, the store that outlives it, and a run that is stopped."""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.cases.index import write_index
from automedsam.runtime.paths import EMBEDDINGS, IMAGES, INDEX
from embed import main
from repository import ROOT
from workspace import Workspace, copy_project

MAX_STOP_S = 15  # a second or less, unless the machine is busy


@pytest.fixture
def prepared_cases(
    cases: list[Case],
    images: Path,
    tiny_weights: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[Case]:
    """Prepared images of the cases in the working directory, to embed with two views each."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(sys, "argv", ["embed.py"])
    monkeypatch.setattr("embed.Weights", lambda *_: tiny_weights)
    shutil.copytree(images, IMAGES)
    write_index(INDEX, cases)
    set_params(views=2)
    return cases


def set_params(**changes: object) -> None:
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values |= {"device": "cpu", "use_amp": False, **changes}
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def stored_files() -> set[Path]:
    return set(Path(".cache/embeddings").glob("*/*.safetensors"))


def test_embed_writes_all_images_and_the_views_of_training_images(
    prepared_cases: list[Case], tiny_weights: Weights, capsys: pytest.CaptureFixture[str]
) -> None:
    main()
    folder = EmbeddingFolder(EMBEDDINGS, tiny_weights, "float16")
    expected = {folder.path(case) for case in prepared_cases}
    expected |= {folder.path(case, view) for case in prepared_cases[:3] for view in (1, 2)}
    assert set(EMBEDDINGS.rglob("*.safetensors")) == expected
    folder.check(prepared_cases[:3], 2)
    folder.check(prepared_cases[3:])
    assert "11 images to embed, 0 in the store" in capsys.readouterr().out


def test_a_second_run_embeds_nothing(
    prepared_cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    main()
    content = {path: path.read_bytes() for path in EMBEDDINGS.rglob("*.safetensors")}
    capsys.readouterr()
    main()
    assert "0 images to embed, 11 in the store" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in EMBEDDINGS.rglob("*.safetensors")} == content


def test_prune_deletes_what_the_parameters_do_not_use(
    prepared_cases: list[Case],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main()
    assert len(stored_files()) == 11
    set_params(views=1)
    monkeypatch.setattr(sys, "argv", ["embed.py", "--prune"])
    main()
    assert "deleted 3 unused embeddings" in capsys.readouterr().out
    assert len(stored_files()) == 8
    assert len(list(EMBEDDINGS.rglob("*.safetensors"))) == 11


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize(("sent", "status"), [("SIGINT", 130), ("SIGKILL", -9)])
def test_a_stopped_run_leaves_complete_files_and_is_continued(
    tmp_path: Path, sent: str, status: int
) -> None:
    workspace = copy_project(tmp_path, views=1)
    workspace.python("stages/prepare.py")
    process = subprocess.Popen(
        [sys.executable, "stages/embed.py"],
        cwd=workspace.root,
        env=workspace.environment,
        # A background job of a shell, as tests may be, passes on that it ignores the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    deadline = time.monotonic() + 120
    while not embeddings_of(workspace):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started = time.monotonic()
    process.send_signal(getattr(signal, sent))
    _, printed = process.communicate(timeout=60)
    assert time.monotonic() - started < MAX_STOP_S
    assert process.returncode == status
    assert "Traceback" not in printed
    assert not (workspace.root / "data/embeddings").exists()
    complete = {path: path.read_bytes() for path in embeddings_of(workspace)}

    # All images, and one view of each of the ten training images.
    jobs = len(list((workspace.root / "data/prepared/images").iterdir())) + 10
    counts = re.search(
        r"(\d+) images to embed, (\d+) in the store", workspace.python("stages/embed.py")
    )
    assert counts is not None
    assert (int(counts[1]), int(counts[2])) == (jobs - len(complete), len(complete))
    assert {path: path.read_bytes() for path in complete} == complete


def embeddings_of(workspace: Workspace) -> list[Path]:
    return list((workspace.root / ".cache/embeddings").glob("*/*.safetensors"))
