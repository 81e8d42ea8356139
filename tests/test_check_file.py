"""Tests of the check of a file: how a copy is read and run, and what comes of it."""
import json
import os
import sys
import time

import check
import check_file
import nbformat
import pytest
import run_copy

START = 'import json, os, sys, time\nevents = open(sys.argv[2], "a")\n'
TELL = 'print(json.dumps(%r), file=events, flush=True)\n'
PLACES = TELL % {'places': ['Weights', 'Cost']}
RIGHT = (TELL % {'place': 'Weights', 'verdict': ['right', 'right']}
         + TELL % {'place': 'Cost', 'verdict': ['right', 'right']})


@pytest.fixture
def child(tmp_path, monkeypatch):
    """A function that puts a program in run_copy.py's place, and checks a copy with it."""
    def run(program, time_limit=30):
        (tmp_path / 'child.py').write_text(START + program)
        (tmp_path / 'copy.ipynb').write_text('{}')
        monkeypatch.setattr(check_file, 'RUN_COPY', tmp_path / 'child.py')
        return check_file.check(tmp_path / 'copy.ipynb', time_limit)
    return run


# What comes of a copy's process.

def test_all_right(child):
    result = child(PLACES + RIGHT + TELL % {'changed': None})
    assert result.sentence() == 'All 2 places are right: this is the network of the assignment'
    assert result.all_right()


def test_one_of_two_is_not_all(child):
    result = child(PLACES + RIGHT + TELL % {'place': 'Cost', 'verdict': ['wrong', 'right']}
                   + TELL % {'changed': None})
    assert result.sentence() == '1 of 2 places are right'
    assert not result.all_right()


def test_a_changed_given_cell_is_not_all_right(child):
    result = child(PLACES + RIGHT + TELL % {'changed': 'a given cell was changed'})
    assert result.sentence() == 'All 2 places are right, but a given cell was changed'
    assert not result.all_right()


def test_an_end_before_the_last_tests_is_not_all_right(child):
    assert not child(PLACES + RIGHT).all_right()


def test_a_copy_that_ends_its_process(child):
    result = child(PLACES + TELL % {'section': 'Weights'} + 'os._exit(0)')
    assert result.verdicts['Cost'] == [
        'not checked', 'not checked: a cell in section "Weights" ended the Python process']


def test_a_copy_that_never_ends(child):
    result = child(PLACES + TELL % {'section': 'Weights'} + 'while True: pass', time_limit=1)
    assert result.verdicts['Cost'][1] == (
        'not checked: a cell in section "Weights" was stopped after 1 seconds: is there an endless '
        'loop?')


@pytest.mark.parametrize('kind, code', [('right', 0), ('wrong', 1)])
def test_a_wrong_copy_is_an_error_for_the_shell(monkeypatch, kind, code):
    monkeypatch.setattr(check_file, 'check',
                        lambda path: check_file.Result({'Cost': [kind, 'a text']}, None))
    monkeypatch.setattr(sys, 'argv', ['check_file.py', 'copy.ipynb'])
    with pytest.raises(SystemExit) as ended:
        check_file.main()
    assert ended.value.code == code


def test_output_is_thrown_away(child, capfd):
    child(PLACES + RIGHT + 'print("x" * 1000000)\n' + TELL % {'changed': None})
    assert capfd.readouterr() == ('', '')


def test_a_broken_environment_gives_no_score(child):
    with pytest.raises(check_file.CheckError, match='Nothing was checked .*ModuleNotFoundError'):
        child('import nosuch')


@pytest.mark.skipif(not os.path.isdir('/proc'), reason='the test looks at /proc')
def test_children_end_with_the_copy(child, tmp_path):
    child('import subprocess, sys\n'
          'process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])\n'
          'open("pid", "w").write(str(process.pid))\n' + PLACES)
    pid = int((tmp_path / 'pid').read_text())
    for wait in range(100):  # the kernel needs a moment
        if not os.path.exists('/proc/%d' % pid) or state_of(pid) == 'Z':
            return
        time.sleep(.05)
    pytest.fail('the child is still there')


def state_of(pid):
    """Return the state of a process: Z for one that has ended, and that nobody has asked for."""
    with open('/proc/%d/stat' % pid) as file:
        return file.read().split()[2]


