# The README has the plain commands, for those without make.
PYTHON ?= python3
# The stages' own `python` is that of .venv.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: repro test bench lint

repro: .venv/installed
	.venv/bin/python -m dvc repro

test: .venv/installed
	.venv/bin/python -m pytest -n auto

bench: .venv/installed
	.venv/bin/python benchmarks/tightbox.py
	.venv/bin/python benchmarks/embed.py
	.venv/bin/python benchmarks/embed_set.py
	.venv/bin/python benchmarks/step.py

lint: .venv/installed
	.venv/bin/python -m pip install --quiet ruff==0.17.6 mypy==2.4.1
	.venv/bin/ruff check stages tests benchmarks
	.venv/bin/ruff format --check stages tests benchmarks
	.venv/bin/mypy

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -r requirements.txt pydicom==3.0.2
	touch $@
