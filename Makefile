# Everything a newcomer types. Each target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ND := $(BIN)/neurodeploy
DEMO := demo

.PHONY: demo test lint types walls unit doors lava fuzz bench bench-training bench-quantization results clean

demo: $(VENV)/.ready lava
	$(ND) train digits -o $(DEMO)/train --force
	$(ND) export $(DEMO)/train/model.safetensors -o $(DEMO)/digits.nir --force
	$(ND) deploy $(DEMO)/digits.nir --target loihi2 --data $(DEMO)/train/test.npz \
		--calibrate $(DEMO)/train/calibration.npz -o $(DEMO)/loihi2 --force
	@echo "The report: $(DEMO)/loihi2/report.html"

test: lint types walls unit

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

walls: $(VENV)/.ready
	$(BIN)/lint-imports

unit: $(VENV)/.ready lava
	$(BIN)/python -m pytest -n 2 --dist loadfile

# SpikingJelly and sinabs, which want other packages than the rest: an environment for them and the tests of their
# readers, which `make unit` then runs too.
doors: $(VENV)/.ready
	$(BIN)/python -m tests.doors.environment

# More networks and more damaged files than `make test` draws, and others each time: make fuzz COUNT=20000 SEED=7
COUNT ?= 5000
SEED ?= $(shell date +%s)
fuzz: $(VENV)/.ready lava
	@echo "seed $(SEED)"
	NEURODEPLOY_FUZZ_COUNT=$(COUNT) NEURODEPLOY_FUZZ_SEED=$(SEED) $(BIN)/python -m pytest tests/fuzz
	$(BIN)/python -m tests.robustness.fuzz --count 20000 --seed $(SEED)

# How fast the emulator is beside Lava, nengo-loihi and float libraries, on a machine with nothing else to do; about a
# quarter of an hour on two cores. Peers that cannot live in .venv get environments of their own: make bench ROUNDS=9
ROUNDS ?= 5
bench: $(VENV)/.ready
	$(BIN)/python -m tests.benchmarks.emulator --rounds $(ROUNDS) -o docs/benchmarks.json --page docs/benchmarks.md

bench-training: $(VENV)/.ready
	$(BIN)/python -m tests.benchmarks.training --rounds $(ROUNDS) -o docs/training.json --page docs/training.md

# What digits networks lose in integers, with and without training, and how long quantizing takes: half an hour.
bench-quantization: $(VENV)/.ready
	mkdir -p build/quantization
	$(BIN)/python -m tests.benchmarks.post_training -o build/quantization/post_training.json
	$(BIN)/python -m tests.benchmarks.quantized_training --choose -o build/quantization/settings.json
	$(BIN)/python -m tests.benchmarks.quantized_training -o build/quantization/training.json
	$(BIN)/python -m tests.benchmarks.quantizing -o build/quantization/time.json
	$(BIN)/python -m tests.benchmarks.quantization_page build/quantization --page docs/quantization.md

# What others published and measured, beside what this says; then the trained systems on moving digits, about two hours of
# two cores from nothing: runs that docs/results.json holds are kept, and docs/results.md says which claims hold.
results: $(VENV)/.ready
	$(BIN)/python -m tests.published
	$(BIN)/python -m tests.results

# The witness: without a Python 3.10 to be had the demo goes on and says that Lava was not consulted.
lava: $(VENV)/.ready
	-$(ND) lava install

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[models,digits,snntorch,norse,rockpool,onnx,cuda,partition,video,detection,dev]"
	touch $@

clean:
	rm -rf .venv-doors $(DEMO) runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