@pytest.mark.parametrize('path', ['nosuch.ipynb', '.', 'x' * 300, 'loop'])
def test_what_is_no_file_is_told(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    os.symlink('loop', 'loop')
    with pytest.raises(check_file.CheckError, match='cannot be read: '):
        check_file.check(path)


def test_names_do_nothing_to_the_terminal():
    assert check_file.shown('a\x1b[2J\n\udcff.ipynb') == 'a\\x1b[2J\\x0a\\xdcff.ipynb'


# How a copy is read.

@pytest.mark.parametrize('content, message', [
    (b'', 'is not a notebook of nbformat 4'),
    (b'[]', 'is not a notebook of nbformat 4'),
    (b'{"cells": [1]}', 'is not a notebook of nbformat 4'),
    (b'\xff\xfe{\x00}\x00', 'is not UTF-8 text')])
def test_what_is_no_notebook_is_told(tmp_path, content, message):
    (tmp_path / 'copy.ipynb').write_bytes(content)
    with pytest.raises(run_copy.CopyError, match=message):
        run_copy.read(tmp_path / 'copy.ipynb')


def test_what_other_programs_leave_out_is_empty(tmp_path):
    (tmp_path / 'copy.ipynb').write_bytes(b'\xef\xbb\xbf{"cells": [{"cell_type": "code"}]}')
    assert run_copy.read(tmp_path / 'copy.ipynb') == [('code', '')]


@pytest.mark.parametrize('source, title', [
    ('## Weights', 'Weights'), ('text\n\n### Weights ###', 'Weights'), ('# My notes', None),
    ('Weights', None), ('# My notes\n## Train', 'Train'), ('```python\n## Train\n```', None)])
def test_title(source, title):
    assert run_copy.section_begun_by(source) == title


# How a copy is run.

@pytest.fixture
def shell(monkeypatch, tmp_path):
    """A shell for a copy's cells."""
    monkeypatch.setenv('IPYTHONDIR', str(tmp_path))
    monkeypatch.setitem(sys.modules, '__main__', sys.modules['__main__'])
    yield run_copy.Shell()
    run_copy.Shell.clear_instance()


@pytest.mark.parametrize('source', [
    'x = 1', '%matplotlib inline\nx = 1', '%time x = 1', '%%time\nx = 1', 'x = %time 1',
    '%timeit -n 1 -r 1 1\nx = 1', '%%capture\nprint(2)\nx = 1', 'display(3)\nx = 1',
    'import asyncio\nawait asyncio.sleep(0)\nx = 1', 'get_ipython().system("ls")\nx = 1',
    '%config InlineBackend.figure_format = "retina"\nx = 1', '!ls \\\n  nosuch\nx = 1',
    'files = !ls\nx = 1 + len(files)', '%ls\nx = 1', 'print?\nx = 1',
    'from __future__ import annotations\nx = 1'])
def test_cells_are_read_as_jupyter_reads_them(shell, source):
    shell.run_cell(source, store_history=False)
    assert shell.user_ns['x'] == 1


@pytest.mark.parametrize('source', [
    '!touch made', '%%bash\ntouch made', '%%script sh\ntouch made', 'x = !touch made',
    '%sx touch made', '%system touch made', 'get_ipython().system("touch made")',
    '%%sh\ntouch made'])
def test_nothing_of_the_shell_is_run(shell, monkeypatch, tmp_path, source):
    monkeypatch.chdir(tmp_path)
    shell.run_cell(source, store_history=False)
    assert not (tmp_path / 'made').exists()


@pytest.mark.parametrize('source', ['print(1)', 'display(1)', '1'])
def test_output_is_not_kept(shell, source):
    shell.run_cell(source, store_history=False)
    assert not shell.history_manager.outputs


@pytest.mark.parametrize('source, text', [
    ('cost = 1\nexit()', 'ends the program: take out exit(), quit() or sys.exit()'),
    ('cost = 1\nraise SystemExit', 'ends the program: take out exit(), quit() or sys.exit()'),
    ('cost = 1\nraise EOFError', 'waits for the keyboard: take out input()'),
    ('cost = 1 +', 'stops with SyntaxError: invalid syntax, in line 1 of its cell')])
def test_a_cell_that_stops_is_told(shell, source, text):
    session = check.watch(shell)
    shell.run_cell(source, store_history=False)
    assert session.verdict('Cost').text == text


@pytest.mark.parametrize('source', ['cost = "\udcff"', 'cost = ' + '-' * 20000 + '1'])
def test_a_cell_that_python_cannot_read_has_failed(shell, source):
    session = check.watch(shell)
    shell.run_cell(source, store_history=False)
    assert session.endings['cost'][0] is not None


# The whole of it, in a process of its own.

def fill_in(exercise):
    """Put the solutions of the saved notebook into the exercise's places."""
    solved = {cell.id: cell.source for cell in nbformat.read(check.HERE.parent / 'notebooks' /
                                                             'mnist_rnn.ipynb', 4).cells}
    for cell in exercise.cells:
        cell.source = solved.get(cell.id, cell.source)


def test_the_solved_exercise_is_right(exercise, tmp_path):
    fill_in(exercise)
    nbformat.write(exercise, tmp_path / 'copy.ipynb')
    assert check_file.check(tmp_path / 'copy.ipynb').all_right()


@pytest.fixture(scope='module')
def odd_copy(tmp_path_factory):
    """The events of a copy that does odd things, and how its process ended."""
    folder = tmp_path_factory.mktemp('odd')
    (folder / 'helper.py').write_text('cost = 3')
    notebook = nbformat.v4.new_notebook()
    for section, source in {
            'Imports': 'import threading, time\n'
                       'threading.Thread(target=lambda: time.sleep(60)).start()',
            'Weights': 'U = bytearray(9 * 2**30)',
            'Cost': 'pass',
            'Compile': 'from helper import cost'}.items():
        notebook.cells += [nbformat.v4.new_markdown_cell('## ' + section),
                           nbformat.v4.new_code_cell(source)]
    nbformat.write(notebook, folder / 'copy.ipynb')
    events, ending = check_file.run(folder / 'copy.ipynb', time_limit=30)
    return {event['place']: event['verdict'] for event in events if 'place' in event}, ending


def test_a_thread_that_never_ends_is_not_waited_for(odd_copy):
    _, ending = odd_copy
    assert ending == 'ended the Python process'


def test_a_module_beside_the_copy_and_a_place_in_a_later_section_are_found(odd_copy):
    verdicts, _ = odd_copy
    assert verdicts['Cost'] == ['wrong', "cost must be made of Theano's symbols, and is a int"]


@pytest.mark.skipif(run_copy.resource is None, reason='Windows has no such limits')
def test_a_cell_that_fills_memory_is_stopped(odd_copy):
    verdicts, _ = odd_copy
    assert verdicts['Weights'][1].startswith('stops with MemoryError')
