"""Folders of the cache, inside and outside of DVC."""

from pathlib import Path

from automedsam.runtime import paths
from repository import STAGES


def test_dvc_root_locates_the_cache_of_the_project(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "project"))
    monkeypatch.chdir(tmp_path)
    assert paths.cache_folder() == tmp_path / "project/.cache"
    assert paths.weights_folder() == tmp_path / "project/.cache/weights"


def test_weights_folder_is_in_the_project_for_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert paths.weights_folder() == STAGES.parent.resolve() / ".cache/weights"


def test_weights_folder_of_an_installed_package_is_in_the_home(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path / "lib/site-packages")
    assert paths.weights_folder() == tmp_path / "home/.cache/automedsam/weights"
