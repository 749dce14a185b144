# imuforge: `make` or `make help` lists what can be done. Every target that runs code makes .venv first.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
ARGS ?=
# Folder of motion files for `make prior`, the arms and the baselines; the packaged weights: docs/models/.
MOCAP ?= ../shared/data/mocap
# Where arms and baselines are packaged, and their pages; the package's own: lightning_modules/assets and docs/models.
WEIGHTS ?= runs/weights
PAGES ?= $(WEIGHTS)
ARMS ?= continued acc
BASELINES ?= motion_vae latent_diffusion motiondiffuse

BIN := $(VENV)/bin
STAMP := $(VENV)/.imuforge-installed

.PHONY: help setup test lint format bench docs wheel doctor prior detail arms baselines finetune har-eval har-eval-full clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## make .venv and install the project with all extras, every version pinned

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is $$($(PYTHON) --version 2>&1), expected Python 3.11 or newer; run make PYTHON=python3.11 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) --disable-pip-version-check -c constraints.txt -e '.[text,har,report,c3d,onnx,cluster,dev]'
	@touch $(STAMP)

test: setup  ## run the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: setup  ## ruff (style, order of imports, docstrings) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## measure the simulator against its peers, in one run, and write docs/benchmarks.md
	$(BIN)/python -m pip install -q $(PIP_ARGS) --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m experiments.bench $(ARGS)

wheel: setup  ## build dist/imuforge-VERSION.whl, to install where no checkout is (docs/packaging.md)
	rm -rf build dist
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 315532800)} \
		$(BIN)/python -m build --wheel --no-isolation

docs: setup  ## build the documentation into site/, strictly, and refuse pages that would fetch anything from the network
	$(BIN)/python -m pip install -q $(PIP_ARGS) --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean --quiet $(ARGS)
	$(BIN)/python -m experiments.tools.check_site site

doctor: setup  ## say what is installed, who owns bin/lightning, and how to repair it
	$(BIN)/python -m experiments.tools.doctor

prior: setup  ## train the small text-to-motion prior on MOCAP=folder and package it (2.5 hours on one core)
	IMUFORGE_MOCAP=$(MOCAP) $(BIN)/lightning fit -c experiments/prior.yaml $(ARGS)
	$(BIN)/python -m experiments.tools.export_prior runs/prior prior

detail: setup  ## train the skip of the packaged prior on MOCAP=folder and package it (a few minutes)
	IMUFORGE_MOCAP=$(MOCAP) $(BIN)/lightning fit -c experiments/finetune_detail.yaml $(ARGS)
	$(BIN)/python -m experiments.tools.export_prior runs/finetune_detail detail

# A run that was interrupted goes on where it was, a finished one stays as it is: --ckpt_path last.
arms: setup  ## fine-tune the packaged prior on MOCAP=folder, ARMS="continued acc", and package them in WEIGHTS=folder (20 minutes each)
	for arm in $(ARMS); do \
		case $$arm in \
			spectrum|frequency|rollout) layers="-c experiments/finetune_continued.yaml -c experiments/recipes/as_prior.yaml \
				-c experiments/recipes/$${arm/#spectrum/acc_spectrum}.yaml";; \
			*) layers="-c experiments/finetune_$$arm.yaml -c experiments/recipes/as_prior.yaml";; \
		esac; \
		IMUFORGE_MOCAP=$(MOCAP) $(BIN)/lightning fit $$layers --ckpt_path last $(ARGS) && \
		$(BIN)/python -m experiments.tools.export_prior runs/finetune_$$arm $$arm --assets $(WEIGHTS) --docs $(PAGES) || exit; \
	done

baselines: setup  ## train MotionDiffuse-style and latent diffusion as the prior is trained, and package them (6 hours on one core)
	for name in $(BASELINES); do \
		IMUFORGE_MOCAP=$(MOCAP) $(BIN)/lightning fit -c experiments/baselines/$$name.yaml --ckpt_path last $(ARGS) && \
		$(BIN)/python -m experiments.tools.export_prior runs/$$name $$name --assets $(WEIGHTS) --docs $(PAGES) || exit; \
	done

finetune: setup  ## fine-tune the packaged prior with the acceleration loss
	$(BIN)/lightning fit -c experiments/finetune_acc.yaml $(ARGS)

HAR_EVAL := experiments/har_eval/layers
# Five seeds, layers laid over the main experiment; each row is a run of its own, and all share one cache.
HAR_EVAL_FULL ?= controls,hapt,basic_motions,retrained stairs mixed mixed,pretrain mixed,augmented calibrated trts worn_together kfold unknown_mounting \
	$(if $(and $(wildcard $(WEIGHTS)/motiondiffuse.safetensors),$(wildcard $(WEIGHTS)/latent_diffusion.safetensors)),baselines)

har-eval: setup  ## the main job: synthetic data in, activity recognition on real people out
	$(BIN)/python -m experiments.har_eval -c experiments/har_eval.yaml $(ARGS)

har-eval-full: setup  ## all of it with five seeds, arms trained once for each on MOCAP=folder as well (a day of two cores; goes on where it was)
	for layers in $(HAR_EVAL_FULL); do \
		$(if $(wildcard $(MOCAP)),IMUFORGE_MOCAP=$(MOCAP)) $(BIN)/python -m experiments.har_eval -c experiments/har_eval.yaml -c $(HAR_EVAL)/full.yaml \
			$$(printf -- "-c $(HAR_EVAL)/%s.yaml " $${layers//,/ }) $(ARGS) || exit; \
	done

clean:  ## remove runs, caches and the environment
	rm -rf $(VENV) runs site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
