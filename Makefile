# The same targets serve people and CI. `make benchmark` and `make test` each do all the set-up they need.
PYTHON ?= python3
BIN := .venv/bin
BROWSER = $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
READY := .venv/ready

.PHONY: setup benchmark page docs results test test-fast chaos image-check lint format bench clean

setup: $(READY)

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

benchmark: $(READY)
	$(BIN)/python -m pipeline run --preset demo --jobs 2 --out build/demo

page: benchmark
	$(BIN)/python -m pipeline report build/demo --out build/page

docs/page.png: page
	$(BROWSER) --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1240,960 \
	  --screenshot=$@ 'file://$(CURDIR)/build/page/index.html#type=FR'

docs/rooms.svg: $(READY) $(shell find pipeline benchmarks -name '*.py') tests/support/rooms.py
	$(BIN)/python tests/support/rooms.py $@

docs: $(READY)
	$(BIN)/mkdocs build --strict

docs/commands.md: $(READY) $(shell find pipeline/cli -name '*.py')
	PYTHONPATH=. $(BIN)/typer metric_robustness.pipeline.__main__ utils docs --name 'python -m pipeline' --title Commands --output $@

docs/heatmap.svg: $(READY) results/leaderboard.json
	$(BIN)/python -m pipeline plot heatmap --from results --out $@

docs/library.ipynb: $(READY)
	PYTHONPATH=. $(BIN)/python tests/support/notebook.py $@

docs/inputs.md: $(READY) $(wildcard tests/support/inputs/*.py)
	$(BIN)/python tests/support/inputs/inputs_page.py $@

results: benchmark
	cp build/demo/scores.csv build/demo/leaderboard.md build/demo/leaderboard.csv build/demo/leaderboard.json results/

# All tests, or with PART=scoring those of one folder of tests/. Files stay whole, since their tests share what they set up;
# tests/conftest.py has the longest ones begin first.
PYTEST = $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test: $(READY)
	@sh tests/tools.sh
	$(PYTEST) $(if $(PART),tests/$(PART))

# What fails while one works: no command line, no browser, no training, no network of others, nothing over 5 s.
test-fast: $(READY)
	$(PYTEST) -m 'not slow and not whole' $(if $(PART),tests/$(PART))

# Damages files, kills runs and fills disks, as often as TRIALS says; what is wanted is 0 faults.
TRIALS ?= 200
chaos: $(READY)
	PYTHONPATH=.:tests/support OMP_NUM_THREADS=1 $(BIN)/python tests/support/chaos/chaos.py --trials $(TRIALS)

# The job image with all packages, 8 GB, and doctor in it; BASE names another base image than the Dockerfile's.
image-check: $(READY)
	image=$$($(BIN)/python -m pipeline image build $(if $(BASE),--base $(BASE))) && \
	  $(BIN)/python -m pipeline image run --gpus none --image "$$image" -- doctor

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p metric_robustness -p benchmarks

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Every measurement of speed, half an hour; names what is more than a tenth slower than benchmarks/ratios.csv.
bench: $(READY)
	$(BIN)/python -m benchmarks.ratios

clean:
	rm -rf build .venv
