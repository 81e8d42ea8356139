"""Tests of tools/rerun.py: executing a notebook, comparing it, saving it, and its page."""
import base64
import os
import re
import signal
import subprocess
import sys

import cells  # first: it sets the pins before NumPy is imported
import bitwise
import nbformat
import pytest
import rerun
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PICTURE = base64.b64encode(b'a picture').decode()


def stream(text):
    return new_output('stream', text=text)


def shown(kind, data):
    return new_output('display_data', data={kind: data})


PRINTED = stream('one\n2\n')
FIGURE = shown('image/png', PICTURE)
OTHER_FIGURE = shown('image/png', 'another')
RESULT = shown('application/json', {'a': 5})


def notebook(*outputs, source='print(1)', text='## A section', **metadata):
    """Return a notebook with a heading and a code cell, which has these outputs."""
    code = new_code_cell(source, id='code', outputs=list(outputs), metadata=metadata)
    return new_notebook(cells=[new_markdown_cell(text, id='text'), code])


@pytest.fixture
def file(tmp_path):
    """A file with a notebook that was not executed yet."""
    nbformat.write(notebook(), tmp_path / 'some.ipynb')
    return tmp_path / 'some.ipynb'


@pytest.mark.parametrize('outputs, told', [
    ([stream('one\n3\n'), FIGURE, RESULT], "stdout:\n    saved: '2'\n    here:  '3'"),
    ([stream('one\n2'), FIGURE, RESULT], "stdout:\n    saved: ''\n    here:  '(no such line)'"),
    ([PRINTED, FIGURE, RESULT, new_output('error', ename='KeyError', evalue='1')],
     "error:\n    saved: ''\n    here:  'KeyError: 1'"),
    ([PRINTED, FIGURE, shown('application/json', {'a': 6})],
     'output 2, application/json:\n    saved: \'{"a": 5}\'\n    here:  \'{"a": 6}\''),
    ([PRINTED, OTHER_FIGURE, RESULT], 'output 1, image/png: not the saved figure')])
def test_difference_is_told(monkeypatch, outputs, told):
    monkeypatch.setattr(rerun, 'SAME_FIGURES', True)
    found = list(rerun.differences(notebook(PRINTED, FIGURE, RESULT), notebook(*outputs)))
    assert found == ['section "A section", ' + told]


def test_of_long_lines_the_part_that_differs_is_told():
    told = rerun.first_lines(300 * ' ' + 'a', 300 * ' ' + 'b')
    assert told == "    saved: '%sa'\n    here:  '%sb'" % (100 * ' ', 100 * ' ')


def test_equal_outputs_do_not_differ():
    again = notebook(stream('one\n'), stream('2\n'), FIGURE, RESULT, execution={'time': '3'})
    assert not list(rerun.differences(notebook(PRINTED, FIGURE, RESULT), again))


@pytest.mark.parametrize('outputs, told', [
    ([OTHER_FIGURE], []), ([], ['section "A section", output 1, image/png: not the saved figure'])])
def test_pixels_do_not_count_elsewhere(monkeypatch, outputs, told):
    monkeypatch.setattr(rerun, 'SAME_FIGURES', False)
    assert list(rerun.differences(notebook(FIGURE), notebook(*outputs))) == told


@pytest.mark.parametrize('outputs, well', [([], True), ([PRINTED], False)])
def test_only_the_saved_outputs_are_well(monkeypatch, file, outputs, well):
    monkeypatch.setattr(rerun, 'execute', lambda path, saved, pinned: notebook(*outputs))
    assert rerun.verify([file], pinned=True) == well


@pytest.mark.parametrize('is_ours, pinned, well', [
    (True, True, False), (True, False, True), (False, True, True)])
def test_with_other_bits_our_notebooks_are_not_well(monkeypatch, file, is_ours, pinned, well):
    monkeypatch.setattr(rerun, 'execute', lambda path, saved, pinned: notebook())
    monkeypatch.setattr(bitwise, 'pin', lambda: 'reproducible: no')
    monkeypatch.setattr(cells, 'PATHS', [file] if is_ours else [])
    assert rerun.verify([file], pinned) == well


def test_notebook_and_its_picture_are_saved(monkeypatch, file):
    executed = notebook(PRINTED, FIGURE, file='some.png')
    monkeypatch.setattr(rerun, 'execute', lambda path, saved, pinned: executed)
    assert rerun.save([file], pinned=False)
    assert cells.read(file) == executed
    assert file.with_name('some.png').read_bytes() == b'a picture'


def test_nothing_is_saved_with_other_bits(monkeypatch, file):
    monkeypatch.setattr(bitwise, 'pin', lambda: 'reproducible: no')
    monkeypatch.setattr(cells, 'PATHS', [file])
    with pytest.raises(cells.NotebookError, match='Nothing was executed: reproducible: no'):
        rerun.save([file], pinned=True)


