# Variables count on the command line, not when exported in the shell. PYTHON=3.9 or a path picks an
# interpreter; VENV and BUILD lie elsewhere, as for a read-only checkout.
VENV = .venv
BUILD = build
PYTHON =
NOTEBOOK =
ARGS =
# What they hold is text: make does not run it and, as recipes write "$$NAME", nor does the shell.
NAMES = VENV BUILD PYTHON NOTEBOOK ARGS
$(foreach name,$(NAMES),$(eval override $(name) := $$(value $(name))))
# The user's settings for other Python programs are not passed on nor, by another HOME, read.
unexport $(filter PYTHON% IPYTHON% JUPYTER% MPL% THEANO% PYTEST%,$(.VARIABLES)) DASK_CONFIG \
	VIRTUAL_ENV CDPATH PIP_USER PIP_TARGET PIP_PREFIX
export $(NAMES)
# The system's certificates, where it has some: behind a company's proxy no others are valid.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/ca-* /System/Library/Keychains),true,false)
PY = HOME="$$(cd "$$VENV" && pwd)/home" XDG_CONFIG_HOME= XDG_DATA_HOME= XDG_CACHE_HOME= \
	PYTHONPATH=tools:notebooks JUPYTER_PREFER_ENV_PATH=1 "$$VENV/bin/python"
CONVERT = $(PY) -m nbconvert --log-level=ERROR --output-dir "$$BUILD"
SAVED = notebooks/mnist_rnn.ipynb
RUN = "$$BUILD/mnist_rnn.ipynb"
HANDOUT = "$$BUILD/mnist_rnn_handout.ipynb"
STOP = stop() { echo "$$*" >&2; exit 1; };
UNTOUCHED = $(STOP) test ! -e $(RUN) || cksum <$(RUN) | cmp -s - "$$BUILD/.made" || \
	stop $(RUN) "is not as make run left it, and was kept: move it away"
.SILENT:
.PHONY: help run test verify handout lab runs save clean venv

help:  ## lists what make can do
	sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

run: venv  ## executes the notebook: build/mnist_rnn.html and .ipynb
	$(UNTOUCHED)
	mkdir -p "$$BUILD" && echo "Executing the notebook: about 80 seconds on two cores"
	$(CONVERT) --to html --config tools/page.py $(SAVED)
	mv "$$BUILD/mnist_rnn.part" $(RUN) && cksum <$(RUN) >"$$BUILD/.made"
	sed -n 's/^ *"\(Testing accuracy.*%\)\\n".*/\1/p' $(RUN) && ls $(RUN) "$$BUILD/mnist_rnn.html"

test: venv  ## the tests; with NOTEBOOK=path those of the network, on another notebook
	echo "Testing: about $(if $(NOTEBOOK),5,25) seconds"
	$(PY) -m pytest $(if $(NOTEBOOK),-qx --tb=line -rN tests/test_mnist_rnn.py) $$ARGS

verify: run  ## executes the notebook and compares what it prints with the saved outputs
	$(PY) -m pytest -m verify

handout: venv  ## writes the exercise: build/mnist_rnn_handout.ipynb
	$(STOP) test ! -e $(HANDOUT) || stop $(HANDOUT) "is there, and was kept: move it away"
	$(CONVERT) --to notebook --config tools/handout.py --output mnist_rnn_handout $(SAVED)
	ls $(HANDOUT)

lab: venv  ## opens JupyterLab; options: make lab ARGS="--no-browser --port=9999"
	JUPYTER_PREFER_ENV_PATH=1 "$$VENV/bin/python" -m jupyterlab --allow-root \
		--ServerApp.root_dir=. --LabApp.default_url=/lab/tree/$(SAVED) $$ARGS

runs: venv  ## makes data/runs.csv and data/early.csv again, here or on a Dask cluster
	$(PY) -c 'import runs; runs.main()'

save: run  ## for contributors: makes what make run wrote the saved notebook
	$(STOP) test ! $(SAVED) -nt $(RUN) || stop "$(SAVED) was edited meanwhile: make save again"
	cp $(RUN) $(SAVED)
	cp "$$BUILD/published.png" notebooks/images/

clean: override BUILD = build
clean:  ## deletes what make made: .venv, and in build/ the executed notebook and its page
	$(UNTOUCHED)
	if test -e .venv/made-for; then rm -rf .venv; fi
	rm -f $(addprefix build/,mnist_rnn.ipynb mnist_rnn.html mnist_rnn.part published.png .made)
	rmdir build 2>/dev/null || ls build 2>/dev/null || true

# .venv/made-for says what the environment was made for; another PYTHON or other pins update it.
venv:
	$(STOP) made="$$VENV/made-for" uv=uv unfit="PYTHON=$$PYTHON: Theano 1.0.5 needs 3.8 to 3.11" \
	wanted="$$PYTHON $$(cat requirements.txt constraints.txt | cksum)"; \
	test "$$(cat "$$made" 2>/dev/null)" = "$$wanted" && test -x "$$VENV/bin/python" && exit; \
	case "$$PYTHON" in 2* | 3 | 3.[0-7] | 3.[0-7].* | 3.1[2-9]*) stop "$$unfit" ;; esac; \
	rmdir "$$VENV" 2>/dev/null; test ! -e "$$VENV" || test -e "$$made" || \
		stop "$$VENV is there, and make did not make it: move it away"; \
	echo "Setting up $$VENV: about 10 seconds"; mkdir -p "$$VENV/home" && : >"$$made" || \
		stop "Cannot write $$VENV: name another place, make VENV=/tmp/venv ..."; \
	uv pip install --help 2>/dev/null | grep -q -e --build-constraint || { \
		uv="$$VENV/uv/bin/uv"; python3 -m venv --clear "$$VENV/uv" && \
		"$$VENV/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv==0.13.9 || \
		stop "Found no recent uv, and python3 could not install it: install uv, or python3 and venv"; }; \
	"$$uv" venv --quiet --allow-existing --python "$${PYTHON:-cpython>=3.8,<3.12}" "$$VENV" && \
	{ "$$VENV/bin/python" -c 'import sys; exit(not (3, 8) <= sys.version_info < (3, 12))' || \
		stop "$$unfit"; } && \
	"$$uv" pip install --quiet --python "$$VENV/bin/python" -r requirements.txt \
		--build-constraint constraints.txt && echo "$$wanted" >"$$made"
