# Two commands matter: `make run` and `make test`. Each sets itself up first and is quick again.
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin
# A worker a core, of one thread each; tests that share a long fixture stay together.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadgroup
SCENARIO ?= scenarios/slow_upload.yaml
CONSTRAINTS := constraints/python$(shell $(PYTHON) -c "import sys; print('%d.%d' % sys.version_info[:2])").txt
PINNED ?= $(if $(wildcard $(CONSTRAINTS)),--constraint $(CONSTRAINTS))
# The Pythons of `make test-matrix`; one that is not on PATH is skipped, and named.
PYTHONS ?= 3.10 3.11 3.12 3.13 3.14
LIGHT := cli common explore network reports results scenario simulation

# Recordings by name, and the drawing that each is shown as.
FIGURES := slow_upload:time_to_target figure2:accuracy_over_bytes figure3:time_to_target \
	figure4:accuracy_over_bytes figure5:accuracy_by_variant tiers:accuracy_over_bytes \
	privacy:accuracy_by_variant

.PHONY: help setup constraints run test test-all test-matrix test-lowest test-flower test-light \
	check docs figures campaigns bench clean

help:
	@echo "make run       set up, then run $(SCENARIO)"
	@echo "make test      set up, then run the tests (make test-all: the slow ones as well)"
	@echo "make test-matrix   the tests with each of Python $(PYTHONS) and with the lowest versions"
	@echo "make check     set up, then lint, types and tests"
	@echo "make docs      set up, then build site/ from docs/"
	@echo "make figures   set up, then draw docs/paper/ anew from recordings/, without training"
	@echo "make setup     make $(VENV) (PYTHON=$(PYTHON), TORCH=$(TORCH))"
	@echo "make constraints   renew $(CONSTRAINTS): the versions that setup installs"
	@echo "make campaigns set up, then look for what breaks it, for hours (tests/stress)"
	@echo "make bench     set up, then measure"
	@echo "make clean     remove $(VENV) and caches; runs/ stays"

setup: $(VENV)/ready

# torch first and pinned: asked for indirectly, pip may take another build of it. The versions that
# the tests ran with are in constraints/, per version of Python; without a file pip takes the newest.
$(VENV)/ready: setup.py pyproject.toml $(wildcard constraints/*.txt)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24" "setuptools>=69"
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[test]" $(PINNED)
	$(BIN)/flasc-emu assets fetch minilm 20newsgroups
	@touch $@

# The newest versions, in an environment of their own: run the tests before you commit the file.
constraints:
	$(MAKE) docs VENV=build/newest PINNED=
	mkdir -p constraints
	build/newest/bin/python -m pip freeze --exclude-editable --exclude torch \
	  | grep -v -E "^(nvidia-|cuda-|triton)" \
	  > $(CONSTRAINTS)

run: setup
	$(BIN)/flasc-emu run $(SCENARIO)

test: setup
	$(PYTEST)

test-all: setup
	$(PYTEST) -m "slow or not slow"

# Each Python in an environment of its own, with the versions of constraints/ or else the newest.
test-matrix:
	@failed=; for each in $(PYTHONS); do \
	  if ! python$$each --version > /dev/null 2>&1; then echo "python$$each is not here: skipped"; \
	  elif ! $(MAKE) test PYTHON=python$$each VENV=build/python$$each; then failed="$$failed $$each"; \
	  fi; \
	done; \
	$(MAKE) test-lowest || failed="$$failed lowest"; \
	test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

# The lower bounds of setup.py, with the lowest Python. tests/test_packaging.py compares the two.
test-lowest:
	$(MAKE) test PYTHON=python3.10 VENV=build/lowest CONSTRAINTS=constraints/lowest.txt \
	  TORCH="$$(grep ^torch= constraints/lowest.txt)"

# What needs Flower, in an environment of its own: Flower pins versions of Ray and others.
test-flower:
	$(MAKE) setup VENV=build/flower
	build/flower/bin/python -m pip install --quiet --editable ".[test,flower]"
	OMP_NUM_THREADS=1 build/flower/bin/python -m pytest -m "slow or not slow" \
	  tests/emulator/integrations/flower tests/emulator/testbed/linux/test_flower.py \
	  tests/test_flower_example.py

# What needs no torch, in an environment without it, which takes minutes less to make.
test-light:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24" "setuptools>=69"
	$(BIN)/python -m pip install --quiet --no-deps --requirement $(CONSTRAINTS)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(PYTEST) -m "not real and not slow" $(addprefix tests/emulator/,$(LIGHT))

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST)

docs: setup
	$(BIN)/python -m pip install --quiet --editable ".[docs]" $(PINNED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What is not in recordings/ is passed over.
figures: setup
	@set -e; for each in $(FIGURES); do \
	  name=$${each%%:*}; file=recordings/$$name.json.gz; \
	  if [ -f $$file ]; then \
	    $(BIN)/flasc-emu run $$file --out runs/recorded/$$name; \
	    $(BIN)/flasc-emu export figures runs/recorded/$$name --figure $${each##*:} \
	      --to svg --width double --out docs/paper/$$name; \
	  fi; \
	done

campaigns: setup
	$(BIN)/python tests/stress/run.py

bench: setup
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/replay_phases.py
	$(BIN)/python bench/network.py
	$(BIN)/python bench/transport.py tests/data/tcp_measured_sample.json
	$(BIN)/python bench/applications.py tests/data/tcp_measured_applications.json

clean:
	rm -rf $(VENV) build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