def test_notebook_that_was_changed_while_it_ran_is_kept(monkeypatch, file):
    edited = notebook(alt='A new text')

    def execute(path, saved, pinned):
        nbformat.write(edited, path)
        return notebook(FIGURE)
    monkeypatch.setattr(rerun, 'execute', execute)
    with pytest.raises(cells.NotebookError, match='some.ipynb was changed while it ran'):
        rerun.save([file], pinned=False)
    assert cells.read(file) == edited


def test_all_files_are_replaced_or_none(tmp_path):
    kept = tmp_path / 'kept'
    kept.write_text('old')
    with pytest.raises(FileNotFoundError):
        rerun.replace_all({kept: b'new', tmp_path / 'no folder' / 'other': b'new'})
    assert kept.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [kept]


TEXT = '''The formula $a_b$; [one](studies.ipynb#One), [two](DEVIATIONS.md#cell-2), [three](#Three).

$$c^d$$

<details><summary>A hint</summary>

Use *this*.

</details>

![Rows](images/unrolled_rnn.png)
'''


@pytest.fixture(scope='module')
def page():
    return rerun.page.render(cells.NOTEBOOK, notebook(FIGURE, text=TEXT, alt='What & how')).decode()


@pytest.mark.parametrize('part', [
    'href="studies.html#One"', 'href="../notebooks/DEVIATIONS.md#cell-2"', 'href="#Three"', '<math',
    'alt="What &amp; how"', PICTURE, '<summary>A hint</summary>\n<p>Use <em>this'])
def test_page_has(page, part):
    assert part in page


def test_page_needs_no_other_file(page):
    outside = r'src="http|href="http|unrolled_rnn.png|[$]'  # $: a formula that needs MathJax
    assert not re.search(outside, page.split('<main>')[1])


@pytest.mark.parametrize('name', ['PYTHONPATH', 'IPYTHONDIR', 'JUPYTER_PATH', 'MATPLOTLIBRC'])
def test_users_settings_do_not_count(monkeypatch, name):
    monkeypatch.setenv(name, 'theirs')
    assert rerun.environment(pinned=True).get(name) != 'theirs'


@pytest.mark.parametrize('pinned, flags', [(True, bitwise.THEANO_FLAGS), (False, 'theirs')])
def test_pins_are_optional(monkeypatch, pinned, flags):
    monkeypatch.setitem(rerun.WITHOUT_PINS, 'THEANO_FLAGS', 'theirs')
    assert rerun.environment(pinned)['THEANO_FLAGS'] == flags


def start(*arguments):
    """Start the program, where the user has settings of their own."""
    settings = {'MPLBACKEND': 'pdf', 'PYTHONSAFEPATH': '1', 'PYTHONWARNINGS': 'always'}
    return subprocess.Popen([sys.executable, rerun.__file__, *arguments], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, **settings})


@pytest.mark.slow
@pytest.mark.parametrize('source, cause', [
    ('1 / 0', 'ZeroDivisionError: division by zero'),
    ('import os; os._exit(1)', 'its Python process ended')])
def test_no_page_where_a_cell_fails(file, monkeypatch, source, cause):
    nbformat.write(notebook(source=source), file)
    monkeypatch.setattr(rerun.page, 'BUILD', file.with_name('build'))
    with pytest.raises(cells.NotebookError, match='stopped in section "A section": ' + cause):
        rerun.make_pages([file], pinned=True)
    assert not list(rerun.page.BUILD.iterdir())


@pytest.mark.slow
def test_any_notebook_is_compared(file):
    source = 'import numpy, matplotlib.pyplot as plt\nprint(91.05)\nplt.plot([1, 2])\nplt.show()'
    nbformat.write(notebook(source=source), file)
    assert start('--save', file).wait() == 0
    assert 'stderr' not in file.read_text()  # NumPy has nothing to say of the pins
    file.write_text(file.read_text().replace('91.05\\n', '91.06\\n'))
    program = start(file)
    said = program.communicate()[0].split('saved in it:\n')[1]
    assert said == "section \"A section\", stdout:\n    saved: '91.06'\n    here:  '91.05'\n"
    assert program.returncode == 1


@pytest.mark.slow
def test_interrupted_program_takes_its_kernel_with_it(file):
    nbformat.write(notebook(source='import time\nprint("here", flush=True)\ntime.sleep(60)'), file)
    program = start(file)
    assert 'here\n' in program.stdout  # it reads up to this line
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=30)[1] == '\nInterrupted\n'  # both have closed stderr
    assert program.returncode == 130
