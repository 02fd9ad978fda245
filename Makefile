# make run     set up, run the classic phase diagram, show its tables and draw out/phase-tanh/phase.png
# make test    set up with the test extras; lint, types, import contract, the suite, with the time of each (17 minutes on two cores, installation and kernels included)
# make test-oldest  the suite with the lowest versions that pyproject.toml allows, on Python 3.11
# make coverage     the lines of package gradsim that the suite runs
# make docs    the documentation site, offline: gallery and notebooks executed, build/docs/html/index.html (under 15 minutes)
# make lessons run all lessons in English and Chinese, pages in out/lessons (under 15 minutes on two cores)
# make verify  long statistical proofs
# make faults  runs killed at every step, broken disks, damaged files, dying workers (under an hour)
# make bench   the benchmarks
# make gpu-check  on a machine with an NVIDIA GPU: its bits beside the CPU's, and its speed (6 minutes)
PYTHON ?= python3
OLDEST_PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c requirements.lock
TORCH := torch==2.13.0

OLDEST := .venv-oldest
QUICK := -n 3 --dist worksteal -m "not verify and not faults"

# Runs a part of the tests, and says how long it took.
timed = @echo '$(1)'; start=$$(date +%s); ($(1)); code=$$?; echo "$@: $$(($$(date +%s) - start)) s"; exit $$code

.PHONY: run lessons docs test test-oldest coverage lint types imports suite verify faults bench gpu-check clean

run: .venv/run.stamp
	$(BIN)/gradsim run phase-tanh --out out/phase-tanh

lessons: .venv/run.stamp
	$(BIN)/gradsim lesson all --out out/lessons --lang en --lang zh

docs: .venv/test.stamp
	$(call timed,$(BIN)/python docs/build.py)

test: lint types imports suite

lint: .venv/test.stamp
	$(call timed,$(BIN)/ruff check . && $(BIN)/ruff format --check .)

types: .venv/test.stamp
	$(call timed,$(BIN)/mypy)

imports: .venv/test.stamp
	$(call timed,$(BIN)/lint-imports)

suite: .venv/test.stamp
	$(call timed,$(BIN)/pytest $(QUICK))

test-oldest: $(OLDEST)/stamp
	$(call timed,$(OLDEST)/bin/pytest $(QUICK) -W default)  # old packages warn about each other

# The tests of the core run compiled code, of which a tracer sees nothing.
coverage: .venv/test.stamp
	$(call timed,$(BIN)/pytest $(QUICK) --cov --cov-report=term tests/gradsim tests/faults tests/test_*.py)

verify: .venv/test.stamp
	$(BIN)/pytest -n 2 --dist worksteal --timeout 7200 -m verify -rA

faults: .venv/test.stamp
	$(BIN)/pytest -n 2 --dist worksteal --timeout 7200 tests/faults --deselect tests/faults/test_signals.py
	$(BIN)/pytest -s --timeout 7200 tests/faults/test_signals.py  # times are measured: nothing beside it

bench: .venv/test.stamp
	-$(PIP) "$(TORCH)"  # peers; one that is missing is left out
	-$(PIP) jax jaxlib
	mkdir -p out
	$(BIN)/pytest bench --benchmark-enable --benchmark-only
	$(BIN)/python -m bench.compare_peers --plot out/peers.png --json out/peers.json
	-$(BIN)/python -m bench.compare_training
	$(BIN)/python -m bench.growth --plot out/growth.png
	$(BIN)/python -m bench.compare_engines
	$(BIN)/python -m bench.scale

gpu-check: .venv/test.stamp
	mkdir -p out
	$(BIN)/python -m bench.gpu --json out/gpu.json

clean:
	rm -rf .venv $(OLDEST) out

.venv/run.stamp: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) -e ".[plot]"
	touch $@

# PyTorch is an oracle of the tests, which skip without it; a plain "torch" would fetch gigabytes for GPUs.
.venv/test.stamp: .venv/run.stamp
	$(PIP) -e ".[plot,test,docs]"
	-$(PIP) "$(TORCH)"
	-$(PIP) flax keras  # in which tests run the code that `gradsim recommend` prints
	-$(PIP) --no-deps nvidia-cuda-nvcc  # for its assembler, which says how many registers a kernel takes
	-$(PIP) -e ".[cuda]"  # without a GPU, tests compare its names with those of their stand-in
	touch $@

# Wheels alone, so that the floors are versions that can be had.
$(OLDEST)/stamp: pyproject.toml tests/floors.py
	$(OLDEST_PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST_PYTHON) tests/floors.py > $(OLDEST)/floors.txt
	$(OLDEST)/bin/python -m pip --disable-pip-version-check install --quiet --only-binary :all: \
		-c $(OLDEST)/floors.txt -e ".[plot,test]"
	touch $@
