# make run · test · verify · lab · clean        PYTHON=python3.9 picks an interpreter
# VENV and BUILD may lie elsewhere, for a read-only checkout: make VENV=/tmp/venv BUILD=/tmp/build run

VENV ?= .venv
BUILD ?= build
NOTEBOOK = notebooks/mnist_rnn.ipynb

SUITABLE = import sys; sys.exit(not (3, 8) <= sys.version_info[:2] <= (3, 11))
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.11 python3.10 python3.9 python3.8; do \
	if $$p -c '$(SUITABLE)' 2>/dev/null; then echo $$p; break; fi; done)
endif
VERSION := $(shell "$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
STAMP = $(VENV)/installed-by-$(VERSION)
# Runs a command under a lock, so that two makes at once do not build the same .venv.
LOCKED = $(PYTHON) -c 'import fcntl, subprocess, sys; lock = open(sys.argv[1], "w"); \
	fcntl.flock(lock, fcntl.LOCK_EX); sys.exit(subprocess.call(sys.argv[2:]))' $(VENV).lock
IN_VENV = $(VENV)/bin/python
export PYTHONDONTWRITEBYTECODE = 1
export JUPYTER_PREFER_ENV_PATH = 1

NBCONVERT = $(IN_VENV) -m nbconvert --log-level=ERROR
EXECUTE = --to notebook --execute --ExecutePreprocessor.record_timing=False \
	--CoalesceStreamsPreprocessor.enabled=True --ExecutePreprocessor.extra_arguments=--log-level=ERROR
VERDICT = import sys; sys.path.insert(0, "tests"); import conftest; conftest.run_cells("exact")
FIGURES = import sys; sys.path.insert(0, "tests"); import conftest; conftest.save_figures()

.PHONY: run test verify save lab clean venv
.SILENT:

# Executes the notebook into a folder of its own and moves the results into place when all is done.
run: venv
	mkdir -p "$(BUILD)"
	part=$$(mktemp -d "$(BUILD)/run.XXXXXX") && trap 'rm -rf "$$part"' EXIT && \
	$(NBCONVERT) $(EXECUTE) --output-dir "$$part" $(NOTEBOOK) && \
	cp -R notebooks/images "$$part" && \
	$(NBCONVERT) --to html --embed-images "$$part/mnist_rnn.ipynb" && \
	sed -n 's/^ *"\([^"]* accuracy: [^"]* %\)\\n".*/\1/p' "$$part/mnist_rnn.ipynb" && \
	mv -f "$$part/mnist_rnn.ipynb" "$$part/mnist_rnn.html" "$(BUILD)" && \
	ls "$(BUILD)/mnist_rnn.ipynb" "$(BUILD)/mnist_rnn.html"

test: venv
	$(IN_VENV) -m pytest -p no:cacheprovider -W ignore::DeprecationWarning tests

# Compares every saved text output with a fresh one where the notebook says that its arithmetic is exact.
verify: venv
	verdict=$$($(IN_VENV) -c '$(VERDICT)') && echo "$$verdict" && \
	case $$verdict in \
	"exact arithmetic: yes") mode=--nbval ;; \
	*) mode=--nbval-lax; echo "Outputs are not compared: verifying only that every cell runs." ;; \
	esac && $(IN_VENV) -m pytest -p no:cacheprovider $$mode $(NOTEBOOK)

# For contributors: runs the notebook and makes the result the saved one, with the README's figures.
save: run
	cp "$(BUILD)/mnist_rnn.ipynb" $(NOTEBOOK)
	$(IN_VENV) -c '$(FIGURES)'

lab: venv
	$(IN_VENV) -m jupyterlab $(NOTEBOOK)

clean:
	rm -rf "$(BUILD)"
	if test -e $(VENV)/pyvenv.cfg; then rm -rf $(VENV) $(VENV).lock; fi

venv:
	if test -z "$(PYTHON)"; then \
		echo "No Python 3.8 to 3.11 found: install one (Theano 1.0.5 needs it), or name it: make PYTHON=/path/to/python3.11 run" >&2; exit 1; fi
	if ! $(PYTHON) -c '$(SUITABLE)' 2>/dev/null; then \
		echo "$(PYTHON) is $(if $(VERSION),Python $(VERSION),not a Python that starts): this project needs Python 3.8 to 3.11, as Theano 1.0.5 does" >&2; exit 1; fi
	$(LOCKED) $(MAKE) --no-print-directory $(STAMP)

$(STAMP): requirements.txt constraints.txt
	if test -e $(VENV) && ! test -e $(VENV)/pyvenv.cfg; then \
		echo "$(VENV) is there and is no virtual environment: move it away, or choose another place with VENV=" >&2; exit 1; fi
	echo "Setting up $(VENV) with Python $(VERSION)"
	$(PYTHON) -m venv --clear $(VENV)
	$(IN_VENV) -W ignore -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@
