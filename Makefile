# Everything runs in a virtual environment inside the checkout, on the built wheel and never on the
# checkout itself. Stamp files remember what is done, so a second run needs no network and no time.
#
#   make test                      what CI runs
#   make dev T=tests/engine        the wheel of your working tree, and only these tests
#   make dev VENV=/tmp/mine        a virtual environment of your own, if somebody else uses this checkout

VENV ?= .venv
PYTHON ?=
PAIRS ?= 100000
T ?= tests

ROOMS   := $(wildcard schemas policy engine providers ledger cli)
# Folders are listed too: their time changes when a file goes away.
SOURCES := pyproject.toml README.md LICENSE py.typed $(wildcard *.py) \
           $(shell find $(ROOMS) -not -path '*/__pycache__*' -not -name '.*')
STAMPS  := $(VENV)/stamps
AWAY    := $(VENV)/away
BIN     := $(VENV)/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

.PHONY: help setup venv demo test lint style types dev bench bench-peers hooks soak fmt lock prices clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- the virtual environment -------------------------------------------------------------------------

setup: $(STAMPS)/wheel ## make .venv with the locked tools, build the wheel and install it
	@echo "setup: ready, $(BIN)/policyctl"

# The stamp is a copy of the lock file, so a lock that was only touched installs nothing anew.
$(STAMPS)/requirements: requirements/dev.txt
	@cmp -s $< $@ || $(MAKE) --no-print-directory venv
	@mkdir -p $(STAMPS) $(AWAY) && cp $< $@

CANDIDATES := $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3)
FITS := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

venv:
	@for python in $(CANDIDATES); do "$$python" -c '$(FITS)' >/dev/null 2>&1 && break; python=; done; \
	if [ -z "$$python" ]; then \
	    echo "policyctl needs Python 3.11 or newer with its venv module; name one with PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	fi; \
	echo "setup: a virtual environment in $(VENV) for $$("$$python" --version)"; \
	if [ -e "$(VENV)/pyvenv.cfg" ]; then rm -rf "$(VENV)"; fi; \
	"$$python" -m venv "$(VENV)"
	@echo "setup: installing the $$(grep -c '==' requirements/dev.txt) locked packages (the only step that needs the network)"
	@$(BIN)/python -m pip install -qq --no-compile --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib

# The wheel is built outside the checkout, from nothing: what an older build left behind can't get into it.
$(STAMPS)/wheel: $(STAMPS)/requirements $(SOURCES)
	@echo "setup: building the wheel and installing it"
	@rm -rf $(VENV)/build $(VENV)/wheel && mkdir -p $(VENV)/build
	@printf '[build]\nbuild_base = %s\n[egg_info]\negg_base = %s\n' $(VENV)/build $(VENV)/build > $(VENV)/build/setup.cfg
	@DIST_EXTRA_CONFIG=$(VENV)/build/setup.cfg \
	    $(BIN)/python -m pip wheel -qq --no-index --no-deps --no-build-isolation -w $(VENV)/wheel .
	@$(BIN)/python -m pip install -qq --no-index --no-deps --no-compile --force-reinstall $(VENV)/wheel/*.whl
	@$(BIN)/python -m compileall -q $(VENV)/lib/python3*/site-packages/policyctl
	@$(BIN)/python -m pip check >/dev/null || { $(BIN)/python -m pip check; echo "the lock is older than pyproject.toml: make lock"; exit 1; }
	@touch $@

# --- a first look --------------------------------------------------------------------------------------

EXAMPLE := examples/claude-loop/claude-loop.policy

define show
printf '\n$$ %s\n' '$(1)'; PATH="$(BIN):$$PATH" $(1);
endef

# The loop works on a copy, and asks nobody; with so little money for a month it meets a level of its budget.
LOOP := $(VENV)/loop

demo: $(STAMPS)/wheel ## see policyctl decide, and a loop at work
	@rm -rf $(LOOP) && cp -R examples/loop $(LOOP)
	@set -e; unset ENABLE_TIME_RULES MONTHLY_COST_BUDGET; \
	$(call show,policyctl --version) \
	$(call show,policyctl validate examples/today/today.policy) \
	$(call show,policyctl explain --policy $(EXAMPLE) --prd examples/claude-loop/prd.json --story US-042) \
	$(call show,policyctl explain --policy $(EXAMPLE) --prd examples/prds/flask-dashboard.json --story DASH-003) \
	cd $(LOOP); export PATH="$(abspath $(BIN)):$$PATH" MONTHLY_COST_BUDGET=0.18; \
	$(call show,python loop.py --enable-multi-provider --offline offline.json) \
	$(call show,python loop.py --offline --cost-report --detailed) \
	printf '\nTo type such commands yourself:  . $(BIN)/activate\n'

# --- checks --------------------------------------------------------------------------------------------

test: lint ## everything CI checks: style, types, layers, and the tests on the built wheel
	@echo "test: $(PAIRS) random policies and requests in the property tests"
	@POLICYCTL_PAIRS=$(PAIRS) $(BIN)/pytest -q -n auto --dist worksteal -p no:benchmark

