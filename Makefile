# The one entry. Each target is a plain command that also works without make, once `make install` has run.
# Needs Python 3.10+ and make; Go adds the real servers (collector, Jaeger, Prometheus).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Once, before several processors start at the same time and each would compile what all share.
COMPILE := $(BIN)/python -c 'from otel_ml_processor.service import prepare_decoder; prepare_decoder()'

# Hundreds of processes are started by the tests; none of them is to compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo stack test compiled test-compiled test-faults test-promises test-oldest test-versions test-frameworks test-all check format fuzz generate images pictures tools bench clean

help:  ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(INSTALLED) tools-if-go  ## Run the main job on a year of real flights (DEMO_SECONDS=60: short, exits by itself).
	$(BIN)/python examples/flights/demo.py

stack: $(INSTALLED) tools-if-go  ## Start the whole stack on this machine, without Docker, until Ctrl-C.
	$(BIN)/python examples/flights/whole_stack.py

pictures: $(INSTALLED) tools-if-go  ## Make the pictures of the documentation (Chromium, Go, npm).
	tools/prometheus_ui.sh
	$(BIN)/python examples/flights/pictures.py

test: $(INSTALLED) tools-if-go  ## Run all tests; those that need the real servers are skipped without Go.
	$(COMPILE)
	$(BIN)/pytest -n 2 --dist loadfile

test-faults: $(INSTALLED) tools-if-go  ## Run the whole fault suite and all clients (about ten minutes).
	$(COMPILE)
	$(BIN)/pytest -m "" tests/faults tests/integration/test_clients.py

test-promises: $(INSTALLED)  ## Run what takes long of the statistics: promises on many references, and the figures of the walk-through (a few minutes).
	$(BIN)/pytest -m long tests/oracle tests/integration/test_flights_figures.py

images: $(INSTALLED)  ## Build the images and run docker-compose.yml with Docker (ten minutes).
	$(BIN)/pytest -m "" tests/images

test-frameworks: $(INSTALLED)  ## Run the tests of the frameworks that are gigabytes (PyTorch, Keras, transformers, MLflow).
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python build/frameworks
	$(BIN)/uv pip install --quiet --python build/frameworks/bin/python -e '.[otlp,processor,fast]' --group test --group frameworks
	build/frameworks/bin/python -m pytest -p no:cacheprovider tests/frameworks tests/contract/test_scenarios.py

test-oldest: $(INSTALLED)  ## Run the instrumentors' tests with the oldest versions that are promised.
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python build/oldest
	$(BIN)/uv pip install --quiet --python build/oldest/bin/python -e . --group oldest
	build/oldest/bin/python -m pytest -p no:cacheprovider -o filterwarnings=default tests/unit/otel_ml/instrumentors tests/unit/otel_ml/record \
		--ignore tests/unit/otel_ml/instrumentors/test_every_estimator.py

compiled: $(INSTALLED)  ## Build a wheel with the path of a call compiled, into an environment of its own (a C compiler).
	rm -rf build/wheel
	HATCH_BUILD_HOOKS_ENABLE=1 $(BIN)/uv build --quiet --wheel --out-dir build/wheel
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python build/compiled
	$(BIN)/uv pip install --quiet --python build/compiled/bin/python --reinstall-package otel-ml \
		"otel-ml[otlp,processor,fast] @ file://$$(echo "$$PWD"/build/wheel/*.whl)" --group test

# The tests stand in a folder without the package, so that they find the installed one.
test-compiled: compiled  ## Run the tests of the SDK on that wheel.
	rm -rf build/beside
	mkdir -p build/beside && cp -R tests docs examples pyproject.toml build/beside
	cd build/beside && ../compiled/bin/pytest -n 2 --dist loadfile -p no:cacheprovider tests/unit/otel_ml

test-versions: $(INSTALLED)  ## Run the instrumentors' tests with frameworks of earlier years (an hour).
	$(BIN)/python tests/versions.py

test-all: test test-faults test-promises test-oldest test-versions test-frameworks  ## Run everything.

check: $(INSTALLED)  ## Static checks: format, lint, types, layers, spelling, docstrings, generated files.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/interrogate -q tests
	$(BIN)/python -m conventions.generate check
	$(BIN)/python docs/generate.py check
	$(BIN)/python collector-config/grafana/generate.py check

fuzz: $(INSTALLED)  ## Hostile bytes for everything that reads somebody else's (15 minutes).
	$(BIN)/uv pip install --quiet --python $(BIN)/python --group fuzz
	PYTHONPATH=. nice $(BIN)/python -m tests.fuzz.run

format: $(INSTALLED)  ## Format the code and mend what can be mended.
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

generate: $(INSTALLED)  ## Write the generated files: constants, registry.json, reference pages.
	$(BIN)/python -m conventions.generate write
	$(BIN)/python docs/generate.py write
	$(BIN)/python collector-config/grafana/generate.py write

tools:  ## Build the real servers into .tools/bin (Go; once, a quarter of an hour).
	tools/build.sh

.PHONY: tools-if-go
tools-if-go:
	tools/build.sh --if-go

bench: $(INSTALLED) tools-if-go  ## Print the benchmarks: each a ratio to a peer or a naive twin in the same run.
	$(BIN)/python benchmarks/conventions_import.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/whole_process.py
	$(BIN)/python benchmarks/call_overhead.py
	$(MAKE) compiled && build/compiled/bin/python benchmarks/call_overhead.py
	$(BIN)/python benchmarks/decode.py
	$(BIN)/python benchmarks/hop.py
	$(BIN)/python benchmarks/drift_promise.py
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/windows.py
	$(BIN)/python benchmarks/together.py
	$(BIN)/python benchmarks/joining.py
	$(BIN)/python benchmarks/estimated_classes.py

install: $(INSTALLED)  ## Make the virtual environment and install everything into it.

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "otel-ml needs Python 3.10 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5,<1'
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[otlp,processor,fast]' --group test --group check
	touch $@

clean:  ## Remove what the targets above have made, except the built servers.
	rm -rf $(VENV) .demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
