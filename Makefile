# Two commands do all the set-up on a machine with Python 3.11 or newer:  make run   and   make test
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ON_TWO_CORES := -n 2 --dist worksteal
# Tests that measure no time, so that they may share the machine with each other.
TIMELESS := $(addprefix tests/, adversaries claims cli engines experiment journal kubernetes mesh protocol report route_tests \
    samples services verify test_pytest_plugin.py $(addprefix conformance/,test_attacks.py test_recorded.py test_cases.py test_fuzz.py) \
    $(addprefix gateway/process/,test_openapi.py test_page_browser.py) \
    $(addprefix load/,test_checks.py test_exemplars.py test_grpc_locustfile.py test_grpc_user.py test_live_browser.py \
        test_locustfile.py test_process.py test_secure.py test_ui.py test_ui_browser.py) \
    $(addprefix runner/, envoy istio live supervise test_access_log.py test_any_gateway.py test_ctl.py test_failures.py \
        test_names.py test_one_reading.py test_own_access_log.py test_programs.py test_replay.py test_replaying.py \
        test_requests_sent.py test_secrets.py test_switch.py test_truth.py))

.PHONY: help run test test-all lint types format docs bench fuzz recorded interleave kills engines right calibration cluster clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(VENV)/.installed  ## run experiments/abort50.yaml and say where the report is
	$(BIN)/chaos run experiments/abort50.yaml

test: $(VENV)/.installed-dev  ## the quick tests, and one slow one of each kind: a run per exit code, a kill, a browser
	$(BIN)/python -m pytest $(ON_TWO_CORES) -m "not slow or representative"

test-all: $(VENV)/.installed-dev  ## every test but the whole runs of `make right`
	$(BIN)/python -m pytest $(ON_TWO_CORES) $(TIMELESS) --ignore=tests/adversaries/test_right_runs.py  # that is `make right`
	$(BIN)/python -m pytest $(ON_TWO_CORES) -m "not slow" $(addprefix --ignore=,$(TIMELESS))
	$(BIN)/python -m pytest -m slow $(addprefix --ignore=,$(TIMELESS))  # one after the other: some measure how fast a run reacts

lint: $(VENV)/.installed-dev  ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev  ## mypy, strict
	$(BIN)/mypy
	$(BIN)/mypy --strict tests/typed_use.py

format: $(VENV)/.installed-dev  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-docs  ## the documentation as a site, in site/; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.installed-dev  ## every figure of docs/performance.md, beside its peers
	$(BIN)/python -m benchmarks

fuzz: $(VENV)/.installed-dev  ## generated rules and requests: the gateway beside the real Envoy, for as long as you like
	CHAOS_FUZZ_REQUESTS=$${CHAOS_FUZZ_REQUESTS:-20000} $(BIN)/python -m pytest tests/conformance/test_fuzz.py -s

recorded: $(VENV)/.installed-dev  ## records anew what a real Envoy answers when Istio's own code configures it (needs Go; ten minutes)
	$(BIN)/python -m tests.conformance.record_istio

interleave: $(VENV)/.installed-dev  ## resets, timeouts, retries and disconnects at random: whose answer is it? (CHAOS_INTERLEAVE_SEED)
	CHAOS_INTERLEAVE_REQUESTS=$${CHAOS_INTERLEAVE_REQUESTS:-120000} $(BIN)/python -m pytest tests/gateway/test_interleaving.py -s

kills: $(VENV)/.installed-dev  ## whole runs, each with something killed at a random moment: nothing may be left
	CHAOS_KILLS=$${CHAOS_KILLS:-60} $(BIN)/python -m pytest tests/runner/test_kills.py -v

engines: $(VENV)/.installed-dev  ## every experiment with a real Envoy in place of our gateway: each has to be verified (ten minutes)
	$(BIN)/chaos run --engine envoy --no-report --out $${TMPDIR:-/tmp}/chaos-engines experiments/*.yaml

right: $(VENV)/.installed-dev  ## right gateways, ours and Envoy, twenty runs of each kind: none may be falsified (CHAOS_RIGHT_RUNS)
	CHAOS_RIGHT_RUNS=$${CHAOS_RIGHT_RUNS:-20} $(BIN)/python -m pytest tests/adversaries/test_right_runs.py -v

cluster: $(VENV)/.installed-dev  ## a real API server takes what is exported (CHAOS_KUBECONFIG), a real Istio carries out runs (CHAOS_CLUSTER_TOOL)
	@test -n "$$CHAOS_KUBECONFIG$$CHAOS_CLUSTER_TOOL" || { echo "CHAOS_KUBECONFIG names the access to a cluster, CHAOS_CLUSTER_TOOL a program that starts one"; exit 2; }
	$(BIN)/python -m pytest tests/kubernetes/test_api_server.py tests/cluster -v -rs

calibration: $(VENV)/.installed-dev  ## the verdicts' error rates, by simulation, in full
	$(BIN)/python -m benchmarks.calibration

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(VENV)/.installed $@

$(VENV)/.installed-docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@
