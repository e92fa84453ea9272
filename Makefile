# CONTRIBUTING.md lists the plain commands, for those without make.
PYTHON ?= python3
# DVC runs the stages with the `python` of .venv.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: repro test lint docs bench

repro: .venv/installed
	python -m dvc repro

test: .venv/installed
	python -m pytest -n auto --cov

lint: .venv/installed
	ruff check stages tests benchmarks docs
	ruff format --check stages tests benchmarks docs
	mypy
	codespell
	! git grep -n -i -E -f .ci/phrases.txt -- '*.py' '*.md' '*.yaml'

docs: .venv/installed
	python docs/make_parameters.py

bench: .venv/installed
	python benchmarks/tightbox.py
	python benchmarks/embed.py
	python benchmarks/embed_set.py
	python benchmarks/decode.py
	python benchmarks/step.py

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -r requirements.txt
	touch $@
