# make lists the targets. Most need .venv, which tools/setup.sh makes at the first call.

# All that computes runs in this environment. It has what a machine may need to find and start
# programs. What could change a result stays out: PYTHONPATH, THEANO_FLAGS, OPENBLAS_*, settings in
# the user's home folder or in /etc/dask.
CLEAN = env -i PATH="$$PATH" HOME="$$PWD/.uv/home" TMPDIR="$${TMPDIR:-/tmp}" \
	LD_LIBRARY_PATH="$$LD_LIBRARY_PATH" LC_ALL=C PYTHONUTF8=1 JUPYTER_NO_CONFIG=1 \
	DASK_ROOT_CONFIG="$$PWD/.uv/home" DASK_SCHEDULER_ADDRESS="$$DASK_SCHEDULER_ADDRESS"
PYTHON = $(CLEAN) .venv/bin/python
# A file's name may have $ and blanks: make check COPY='a$b.ipynb'. The shell reads it from its
# environment, as $$COPY. value is the name as it was typed: make would take $b for a variable.
# override: without it, make ignores a line here about what its command line sets.
export COPY ?= handout/mnist_rnn.ipynb
export COPIES ?= copies
override COPY := $(value COPY)
override COPIES := $(value COPIES)
NOTEBOOKS = notebooks/mnist_rnn.ipynb notebooks/studies.ipynb
ARGS =

.SILENT:
.NOTPARALLEL:
.PHONY: help setup run studies verify test check class handout lab runs scheduler worker save clean

help:  ## lists what make can do
	sed -n 's/^\([a-z]*\):.*  ## /make \1: /p' Makefile

setup:  ## makes .venv, where it is not there yet
	sh tools/setup.sh

run: setup  ## executes the notebook and writes build/mnist_rnn.html
	$(PYTHON) tools/rerun.py --page notebooks/mnist_rnn.ipynb

studies: setup  ## the same with the second notebook, studies.ipynb
	$(PYTHON) tools/rerun.py --page notebooks/studies.ipynb

verify: setup  ## executes both and compares what they print with what is saved
	$(PYTHON) tools/rerun.py $(NOTEBOOKS)

save: setup  ## executes both and saves them in notebooks/, for contributors
	$(PYTHON) tools/rerun.py --save $(NOTEBOOKS)

test: setup  ## runs the tests; make test ARGS="-k weights" only some
	$(PYTHON) -m pytest $(ARGS)

handout: setup  ## writes the exercise to handout/, a folder to give away, once
	$(PYTHON) exercise/handout.py handout

check: setup  ## checks a solved exercise: make check COPY=handout/mnist_rnn.ipynb
	$(PYTHON) exercise/check_file.py "$$COPY" || [ $$? -eq 3 ]  # checked, and not all is right

class: setup  ## checks all copies in a folder and writes a table: make class COPIES=copies
	$(PYTHON) exercise/check_file.py "$$COPIES"

# The user's own settings of Jupyter count, so not in the clean environment; Python's do not.
lab: setup  ## opens JupyterLab with the exercise in handout/, which it writes where there is none
	test -e handout || $(PYTHON) exercise/handout.py handout
	unset PYTHONHOME PYTHONPATH PYTHONSAFEPATH; .venv/bin/python -m jupyterlab --allow-root \
		--ServerApp.root_dir=. --LabApp.default_url=/lab/tree/handout/mnist_rnn.ipynb $(ARGS)

runs: setup  ## trains what is missing in data/*.csv
	$(PYTHON) tools/runs.py

# PYTHONPATH: the scheduler loads the functions that it hands on.
scheduler: setup  ## for make runs on several machines: see data/README.md
	$(CLEAN) PYTHONPATH=tools .venv/bin/python -m distributed.cli.dask_scheduler

worker: setup  ## joins this machine to it
	$(PYTHON) tools/runs.py worker

# .venv only if setup.sh made it. Renamed first: if this is stopped, no half of it is left there.
clean:  ## deletes what make made: .venv, .uv and the pages in build/, never handout/
	mkdir -p .uv
	if grep -qs '^prompt = mnist-rnn-theano$$' .venv/pyvenv.cfg; then mv .venv .uv/$$$$; fi
	rm -rf .uv build/mnist_rnn.html build/studies.html
	rmdir build 2>/dev/null || true
