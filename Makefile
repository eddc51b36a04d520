# Every target sets up what it needs. Nothing but Python 3.11+, git and make has to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test serve lint audit format features article oracle shadow mutants bench scaling soak survey chaos fuzz picture history lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/run.stamp  ## a pull request becomes a comment, all on this machine, in under a minute
	@$(BIN)/winparity demo

test: $(VENV)/dev.stamp  ## every test, with branch coverage
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

serve: $(VENV)/run.stamp  ## web and worker in one process (settings: README.md)
	@$(BIN)/winparity serve

lint: $(VENV)/dev.stamp  ## ruff, ruff format, mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

audit: $(VENV)/dev.stamp  ## known vulnerabilities of what is installed, and mistakes in workflow files
	@$(BIN)/pip install -q --disable-pip-version-check pip-audit zizmor || echo "what audits cannot be had here" >&2
	@$(BIN)/python -m tests.audit

format: $(VENV)/dev.stamp  ## let ruff mend what it can
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format -q .

features: $(VENV)/dev.stamp  ## make bot/features.json anew: make features REPOS="moby/moby=PATH …" (docs/features.md)
	@$(BIN)/python -m tests.features_gen $(REPOS)

article: $(VENV)/dev.stamp  ## the article's own examples on moby v1.13.0, each with its route, command, method, cmdlet: make article REPO=PATH
	@test -n "$(REPO)" || { echo "make article REPO=PATH" >&2; exit 2; }
	@$(BIN)/python -m tests.article "$(REPO)"

oracle: $(VENV)/dev.stamp  ## compare files and symbols with Go itself: make oracle REPOS="moby/moby=PATH …"
	@$(BIN)/python -m tests.oracle $(REPOS)

mutants: $(VENV)/dev.stamp  ## edit real files by the thousand, count what is caught: make mutants REPO=PATH [REV=HEAD] [PER_KIND=100]
	@test -n "$(REPO)" || { echo "make mutants REPO=PATH [REV=HEAD] [PER_KIND=100]" >&2; exit 2; }
	@$(BIN)/python -m tests.mutants --repo "$(REPO)" --rev $(or $(REV),HEAD) --per-kind $(or $(PER_KIND),100)

bench: $(VENV)/dev.stamp  ## what it costs, in ratios: make bench [REPO=PATH [REV=HEAD]]
	@mkdir -p .cache
	@$(BIN)/python -m tests.bench $(if $(REPO),"$(REPO)" $(or $(REV),HEAD)) --svg .cache/bench.svg
	@$(BIN)/python -m tests.bench_ack
	@$(BIN)/python -m tests.bench_pages

scaling: $(VENV)/dev.stamp  ## jobs a second for 1, 2, 4 workers, and cost against size: make scaling [REPOS="moby/moby=PATH …"]
	@$(BIN)/python tests/scaling.py $(REPOS)
	@$(BIN)/python tests/scaling_model.py .cache/scaling.json

soak: $(VENV)/dev.stamp  ## a steady load, and whether memory and descriptors stay flat: make soak [MINUTES=60] [RATE=1]
	@$(BIN)/python tests/soak.py --minutes $(or $(MINUTES),60) --rate $(or $(RATE),1)

survey: $(VENV)/dev.stamp  ## what the dashboard costs with a repository that is there: make survey REPO=PATH (minutes)
	@test -n "$(REPO)" || { echo "make survey REPO=PATH" >&2; exit 2; }
	@$(BIN)/python -m tests.bench_survey "$(REPO)"

chaos: $(VENV)/dev.stamp  ## processes are killed while GitHub fails, and nothing is lost: make chaos [SEED=1] [ARGS="--deliveries 200 …"]
	@$(BIN)/python -m tests.chaos --seed $(or $(SEED),1) $(ARGS)

fuzz: $(VENV)/dev.stamp  ## every fuzz target for SECONDS=60 (atheris is installed when there is one for this Python)
	@$(BIN)/pip install -q --disable-pip-version-check atheris || true
	@for target in constraint source case requests payloads repositories configurations; do \
	  echo "$$target"; $(BIN)/python tests/fuzz.py $$target -max_total_time=$(or $(SECONDS),60) || exit 1; done

shadow: $(VENV)/dev.stamp  ## what the bot would have said on merged pull requests: make shadow REPO=PATH [N=500] [JSONL=FILE]
	@test -n "$(REPO)" || { echo "make shadow REPO=PATH[@REV] [N=500] [JSONL=FILE]" >&2; exit 2; }
	@$(BIN)/python -m tests.shadow "$(REPO)" $(N) $(if $(JSONL),--jsonl "$(JSONL)")

picture: $(VENV)/dev.stamp  ## draw the README's picture and every other comment and check run (needs chromium)
	@$(BIN)/python -m tests.picture

history: $(VENV)/run.stamp  ## draw docs/history.svg from all releases of moby: make history REPO=PATH (minutes, once)
	@test -n "$(REPO)" || { echo "make history REPO=PATH" >&2; exit 2; }
	@$(BIN)/winparity history --repo "$(REPO)" --no-months --since v1.10.0 --name moby/moby --format svg --output docs/history.svg

lock: $(VENV)/pip.stamp  ## make the hash-locked requirement files anew from pyproject.toml
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.txt
	@echo "hatchling>=1.27" | $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 - -o requirements-build.txt

clean:  ## remove everything that make made
	@rm -rf $(VENV) .cache .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

$(VENV)/pip.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "winparity needs Python 3.11 or newer; set PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run.stamp: requirements.txt pyproject.toml | $(VENV)/pip.stamp
	@echo "setting up (once) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt pyproject.toml | $(VENV)/pip.stamp
	@echo "setting up for development (once) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@ $(VENV)/run.stamp
