# make lists the targets. Most need .venv, which tools/setup.sh makes at the first call.

# What computes runs in this environment and no other, so that no setting of the user's machine
# changes a result.
CLEAN = env -i PATH="$$PATH" HOME="$$PWD/.venv/home" TMPDIR="$$TMPDIR" LC_ALL=C \
	PYTHONUTF8=1 JUPYTER_NO_CONFIG=1
PYTHON = $(CLEAN) .venv/bin/python
HANDOUT = handout/mnist_rnn.ipynb
# Exported, so that the shell reads it from $$NOTEBOOK and runs nothing in a file's name.
export NOTEBOOK = $(HANDOUT)
OPEN = $(if $(wildcard $(HANDOUT)),$(HANDOUT),notebooks/mnist_rnn.ipynb)
ARGS =

.SILENT:
.PHONY: help setup run verify test check handout lab runs save clean

help:  ## lists what make can do
	sed -n 's/^\([a-z]*\):.*  ## /make \1: /p' Makefile

setup:  ## makes .venv, where it is not there yet
	sh tools/setup.sh

run: setup  ## executes the notebook and writes build/mnist_rnn.html
	$(PYTHON) tools/page.py

verify: run  ## executes the notebook and compares what it prints with what is saved
	$(PYTHON) tools/verify.py

test: setup  ## runs the tests; make test ARGS="-k weights" only some
	$(PYTHON) -m pytest $(ARGS)

check: setup  ## checks a solved exercise: make check NOTEBOOK=handout/mnist_rnn.ipynb
	$(PYTHON) -m pytest --notebook="$$NOTEBOOK"

handout: setup  ## writes the exercise to handout/, once
	$(PYTHON) tools/handout.py $(HANDOUT)

lab: setup  ## opens JupyterLab with the exercise or, where there is none, with the notebook
	.venv/bin/python -m jupyterlab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/$(OPEN) $(ARGS)

runs: setup  ## trains all runs in data/*.csv again
	$(CLEAN) DASK_SCHEDULER_ADDRESS="$$DASK_SCHEDULER_ADDRESS" .venv/bin/python tools/runs.py

save: run  ## executes the notebook and saves it in notebooks/, for contributors
	cp build/mnist_rnn.ipynb notebooks/
	cp build/images/*.png notebooks/images/
	echo "Saved notebooks/mnist_rnn.ipynb and the pictures in notebooks/images"

clean:  ## deletes what make made: .venv, .uv and build/
	if test -e .venv/made-from; then rm -rf .venv; fi
	rm -rf .uv build
	echo "Deleted .venv, .uv and build/. What you work on, in handout/, is kept"