lint: style types ## style, types and layers only

style: $(STAMPS)/requirements
	@echo "lint: style"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check . ; echo "to mend this: make fmt"; exit 1; }

# Both look at the installed package, so they run where no checkout is in sight.
types: $(STAMPS)/wheel
	@echo "lint: types"
	@cd $(AWAY) && ../bin/mypy --config-file "$(CURDIR)/pyproject.toml" -p policyctl
	@echo "lint: layers"
	@cd $(AWAY) && ../bin/lint-imports --no-logo --config "$(CURDIR)/pyproject.toml"

dev: $(STAMPS)/wheel ## the tests under T=... on the wheel of the working tree
	@$(BIN)/pytest -q $(T)

bench: $(STAMPS)/wheel ## benchmarks: tables, and .benchmarks/speed.json
	@$(BIN)/python tests/benchmarks/speed.py
	@$(BIN)/pytest -q tests/benchmarks

# The other engines live in a virtual environment of their own, together with the wheel of the working tree.
PEERS := $(abspath $(VENV))/peers

bench-peers: $(STAMPS)/wheel ## policyctl beside other engines (needs the network)
	@[ -x $(PEERS)/bin/python ] || $(BIN)/python -m venv $(PEERS)
	@$(PEERS)/bin/pip install -q -r tests/benchmarks/peers.txt
	@$(PEERS)/bin/pip install -q --force-reinstall --no-deps $(VENV)/wheel/*.whl && $(PEERS)/bin/pip install -q $(VENV)/wheel/*.whl
	@$(PEERS)/bin/python tests/benchmarks/peers.py

# Not part of the tests: it fetches pre-commit, and builds the hooks' environment from the checkout.
HOOKS := $(abspath $(VENV))/hooks

hooks: $(STAMPS)/requirements ## try the pre-commit hooks on the example (needs the network)
	@[ -x $(HOOKS)/bin/pre-commit ] || { $(BIN)/python -m venv $(HOOKS) && $(HOOKS)/bin/pip install -q pre-commit; }
	@rm -rf $(HOOKS)/repo && mkdir $(HOOKS)/repo && cp $(dir $(EXAMPLE))*.* $(HOOKS)/repo && git init -q $(HOOKS)/repo
	@cd $(HOOKS)/repo && echo 'policy = "$(notdir $(EXAMPLE))"' > policyctl.toml && git add --all && \
	    PRE_COMMIT_HOME=$(HOOKS)/cache $(HOOKS)/bin/pre-commit try-repo "$(CURDIR)" --all-files

soak: $(STAMPS)/wheel ## the property tests ten times as long, the ledger at full size, the real CLI, kills
	@POLICYCTL_SOAK=1 $(BIN)/pytest -q -p no:benchmark tests/ledger tests/engine/test_ways.py \
	    tests/providers/test_real_cli.py tests/examples/test_loop.py tests/running
	@POLICYCTL_PAIRS=1000000 POLICYCTL_PROOFS=20000 $(BIN)/pytest -q -n auto -p no:benchmark tests/property \
	    tests/policy/test_hostile.py tests/policy/test_fixes.py tests/policy/test_surfaces.py tests/engine

# --- upkeep --------------------------------------------------------------------------------------------

fmt: $(STAMPS)/requirements ## format the code and mend what is sure
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

# Largest first, so that one version of each package fits all three files: dev has what run has, and the SDKs,
# whose limits bind run too. A release younger than a week is left alone: stolen releases are found and withdrawn
# within days. `make lock UPGRADE=--upgrade` takes newer versions; without it only what pyproject.toml asks for
# moves.
UPGRADE ?=
COMPILE  = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
           --no-header --no-emit-index-url --no-emit-find-links --exclude-newer '7 days' $(UPGRADE) pyproject.toml

lock: $(STAMPS)/requirements ## write requirements/*.txt anew
	@$(COMPILE) --extra dev -o requirements/dev.txt
	@$(COMPILE) -c requirements/dev.txt --extra run -o requirements/run.txt
	@$(COMPILE) -c requirements/run.txt -o requirements/base.txt
	@git diff --stat -- requirements

# Only its price map is looked at: LiteLLM is laid beside everything else, without what it depends on, and
# never run; nothing in that folder is read at start-up either.
LITELLM := $(AWAY)/litellm

prices: $(STAMPS)/wheel ## take the shipped price catalogue anew from the newest LiteLLM
	@rm -rf $(LITELLM)
	@$(BIN)/uv pip install --quiet --no-config --no-deps --only-binary :all: --exclude-newer '7 days' \
	    --target $(LITELLM) 'litellm>=1.100,<2'
	@PYTHONPATH=$(LITELLM) POLICYCTL_PRICES=providers/prices.json $(BIN)/policyctl prices update
	@rm -rf $(LITELLM)
	@git diff --stat -- providers

clean: ## remove what make made
	@rm -rf build dist *.egg-info .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
	@if [ -e $(VENV)/pyvenv.cfg ]; then rm -rf $(VENV); fi
