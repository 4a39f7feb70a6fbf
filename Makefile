# Front end of the project. `make` alone prints help; every target sets up what it needs itself.

PROFILE ?= standard
DATA    ?= auto
JOBS    ?= 1
SEED    ?= 0
STAGE   ?=
SET     ?=
CLUSTER ?=

# Inside the activated conda environment that environment.yml makes, that one is used; else .venv.
ifeq ($(CONDA_DEFAULT_ENV),realfake)
  BIN   := $(CONDA_PREFIX)/bin
  READY := $(CONDA_PREFIX)/.realfake-ready
else
  BIN   := .venv/bin
  READY := .venv/.realfake-ready
endif
PYTHON   := $(BIN)/python
REALFAKE := $(PYTHON) -m realfake_lib.cli
CHOICE    = --data "$(DATA)" --seed $(SEED) $(foreach pair,$(SET),--set "$(pair)")
RUN       = $(REALFAKE) report run $(CHOICE) --jobs $(JOBS) $(foreach name,$(STAGE),--stage $(name)) $(if $(CLUSTER),--cluster "$(CLUSTER)")

.DEFAULT_GOAL := help
.PHONY: help setup report test demo pdf notebooks status bench trials trainings lint strip lock clean
.SUFFIXES:

help: ## print this help
	@echo "Usage: make TARGET [PROFILE=smoke|standard|full] [DATA=auto|cifake|demo|PATH] [STAGE=name] [JOBS=n] [SEED=n] [CLUSTER=tcp://host:port] [SET=[stage.]parameter=value]"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## only set up the environment, .venv

report: $(READY) ## run every stage whose inputs changed and render build/$(PROFILE)/report.html
	@$(RUN) --profile $(PROFILE)

test: $(READY) ## run the whole test suite, notebooks included
	@$(PYTHON) -m pytest -n auto --dist loadfile --cov --cov-report=term --cov-fail-under=90 $(PYTEST)

demo: DATA := demo
demo: $(READY) ## the report on the embedded demo data: minutes, no network
	@$(RUN) --profile smoke

pdf: report ## the report as build/$(PROFILE)/report.pdf, printed by an installed Chromium
	@$(REALFAKE) report pdf --profile $(PROFILE)

notebooks: $(READY) ## open the notebooks in JupyterLab
	@$(PYTHON) -m jupyterlab notebooks

status: $(READY) ## what a run would execute, why, and how long it would take
	@$(REALFAKE) report status --profile $(PROFILE) $(CHOICE)

bench: $(READY) ## measure speed: BENCH=input, training, inference or predict, by default all
	@$(PYTHON) -m benchmarks $(BENCH)

trials: $(READY) ## run the trials in experiments/trials.yml that have no outcome yet (hours)
	@$(PYTHON) scripts/run_trials.py

trainings: $(READY) ## make the long trainings kept in experiments/trainings that are missing (hours)
	@$(PYTHON) scripts/train_kept.py $(TRAININGS)

lint: $(READY) ## check style and the committed notebooks
	@$(PYTHON) -m ruff check . && $(PYTHON) -m ruff format --check .
	@$(PYTHON) -m realfake_lib.report.checks

strip: $(READY) ## remove outputs and run metadata from the notebooks
	@$(PYTHON) -m realfake_lib.report.checks --strip

lock: $(READY) ## resolve the newest versions that pyproject.toml allows and pin them
	@$(PYTHON) -m uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --upgrade --no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock
	@$(PYTHON) scripts/environment_from_lock.py

clean: ## remove everything that a run made (build/), but not the environment or downloads
	rm -rf build

# Set-up: made again when the pins or the package's metadata change.
$(READY): requirements.lock pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh "$(BIN)" "$(READY)"
