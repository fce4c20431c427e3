# Two commands set everything up on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TOOLS  := .venv-tools
PIP     = $(BIN)/pip install --quiet --disable-pip-version-check
HOST   ?= 127.0.0.1
PORT   ?= 8000
ARGS   ?=
JOBS   ?= 2
ROUNDS ?= 20
SEED   ?= 1
POISON ?= 2000
MINUTES ?= 60
WORK   ?= accuracy-runs

.PHONY: run serve-env test test-cluster test-env peers check accuracy colours settings chaos soak lock audit licences secrets pin-images clean

run: serve-env                     ## install, get default weights, serve, print the address
	@$(BIN)/actogram models pull
	@exec $(BIN)/actogram serve --host $(HOST) --port $(PORT)

serve-env: $(VENV)/.serve          ## the serving set: no torch
test-env: $(VENV)/.test            ## everything that the tests need

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; Python 3.11 or newer is needed" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Every file that pip fetches is checked against the hashes of docker/requirements/; our own package is built without fetching.
$(VENV)/.serve: $(BIN)/python pyproject.toml docker/requirements/build.txt docker/requirements/cpu.txt
	$(PIP) --require-hashes -r docker/requirements/build.txt -r docker/requirements/cpu.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# Only torch comes without a hash: which of its builds fits depends on the machine (docker/requirements/lock.py).
$(VENV)/.test: $(VENV)/.serve docker/requirements/test.txt constraints.txt tests/system-packages.sh
	$(PIP) --require-hashes -r docker/requirements/test.txt
	$(PIP) -c constraints.txt torch
	bash tests/system-packages.sh
	@touch $@

$(TOOLS)/.done: docker/requirements/tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r docker/requirements/tools.txt
	@touch $@

test: test-env                     ## run every test; ARGS="-k name" narrows, JOBS=0 runs them one by one
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

test-cluster: test-env             ## the service's tests with PostgreSQL and an S3 store instead of files; ARGS as above
	ACTOGRAM_TEST_CLUSTER=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup tests/service $(ARGS)

check: test-env                    ## style, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

peers: test-env                    ## compare with ultralytics, mmpose, mmdet and trackers, in environments of their own (PEERS_HOME)
	$(BIN)/python -m tests.peers.environments
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m peers tests/peers $(ARGS)

chaos: test-env                    ## break a running product on purpose: ROUNDS=40 SEED=1; needs ACTOGRAM_DATA, ACTOGRAM_WEIGHTS
	$(BIN)/python -m tests.chaos chaos --rounds $(ROUNDS) --seed $(SEED)
	$(BIN)/python -m tests.chaos poison --count $(POISON)

soak: test-env                     ## memory and open files over time: MINUTES=60
	$(BIN)/python -m tests.chaos soak --minutes $(MINUTES)

accuracy: test-env                 ## fill docs/measurements/accuracy.md, resumable: WORK=accuracy-runs ARGS="--only nw-ucla --limit 4"
	$(BIN)/python -m pipelines.training.accuracy --data $(ACTOGRAM_DATA)/skeleton --work $(WORK) --page docs/measurements/accuracy.md $(ARGS)

colours: test-env                  ## rewrite the page's colours after a change of pipelines/actions.toml
	$(BIN)/python -m service.action_colours

settings: test-env                 ## rewrite docs/settings.md after a change of service/settings.py
	$(BIN)/python -m service.settings_page

lock: $(TOOLS)/.done              ## write docker/requirements/*.txt anew; ARGS=--upgrade takes the newest versions
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" $(PYTHON) docker/requirements/lock.py $(ARGS)

audit: $(TOOLS)/.done             ## ask the advisory database about every locked package; skips where it cannot be reached
	$(TOOLS)/bin/python docker/requirements/audit.py

licences: test-env                 ## write the tables of docs/licences.md anew
	$(BIN)/python docker/requirements/licences.py

secrets:                           ## passwords for the compose profiles, into .env, where there are none yet
	$(PYTHON) docker/make_secrets.py

pin-images:                        ## the digests of the base images into docker/images.env and .env; ARGS=--pull asks their registries
	$(PYTHON) docker/pin_images.py $(ARGS)

clean:
	rm -rf $(VENV) .venv-*
