"""Tests that every target of the Makefile starts, and that make clean spares what is yours."""
import shutil
import subprocess

import cells
import locket
import nbformat
import pytest
from test_setup import PATH, needs_uv  # make asks uv each time whether .venv is whole

CASES = [  # what stands after make, its exit status, words that it prints
    ('help', 0, 'make setup: makes'),
    ('setup test ARGS=--version', 0, 'pytest'),
    ('lab ARGS=--version', 0, ''),
    ('handout check', 0, 'Compile: not written yet'),
    ('class COPIES=missing', 2, 'missing'),
    ('runs', 2, 'make runs is running already'),
    ('save verify run studies', 0, 'build/studies.html')]


def start_make(folder, words):
    """Start make in a folder, for 90 seconds at most; return the process."""
    variables = {'PATH': PATH, 'DASK_SCHEDULER_ADDRESS': 'tcp://127.0.0.1:8786'}
    return subprocess.Popen(['timeout', '90', 'make', *words.split()], cwd=folder, env=variables,
                            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def left_out(folder, names):
    """Return what a copy of the repository leaves out, for shutil.copytree."""
    return {'.git', '.venv', '.uv', 'build', 'handout'} if folder == str(cells.ROOT) else ()


@pytest.fixture
def copy(tmp_path):
    """A copy of the repository, with a link to its .venv. make runs finds its lock taken."""
    folder = shutil.copytree(str(cells.ROOT), tmp_path / 'a copy', ignore=left_out)
    (folder / '.venv').symlink_to(cells.ROOT / '.venv')
    with locket.lock_file(str(folder / 'data' / 'runs.lock')):
        yield folder


@pytest.mark.slow
@needs_uv
@pytest.mark.parametrize('words, status, said', CASES)
def test_target_starts(copy, words, status, said):
    if 'studies' in words:  # quick with notebooks of one line
        for path in cells.PATHS:
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('print(1)')])
            nbformat.write(notebook, copy / 'notebooks' / path.name)
    process = start_make(copy, words)
    printed, _ = process.communicate()
    assert process.returncode == status, printed
    assert said in printed


@pytest.mark.slow
@needs_uv
def test_worker_joins_the_scheduler(copy):
    scheduler = start_make(copy, 'scheduler')
    worker = start_make(copy, 'worker')
    has_joined = any('Register worker' in line for line in scheduler.stdout)
    for process in worker, scheduler:
        process.terminate()
        process.wait()
    assert has_joined


@pytest.mark.parametrize('prompt', ['mnist-rnn-theano', 'mine'])
def test_clean_deletes_only_what_make_made(tmp_path, prompt):
    shutil.copy(cells.ROOT / 'Makefile', tmp_path)
    for folder in '.venv', 'handout':
        (tmp_path / folder).mkdir()
    (tmp_path / '.venv' / 'pyvenv.cfg').write_text('prompt = %s\n' % prompt)
    start_make(tmp_path, 'clean').wait()
    assert (tmp_path / 'handout').exists()
    assert (tmp_path / '.venv').exists() == (prompt == 'mine')
