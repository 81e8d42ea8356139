# make lists the targets. Most need .venv, which tools/setup.sh makes at the first call.

# What computes runs in this environment and no other. Kept is what a machine may need to find and
# start programs; out stays what could change a result, as PYTHONPATH, THEANO_FLAGS, OPENBLAS_*.
CLEAN = env -i PATH="$$PATH" HOME="$$PWD/.venv/home" TMPDIR="$${TMPDIR:-/tmp}" \
	LD_LIBRARY_PATH="$$LD_LIBRARY_PATH" LC_ALL=C PYTHONUTF8=1 JUPYTER_NO_CONFIG=1
PYTHON = $(CLEAN) .venv/bin/python
# A file's name may have $ and blanks: make must not expand it, and the shell reads it from $$COPY.
export COPY ?= handout/mnist_rnn.ipynb
override COPY := $(value COPY)
export COPIES ?= copies
override COPIES := $(value COPIES)
OPEN = $(firstword $(wildcard handout/mnist_rnn.ipynb) notebooks/mnist_rnn.ipynb)
ARGS =

.SILENT:
.NOTPARALLEL:
.PHONY: help setup run studies verify test check class handout lab runs scheduler worker save clean

help:  ## lists what make can do
	sed -n 's/^\([a-z]*\):.*  ## /make \1: /p' Makefile

setup:  ## makes .venv, where it is not there yet
	sh tools/setup.sh

run: setup  ## executes the notebook and writes its page, build/mnist_rnn.html
	$(PYTHON) tools/rerun.py --page notebooks/mnist_rnn.ipynb

studies: setup  ## the same with the second notebook, studies.ipynb
	$(PYTHON) tools/rerun.py --page notebooks/studies.ipynb

verify: setup  ## executes both and compares what they print and draw with what is saved
	$(PYTHON) tools/rerun.py notebooks/mnist_rnn.ipynb notebooks/studies.ipynb

test: setup  ## runs the tests; make test ARGS="-k weights" only some
	$(PYTHON) -m pytest $(ARGS)

check: setup  ## checks a solved exercise: make check COPY=handout/mnist_rnn.ipynb
	$(PYTHON) exercise/check_file.py "$$COPY"

class: setup  ## checks all copies in a folder and writes a table: make class COPIES=copies
	$(PYTHON) exercise/check_class.py "$$COPIES"

handout: setup  ## writes the exercise to handout/, a folder to give away, once
	$(PYTHON) exercise/handout.py handout

# Not in the clean environment: the user's own settings of Jupyter count.
lab: setup  ## opens JupyterLab with the exercise or, where there is none, with the notebook
	.venv/bin/python -m jupyterlab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/$(OPEN) $(ARGS)

runs: setup  ## trains what is missing in data/*.csv
	$(CLEAN) DASK_SCHEDULER_ADDRESS="$$DASK_SCHEDULER_ADDRESS" .venv/bin/python tools/runs.py

# PYTHONPATH: the scheduler loads the functions that it hands on.
scheduler: setup  ## for make runs on several machines: see data/README.md
	$(CLEAN) PYTHONPATH=tools .venv/bin/dask scheduler

worker: setup  ## joins this machine to it
	$(CLEAN) DASK_SCHEDULER_ADDRESS="$$DASK_SCHEDULER_ADDRESS" .venv/bin/python tools/runs.py worker

save: setup  ## executes both and saves them, and the README's pictures; for contributors
	$(PYTHON) tools/rerun.py --save notebooks/mnist_rnn.ipynb notebooks/studies.ipynb

clean:  ## deletes what make made: .venv, .uv and build/, never handout/
	# .venv only if setup.sh made it.
	if test -e .venv/made-from; then rm -rf .venv && echo "Deleted .venv"; fi
	if test -e .uv; then rm -rf .uv && echo "Deleted .uv"; fi
	if test -e build; then rm -rf build && echo "Deleted build"; fi
