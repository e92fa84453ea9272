# The README has the plain commands, for those without make.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: repro test lint

repro: .venv/installed
	dvc repro

test: .venv/installed
	python -m pytest

lint: .venv/installed
	python -m pip install --quiet ruff==0.17.6 mypy==2.4.1
	ruff check stages tests
	ruff format --check stages tests
	mypy

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	python -m pip install --quiet -r requirements.txt
	touch $@
