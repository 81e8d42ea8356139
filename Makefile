# make run · test · verify · runs · handout · save · lab · clean
# On the command line only (names exported in the shell are not obeyed): PYTHON=3.9 or a path picks an interpreter;
# VENV and BUILD lie elsewhere, as for a read-only checkout: make VENV=/tmp/venv BUILD=/tmp/build run

VENV = .venv
BUILD = build
PYTHON =
NOTEBOOK =
ARGS =
SAVED = notebooks/mnist_rnn.ipynb
PY = "$(VENV)/bin/python"
NBCONVERT = $(PY) -m nbconvert --log-level=ERROR
EXECUTE = --to notebook --execute --ExecutePreprocessor.record_timing=False \
	--ExecutePreprocessor.extra_arguments=--log-level=ERROR
MERGE = --to notebook --inplace --CoalesceStreamsPreprocessor.enabled=True  # streams as JupyterLab saves them
export JUPYTER_PREFER_ENV_PATH = 1

.SILENT:
.PHONY: run test verify runs handout save lab clean venv

# Executes the notebook into a folder of its own and moves the results into place when all is done.
run: venv
	echo "Executing the notebook: about a minute and a half"
	mkdir -p "$(BUILD)"
	part=$$(mktemp -d "$(BUILD)/part-XXXXXX") && trap 'rm -rf "$$part"' EXIT && trap 'exit 1' INT TERM HUP && \
	$(NBCONVERT) $(EXECUTE) --output-dir "$$part" $(SAVED) && \
	$(NBCONVERT) $(MERGE) "$$part/mnist_rnn.ipynb" && \
	$(NBCONVERT) --to html --config notebooks/page.py --embed-images "$$part/mnist_rnn.ipynb" && \
	sed -n 's/^ *"\([^"]* accuracy[^"]*: [^"]* %\)\\n".*/\1/p' "$$part/mnist_rnn.ipynb" && \
	mv -f "$$part/mnist_rnn.ipynb" "$$part/mnist_rnn.html" "$(BUILD)" && \
	ls "$(BUILD)/mnist_rnn.ipynb" "$(BUILD)/mnist_rnn.html"

# make test NOTEBOOK=path tests the network in another notebook, a student's.
test: venv
	NOTEBOOK="$(NOTEBOOK)" $(PY) -m pytest tests$(if $(NOTEBOOK),/test_mnist_rnn.py)

# Compares every saved text output with a fresh one where every bit is reproducible.
verify: venv
	verdict=$$($(PY) notebooks/bitwise.py) && echo "$$verdict" && \
	case $$verdict in *": yes") mode=--nbval ;; *) mode=--nbval-lax; echo "Outputs are not compared, only run." ;; esac && \
	$(PY) -m pytest $$mode $(SAVED)

runs: venv
	$(PY) data/make_runs.py

handout: venv
	mkdir -p "$(BUILD)"
	$(PY) notebooks/make_handout.py "$(BUILD)/mnist_rnn_handout.ipynb" && ls "$(BUILD)/mnist_rnn_handout.ipynb"

# For contributors: runs the notebook and makes the result the saved one, with the README's figures.
save: run
	cp "$(BUILD)/mnist_rnn.ipynb" $(SAVED)
	$(PY) tests/save_figures.py

# make lab ARGS="--no-browser --ip=0.0.0.0" passes options on. Containers run it as root.
lab: venv
	$(PY) -m jupyterlab --allow-root $(ARGS) $(SAVED)

# Deletes only what was made here, and no handout: it may hold a solution.
clean:
	rm -rf "$(BUILD)"/mnist_rnn.ipynb "$(BUILD)"/mnist_rnn.html "$(BUILD)"/part-?????? build/runs-????????.csv "$(VENV)".part-??????
	rmdir "$(BUILD)" 2>/dev/null || true
	if test -e "$(VENV)/made-for"; then rm -rf "$(VENV)"; fi

venv:
	./setup_venv.sh "$(VENV)" "$(PYTHON)"
