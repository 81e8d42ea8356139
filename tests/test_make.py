"""Every target of the Makefile starts, in a copy of the repository with an environment of its own.

Only run, studies, verify and save are left out, which run whole notebooks: CI does make verify.
"""
import os
import re
import shutil
import signal
import subprocess
import time

import cells
import pytest

pytestmark = pytest.mark.slow

CASES = [  # what stands after make, its exit status, words that it prints
    ('help', 0, 'make run: executes'),
    ('setup', 0, ''),
    ('test ARGS=--version', 0, 'pytest'),
    ('lab ARGS=--version', 0, '.'),
    ('runs', 0, 'All rows are there'),
    ('handout', 0, 'handout'),
    ('check COPY=missing.ipynb', 2, 'missing.ipynb'),
    ('class COPIES=pair', 0, 'pair.csv')]
TOGETHER = ['scheduler', 'worker', 'clean']  # tried below
LEFT_OUT = ['run', 'studies', 'verify', 'save']


def made(folder, names):
    """Return what a copy of the repository leaves out, for shutil.copytree."""
    return {'.git', '.venv', '.uv', 'build', 'handout'} if folder == str(cells.ROOT) else ()


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    """A copy of the repository, with two solved exercises in the folder pair, and its .venv."""
    folder = tmp_path_factory.mktemp('a copy') / 'here'
    shutil.copytree(str(cells.ROOT), folder, ignore=made)
    (folder / 'pair').mkdir()
    for name in 'one.ipynb', 'two.ipynb':
        shutil.copy(cells.NOTEBOOK, folder / 'pair' / name)
    subprocess.run(['make', 'setup'], cwd=folder, check=True)
    return folder


def test_every_target_is_tried():
    phony = re.search(r'(?m)^\.PHONY: (.*)', (cells.ROOT / 'Makefile').read_text()).group(1)
    tried = {words.split()[0] for words, status, said in CASES}
    assert set(phony.split()) == tried.union(TOGETHER, LEFT_OUT)


@pytest.mark.parametrize('words, status, said', CASES)
def test_target(copy, words, status, said):
    done = subprocess.run(['make', *words.split()], cwd=copy, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == status, done.stdout
    assert said in done.stdout


def test_worker_joins_the_scheduler(copy):
    started = []
    settings = {**os.environ, 'TMPDIR': str(copy),
                'DASK_SCHEDULER_ADDRESS': 'tcp://127.0.0.1:8786'}
    with open(copy / 'log', 'w') as log:
        for target in 'scheduler', 'worker':
            started.append(subprocess.Popen(['make', target], cwd=copy, env=settings, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True))
        for second in range(60):
            if 'Register worker' in (copy / 'log').read_text():
                break
            time.sleep(1)
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert 'Register worker' in (copy / 'log').read_text()


def test_clean_spares_what_is_yours(copy):
    (copy / 'handout').mkdir(exist_ok=True)
    subprocess.run(['make', 'clean'], cwd=copy, check=True)
    assert not (copy / '.venv').exists()
    assert (copy / 'handout').exists()
