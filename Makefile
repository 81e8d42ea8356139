# Variables count on the command line only, not when exported in the shell: PYTHON=3.9 or a path picks an
# interpreter; VENV and BUILD lie elsewhere, as for a read-only checkout: make VENV=/tmp/venv BUILD=/tmp/build run
VENV = .venv
BUILD = build
PYTHON =
NOTEBOOK =
ARGS =
# What they hold is text: never run by make, nor, as recipes write "$$NAME", by the shell.
NAMES = VENV BUILD PYTHON NOTEBOOK ARGS
$(foreach name,$(NAMES),$(eval override $(name) := $$(value $(name))))
# The user's settings for other Python programs are not passed on; HOME hides those in files. Those for uv stay.
unexport $(filter PYTHON% IPYTHON% JUPYTER% MPL% MATPLOTLIB% THEANO% PYTEST% DASK_CONFIG%,$(.VARIABLES))
export $(NAMES)
PY = HOME="$$(cd "$$VENV" && pwd)/home" XDG_CONFIG_HOME= XDG_DATA_HOME= XDG_CACHE_HOME= JUPYTER_PREFER_ENV_PATH=1 \
	"$$VENV/bin/python"
UNCHANGED = { test ! -e "$$BUILD/mnist_rnn.ipynb" || cksum <"$$BUILD/mnist_rnn.ipynb" | cmp -s - "$$BUILD/.made" || \
	{ echo "$$BUILD/mnist_rnn.ipynb is not as make run left it, and was kept: move it away" >&2; false; }; }
SAVED = notebooks/mnist_rnn.ipynb
HANDOUT = mnist_rnn_handout.ipynb

.SILENT:
.PHONY: help run test verify handout lab runs worker save clean venv

help:  ## lists what make can do
	sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

run: venv  ## executes the notebook: build/mnist_rnn.html and .ipynb
	$(UNCHANGED)
	echo "Executing the notebook: about a minute"
	mkdir -p "$$BUILD"
	$(PY) -m nbconvert --log-level=ERROR --to html --config tools/page.py --output-dir "$$BUILD" $(SAVED)
	mv "$$BUILD/mnist_rnn.part" "$$BUILD/mnist_rnn.ipynb" && cksum <"$$BUILD/mnist_rnn.ipynb" >"$$BUILD/.made"
	sed -n 's/^ *"\(Testing accuracy.*%\)\\n".*/\1/p' "$$BUILD/mnist_rnn.ipynb"
	ls "$$BUILD/mnist_rnn.ipynb" "$$BUILD/mnist_rnn.html"

test: venv  ## the tests; with NOTEBOOK=path those of the network, on another notebook
	echo "Testing: about 20 seconds"
	$(PY) -m pytest $(if $(NOTEBOOK),-q --tb=line -rN tests/test_mnist_rnn.py) $$ARGS

verify: run  ## executes the notebook and compares what it prints with the saved outputs
	$(PY) -m pytest -m verify

handout: venv  ## writes the exercise: build/mnist_rnn_handout.ipynb
	mkdir -p "$$BUILD"
	test ! -e "$$BUILD/$(HANDOUT)" || { echo "$$BUILD/$(HANDOUT) is there, and was kept: move it away" >&2; false; }
	$(PY) -m nbconvert --log-level=ERROR --to notebook --config tools/handout.py --output-dir "$$BUILD" \
		--output $(HANDOUT) $(SAVED)
	ls "$$BUILD/$(HANDOUT)"

lab: venv  ## opens JupyterLab; options: make lab ARGS="--no-browser --ip=0.0.0.0"
	JUPYTER_PREFER_ENV_PATH=1 "$$VENV/bin/python" -m jupyterlab --allow-root --ServerApp.root_dir=. \
		--LabApp.default_url=/lab/tree/$(SAVED) $$ARGS

runs: venv  ## makes data/runs.csv and data/early.csv again, on this machine or a Dask cluster
	$(PY) tools/make_runs.py

worker: venv  ## starts workers here for the Dask scheduler that DASK_SCHEDULER_ADDRESS names
	$(PY) tools/worker.py

save: run  ## for contributors: makes what make run wrote the saved notebook
	cp "$$BUILD/mnist_rnn.ipynb" $(SAVED)
	$(PY) tools/save_figure.py

clean: override BUILD = build
clean: override VENV = .venv
clean:  ## deletes what make made: .venv, and in build/ the executed notebook and its page
	! $(UNCHANGED) || rm -f build/mnist_rnn.ipynb build/mnist_rnn.html build/mnist_rnn.part build/.made
	test ! -e .venv/made-for || rm -rf .venv
	rmdir build 2>/dev/null || test ! -e build || { echo "left in build:" && ls build; }

# .venv/made-for holds what the environment was made for: another PYTHON or changed pins make it anew.
venv:
	wanted="$$PYTHON $$(cat requirements.txt constraints.txt | cksum)"; made="$$VENV/made-for"; \
	test "$$(cat "$$made" 2>/dev/null)" = "$$wanted" && exit; \
	stop() { echo "$$*" >&2; exit 1; }; \
	case "$$PYTHON" in 2* | 3.[0-7] | 3.[0-7].* | 3.1[2-9]*) stop "PYTHON=$$PYTHON: Theano 1.0.5 needs 3.8 to 3.11" ;; esac; \
	rmdir "$$VENV" 2>/dev/null; \
	test ! -e "$$VENV" || test -e "$$made" || stop "$$VENV is there, and make did not make it: move it away"; \
	echo "Setting up $$VENV: about 15 seconds"; \
	mkdir -p "$$VENV/home" && : >"$$made" || stop "Cannot write $$VENV: name another place, make VENV=/tmp/venv ..."; \
	uv=uv; uv pip install --help 2>/dev/null | grep -q -e --build-constraint || { uv="$$VENV/uv/bin/uv"; \
		python3 -m venv "$$VENV/uv" && "$$VENV/uv/bin/python" -m pip install --quiet uv==0.13.9 || \
		stop "Found no recent uv, and could not install it with python3: install uv (https://docs.astral.sh/uv)"; }; \
	"$$uv" venv --quiet --allow-existing --python "$${PYTHON:-cpython>=3.8,<3.12}" "$$VENV" || exit; \
	"$$VENV/bin/python" -c 'import sys; sys.exit(not (3, 8) <= sys.version_info < (3, 12))' || \
		stop "$$PYTHON is not a Python 3.8 to 3.11, as Theano 1.0.5 needs"; \
	"$$uv" pip install --quiet --python "$$VENV/bin/python" -r requirements.txt \
		--build-constraint constraints.txt && echo "$$wanted" >"$$made"
