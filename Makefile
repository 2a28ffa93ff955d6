# kraut: every verb a contributor needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/kraut
TOOLS := $(CACHE)/tools
UV := $(TOOLS)/bin/uv
BIN := .venv/bin
READY := .venv/.kraut-ready
PYTEST := $(BIN)/pytest --hypothesis-profile=ci
# Tests mostly wait for real parts: more processes than cores, each with a control plane and hosts of its own (about 2 GiB).
JOBS ?= 3
export UV
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON_PREFERENCE := only-system
export DEBIAN_FRONTEND := noninteractive

begin = printf '\n== %s\n' '$(1)'; SECONDS=0
end = printf '== %s took %d s\n' '$(1)' $$SECONDS

##@ Start here

.PHONY: help
help: ## List the verbs
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup binaries ## Watch kraut take real hosts from unknown to patched; KEEP=1 leaves them up
	$(BIN)/kraut lab demo $(if $(KEEP),--keep)

.PHONY: demo-identity
demo-identity: setup binaries ## Watch a service account of one cluster act in another, without a shared secret; KEEP=1 leaves it
	$(BIN)/kraut lab demo-identity $(if $(KEEP),--keep)

.PHONY: setup
setup: $(READY) ## Make .venv with everything in it; as root on Debian also install what hosts need

$(READY): uv.lock pyproject.toml $(wildcard packages/*/pyproject.toml) | $(UV)
	@$(call begin,setup); \
	$(UV) sync --quiet --frozen --all-packages --all-extras --python "$$(command -v $(PYTHON))"; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then $(BIN)/kraut lab setup; tools/install_sshd.sh; fi; \
	touch $@; \
	$(call end,setup)

# uv in a venv of its own: nothing of the machine's Python changes. Debian splits ensurepip from Python.
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit("kraut needs Python 3.11 or newer, found " + sys.version) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv --clear $(TOOLS) || { [ "$$(id -u)" = 0 ] && apt-get -q update && apt-get -q -y install --no-install-recommends python3-venv && $(PYTHON) -m venv --clear $(TOOLS); }
	@$(TOOLS)/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'

.PHONY: binaries
binaries: setup ## Get etcd, kube-apiserver, kube-controller-manager and Keycloak; built from Go modules the first time (about 6 min)
	@$(call begin,binaries); $(BIN)/python tools/fetch_binaries.py; $(call end,binaries)

##@ While you work

.PHONY: fmt
fmt: setup ## Format and fix what can be fixed
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format --quiet .

.PHONY: lint
lint: setup ## Style, layers of imports, format
	@$(call begin,lint); $(BIN)/ruff check .; $(BIN)/ruff format --check .; $(BIN)/lint-imports --no-logo; $(call end,lint)

.PHONY: typecheck
typecheck: setup ## mypy --strict
	@$(call begin,typecheck); $(BIN)/mypy; $(call end,typecheck)

.PHONY: generate
generate: setup ## Write what is generated: CRDs, the references, the fault matrix
	$(BIN)/python -m kraut_core.crd --write charts/kraut-crds/templates
	$(BIN)/python tools/settings_reference.py
	$(BIN)/python tools/resources_reference.py
	$(BIN)/python tools/metrics_reference.py
	$(BIN)/python tools/cli_reference.py
	$(BIN)/python tools/fault_matrix.py

##@ Tests

.PHONY: unit
unit: setup ## Fast tests: no services, no root
	$(PYTEST) -q -m "not integration and not lab and not sweep"

.PHONY: integration
integration: setup binaries ## Tests on a real kube-apiserver, Temporal and sshd on loopback
	$(PYTEST) -m integration

.PHONY: lab
lab: setup binaries ## Tests on real hosts; needs root on Linux
	$(PYTEST) -m lab

.PHONY: sweep
sweep: setup binaries ## Long sweeps, with fresh random examples
	$(BIN)/pytest -m sweep

.PHONY: nemesis
nemesis: setup binaries ## Random faults on real hosts, then a checker; SEED= HOSTS=3 MINUTES=5 FAULTS=3,7 SHRINK=1
	$(BIN)/python -m kraut_lab.nemesis $(if $(SEED),--seed $(SEED)) --hosts $(or $(HOSTS),3) --minutes $(or $(MINUTES),5) $(if $(FAULTS),--faults $(FAULTS)) $(if $(SHRINK),--shrink)

.PHONY: soak
soak: setup binaries ## 24 h of the operator in one, over 10,000 Hosts (about half an hour)
	$(BIN)/pytest -m sweep packages/kraut-operator/tests/test_soak.py

.PHONY: bench
bench: setup binaries ## Measure against peers; FIGURE=sync for one of them, on a quiet machine
	$(BIN)/python -m bench $(or $(FIGURE),all)

.PHONY: test
test: lint typecheck binaries ## Everything CI runs, JOBS=3 at a time; ends with pytest's own summary
	@printf '\n== tests\n'
	@$(PYTEST) -m "not sweep" -n $(JOBS) --dist loadfile --no-loadscope-reorder

##@ Releases

.PHONY: wheels
wheels: setup ## Build every wheel into dist/
	$(UV) build --quiet --all-packages --wheel --out-dir dist

.PHONY: clean
clean: ## Remove what was built here; caches of the machine stay
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
