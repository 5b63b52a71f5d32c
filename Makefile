# What a newcomer types. `make help` lists it.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
# The newest Python that is here, 3.11 at least.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# The tests want two programs, not the services that their packages would start.
NO_SERVICES := $(foreach name,nginx prometheus,$(foreach place,/etc/init.d/$(name) /lib/systemd/system/$(name).service,-o DPkg::Options::=--path-exclude=$(place)))

.PHONY: help setup run demo test check format kafka kafka-stop chaos bench locks clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

# What running needs.
$(VENV)/run.stamp: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Closed Loop needs Python 3.11 or newer; install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing what Closed Loop needs into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

# What tests need on top.
$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock
	@echo "Installing what its tests need ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/dev.stamp ## a .venv with all it needs, and the programs that tests drive
	@wanted=; lacks() { ! command -v $$1 >/dev/null && test ! -x /usr/sbin/$$1; }; \
	if lacks chromium && lacks google-chrome; then wanted="$$wanted chromium"; fi; \
	if lacks java; then wanted="$$wanted openjdk-17-jre-headless"; fi; \
	if lacks mvn; then wanted="$$wanted maven"; fi; \
	if lacks nginx; then wanted="$$wanted nginx-light"; fi; \
	if lacks promtool; then wanted="$$wanted prometheus"; fi; \
	if test -z "$$wanted"; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	echo "Installing for the tests:$$wanted ..."; apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends $(NO_SERVICES) $$wanted >/dev/null || \
	echo "That failed, see above; the tests that need them are skipped."; \
	else echo "Some tests need more; on Debian: sudo apt-get install$$wanted"; fi

run: $(VENV)/run.stamp ## everything on this machine; Ctrl-C stops it
	@exec $(BIN)/closedloop up

demo: $(VENV)/run.stamp ## a simulated shop, its revenue beside the truth
	@exec $(BIN)/closedloop demo $(ARGS)

test: setup ## every test
	@deploy/kafka/kafka fetch >/dev/null || echo "The tests on Kafka are skipped."
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup ## format, lint, types, import rules, what deploys it
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q . && echo "ruff: format and lint are clean"
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@PYTHON=$(BIN)/python deploy/check
	@PYTHON=$(BIN)/python k8s/check
	@deploy/prometheus/check

format: setup ## put the code into its form
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

kafka: ## a local Apache Kafka in the background, its address printed; BROKERS=3: three; needs Java 17 and Maven
	@BROKERS=$(or $(BROKERS),1) deploy/kafka/kafka start

kafka-stop: ## stop it; its data stays
	@deploy/kafka/kafka stop

chaos: setup ## outages, kills and races for an hour, ARGS="--help" tells more
	@deploy/kafka/kafka fetch >/dev/null
	@$(BIN)/python -m tests.chaos $(ARGS)

bench: setup ## speed, as ratios to baselines of the same run
	@$(BIN)/python -m tests.bench $(ARGS)

locks: setup ## renew the locked versions
	@$(BIN)/python -m pip install -q uv
	@for extra in "" "--extra dev"; do $(BIN)/uv pip compile -q pyproject.toml $$extra --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-emit-index-url --no-header -o requirements$${extra:+-dev}.lock; done

clean: ## remove what setup made; the data stays
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache
