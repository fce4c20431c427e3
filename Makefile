# Two commands set everything up on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
HOST   ?= 127.0.0.1
PORT   ?= 8000
ARGS   ?=
JOBS   ?= 2
ROUNDS ?= 20
SEED   ?= 1
POISON ?= 2000
MINUTES ?= 60

.PHONY: run serve-env test test-env check colours chaos soak clean

run: serve-env                     ## install, get default weights, serve, print the address
	@$(BIN)/actogram models pull
	@exec $(BIN)/actogram serve --host $(HOST) --port $(PORT)

serve-env: $(VENV)/.serve          ## the serving set: no torch
test-env: $(VENV)/.test            ## everything that the tests need

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; Python 3.11 or newer is needed" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cpu]'
	@touch $@

$(VENV)/.test: $(VENV)/.serve pyproject.toml constraints.txt tests/system-packages.sh
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cpu,train,dev]'
	bash tests/system-packages.sh
	@touch $@

test: test-env                     ## run every test; ARGS="-k name" narrows, JOBS=0 runs them one by one
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

check: test-env                    ## style, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: test-env                    ## break a running product on purpose: ROUNDS=40 SEED=1; needs ACTOGRAM_DATA, ACTOGRAM_WEIGHTS
	$(BIN)/python -m tests.chaos chaos --rounds $(ROUNDS) --seed $(SEED)
	$(BIN)/python -m tests.chaos poison --count $(POISON)

soak: test-env                     ## memory and open files over time: MINUTES=60
	$(BIN)/python -m tests.chaos soak --minutes $(MINUTES)

colours: test-env                  ## rewrite the page's colours after a change of pipelines/actions.toml
	$(BIN)/python -m service.action_colours

clean:
	rm -rf $(VENV) .venv-*
