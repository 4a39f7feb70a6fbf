# Front end of the project. `make` alone prints help; every target sets up what it needs itself.

# Only make's command line sets these: shells, CI and job schedulers export the same names for
# purposes of their own.
PROFILE   = standard
DATA      = auto
JOBS      = 1
SEED      = 0
STAGE     =
SET       =
CLUSTER   =
BENCH     =
TRAININGS =
PYTEST    =
JUPYTER   =

# The shell gets what was given as variables, so that no quote, backtick or $ in it is the shell's.
GIVEN = PROFILE DATA JOBS SEED STAGE SET CLUSTER BENCH TRAININGS JUPYTER
unexport $(GIVEN)
export GIVEN_PROFILE   = $(value PROFILE)
export GIVEN_DATA      = $(value DATA)
export GIVEN_JOBS      = $(value JOBS)
export GIVEN_SEED      = $(value SEED)
export GIVEN_STAGE     = $(value STAGE)
export GIVEN_SET       = $(value SET)
export GIVEN_CLUSTER   = $(value CLUSTER)
export GIVEN_BENCH     = $(value BENCH)
export GIVEN_TRAININGS = $(value TRAININGS)
export GIVEN_JUPYTER   = $(value JUPYTER)

# Of a user's own Python, only what concerns output gets in; its packages and start-up files don't.
PYTHON_KEPT = PYTHONIOENCODING PYTHONUTF8 PYTHONCOERCECLOCALE PYTHONUNBUFFERED \
  PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHON3
unexport $(filter-out $(PYTHON_KEPT),$(filter PYTHON% PYTEST_%,$(.VARIABLES)))
export PYTHONPATH := $(CURDIR)
export PYTHONNOUSERSITE := 1

# Inside the activated conda environment that environment.yml makes, that one is used; else .venv.
ENVIRONMENT := $(if $(filter realfake,$(CONDA_DEFAULT_ENV)),"$$CONDA_PREFIX",.venv)
PY          := $(ENVIRONMENT)/bin/python
REALFAKE    := $(PY) -m realfake_lib.cli

CHOICE = set -f; set -- --profile "$$GIVEN_PROFILE" --data "$$GIVEN_DATA" --seed "$$GIVEN_SEED"; \
  for pair in $$GIVEN_SET; do set -- "$$@" --set "$$pair"; done;
RUN = $(CHOICE) set -- "$$@" --jobs "$$GIVEN_JOBS"; \
  for name in $$GIVEN_STAGE; do set -- "$$@" --stage "$$name"; done; \
  if [ -n "$$GIVEN_CLUSTER" ]; then set -- "$$@" --cluster "$$GIVEN_CLUSTER"; fi; \
  $(REALFAKE) report run "$$@"

.DEFAULT_GOAL := help
.PHONY: help ready setup report test demo pdf notebooks status bench trials trainings attacks lint strip lock clean
.SUFFIXES:

help: ## print this help
	@echo "Usage: make TARGET [PROFILE=smoke|standard|full] [DATA=auto|cifake|demo|PATH] [STAGE=name] [JOBS=n] [SEED=n] [CLUSTER=tcp://host:port] [SET=[stage.]parameter=value]"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ready ## only set up the environment, .venv

report: ready ## run every stage whose inputs changed and render build/$(PROFILE)/report.html
	@$(RUN)

test: ready ## run the whole test suite, notebooks included
	@$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=90 $(PYTEST)

demo: ready ## the report on the embedded demo data: minutes, no network
	@$(RUN) --profile smoke --data demo

pdf: report ## the report as build/$(PROFILE)/report.pdf, printed by an installed Chromium
	@$(REALFAKE) report pdf --profile "$$GIVEN_PROFILE"

notebooks: ready ## open the notebooks in JupyterLab; JUPYTER=--option for its options
	@$(PY) -m realfake_lib.report.kernels notebooks $$GIVEN_JUPYTER

status: ready ## what a run would execute, why, and how long it would take
	@$(CHOICE) $(REALFAKE) report status "$$@"

bench: ready ## measure speed: BENCH=input, training, inference, predict or attacks, by default all
	@$(PY) -m benchmarks $$GIVEN_BENCH

trials: ready ## run the trials in experiments/trials.yml that have no outcome yet (hours)
	@$(PY) scripts/run_trials.py

trainings: ready ## make the missing pretrained checkpoints in experiments/trainings (hours)
	@$(PY) scripts/pretrain.py $$GIVEN_TRAININGS

attacks: ready ## measure the missing worst cases in experiments/attacks (hours)
	@$(PY) scripts/attack.py

lint: ready ## check style and the committed notebooks
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .
	@$(PY) -m realfake_lib.report.checks

strip: ready ## remove outputs and run metadata from the notebooks
	@$(PY) -m realfake_lib.report.checks --strip

# The extra provenance is not among the pins: see pyproject.toml.
lock: ready ## resolve the newest versions that pyproject.toml allows and pin them
	@$(PY) -m uv pip compile pyproject.toml --extra report --extra cluster --extra test --extra dev \
	  --universal --python-version 3.11 \
	  --upgrade --no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock
	@$(PY) scripts/environment_from_lock.py

clean: ## remove everything that a run made (build/), but not the environment or downloads
	rm -rf build

# Looks whether the environment is there and newer than the pins and the package's metadata.
ready:
	@sh scripts/setup.sh $(ENVIRONMENT)
