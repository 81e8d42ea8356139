"""Tests of tools/rerun.py: executing a notebook, comparing it, saving it, and its page."""
import base64
import os
import signal
import subprocess
import sys
from pathlib import Path

import cells  # first: it sets the pins before NumPy is imported
import bitwise
import nbformat
import pytest
import rerun
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PICTURE = base64.b64encode(b'a picture').decode()


def stream(text, name='stdout'):
    return new_output('stream', text=text, name=name)


def shown(data):
    return new_output('display_data', data=data)


PRINTED = stream('one\n2\n')
FIGURE = shown({'image/png': PICTURE})
RESULT = shown({'text/plain': '5', 'application/json': {'a': 5}})


def notebook(*outputs, source='print(1)', text='## A section', **metadata):
    """Return a notebook with a heading and a code cell, which has these outputs."""
    code = new_code_cell(source, id='code', outputs=list(outputs), metadata=metadata)
    return new_notebook(cells=[new_markdown_cell(text, id='text'), code])


@pytest.fixture(autouse=True)
def no_handlers(monkeypatch):
    """Ctrl-C ends pytest as ever, also after something was written."""
    monkeypatch.setattr(rerun, 'on_interrupt', lambda handler: None)


# Comparing.

@pytest.mark.parametrize('new, what, saved, here', [
    ([stream('one\n3\n'), FIGURE, RESULT], 'stdout', '2', '3'),
    ([stream('one\n2'), FIGURE, RESULT], 'stdout', '', '(no such line)'),
    ([stream('no!', 'stderr'), PRINTED, FIGURE, RESULT], 'stderr', '', 'no!'),
    ([PRINTED, FIGURE, RESULT, new_output('error', ename='KeyError', evalue='1')],
     'error', '', 'KeyError: 1'),
    ([PRINTED, FIGURE, shown({'text/plain': '6'})], 'output 2, text/plain', '5', '6'),
    ([PRINTED, FIGURE, shown({'application/json': {'a': 6}})], 'output 2, application/json',
     '{"a": 5}', '{"a": 6}')])
def test_first_line_that_differs_is_named(new, what, saved, here):
    told = list(rerun.differences(notebook(PRINTED, FIGURE, RESULT), notebook(*new)))
    assert ('section "A section", %s:\n    saved: %r\n    here:  %r' % (what, saved, here)) in told


@pytest.mark.parametrize('outputs, here, elsewhere', [
    ([FIGURE], 0, 0), ([shown({'image/png': 'other'})], 1, 0), ([], 1, 1)])
def test_pixels_count_where_they_were_drawn(monkeypatch, outputs, here, elsewhere):
    for same_figures, count in (True, here), (False, elsewhere):
        monkeypatch.setattr(rerun, 'SAME_FIGURES', same_figures)
        assert len(list(rerun.differences(notebook(FIGURE), notebook(*outputs)))) == count


def test_equal_outputs_do_not_differ():
    again = notebook(stream('one\n'), stream('2\n'), FIGURE, RESULT, execution={'time': '3'})
    assert not list(rerun.differences(notebook(PRINTED, FIGURE, RESULT), again))


def test_other_bits_are_no_success(monkeypatch, tmp_path, capsys):
    nbformat.write(notebook(PRINTED), tmp_path / 'some.ipynb')
    monkeypatch.setattr(rerun, 'execute', lambda path, pinned: cells.read(path))
    monkeypatch.setattr(bitwise, 'pin', lambda: 'bitwise reproducible: no')
    assert not rerun.verify([tmp_path / 'some.ipynb'], pinned=True)
    assert capsys.readouterr().out.startswith('bitwise reproducible: no\n')


@pytest.mark.parametrize('changed', [
    notebook(text='## Another'), notebook(source='print(2)'), notebook(alt='A new text'),
    new_notebook(cells=notebook().cells[:1])])
@pytest.mark.parametrize('action', [rerun.verify, rerun.save])
def test_notebook_that_was_changed_while_it_ran_is_kept(monkeypatch, tmp_path, changed, action):
    path = tmp_path / 'some.ipynb'
    nbformat.write(changed, path)
    monkeypatch.setattr(rerun, 'execute', lambda path, pinned: notebook(PRINTED))
    with pytest.raises(cells.NotebookError, match='some.ipynb was changed while it ran'):
        action([path], pinned=False)
    assert cells.read(path) == changed


# Saving.

def test_notebook_and_its_picture_are_saved(monkeypatch, tmp_path):
    path = tmp_path / 'some.ipynb'
    nbformat.write(notebook(file='some.png'), path)
    executed = notebook(PRINTED, FIGURE, file='some.png')
    monkeypatch.setattr(rerun, 'execute', lambda path, pinned: executed)
    rerun.save([path], pinned=False)
    assert cells.read(path) == executed
    assert (tmp_path / 'some.png').read_bytes() == b'a picture'
    executed.cells[1].outputs = []
    with pytest.raises(cells.NotebookError, match='section "A section": no figure for some.png'):
        rerun.save([path], pinned=False)


def test_all_files_are_replaced_or_none(tmp_path):
    kept = tmp_path / 'kept'
    kept.write_text('old')
    with pytest.raises(FileNotFoundError):
        rerun.replace_all({kept: b'new', tmp_path / 'no folder' / 'other': b'new'})
    assert kept.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [kept]


def test_symbolic_link_stays(tmp_path):
    (tmp_path / 'link').symlink_to('file')
    rerun.replace_all({tmp_path / 'link': b'new'})
    assert (tmp_path / 'link').is_symlink()
    assert (tmp_path / 'file').read_bytes() == b'new'


# The page.

TEXT = '''## A section

Its formula is $a_b$; [one](studies.ipynb#One), [two](DEVIATIONS.md#cell-2), [three](#Three).

$$c^d$$

<details><summary>A hint</summary>

Use *this*.

</details>

![Rows](images/unrolled_rnn.png)
'''
IMAGE = base64.b64encode((cells.NOTEBOOKS / 'images' / 'unrolled_rnn.png').read_bytes()).decode()


@pytest.fixture(scope='module')
def page():
    return rerun.page.render(cells.NOTEBOOK, notebook(FIGURE, text=TEXT, alt='What & how'))


@pytest.mark.parametrize('part', [
    'href="studies.html#One"', 'href="../notebooks/DEVIATIONS.md#cell-2"', 'href="#Three"',
    '<math', 'alt="What &amp; how"', IMAGE, PICTURE, '<summary>A hint</summary>\n<p>Use <em>this'])
def test_page_has(page, part):
    assert part in page


@pytest.mark.parametrize('part', ['src="http', 'href="http', '$', '.ipynb'])
def test_page_has_no(page, part):
    assert part not in page.split('<main>')[1]


# The program and its kernel.

@pytest.mark.parametrize('pinned', [True, False])
def test_users_settings_do_not_count(monkeypatch, pinned):
    for name in 'PYTHONPATH', 'IPYTHONDIR', 'JUPYTER_PATH', 'MATPLOTLIBRC', 'MPLBACKEND':
        monkeypatch.setenv(name, 'theirs')
        monkeypatch.setitem(rerun.WITHOUT_PINS, name, 'theirs')
    variables = rerun.environment(pinned, folder='ours')
    assert 'theirs' not in variables.values()
    assert variables['IPYTHONDIR'] == 'ours'


def test_pins_are_optional(monkeypatch):
    monkeypatch.setattr(rerun, 'WITHOUT_PINS', {'THEANO_FLAGS': 'theirs'})
    assert rerun.environment(True, 'folder')['THEANO_FLAGS'] == bitwise.THEANO_FLAGS
    assert rerun.environment(False, 'folder')['THEANO_FLAGS'] == 'theirs'


def start(*arguments, **variables):
    """Start the program with more environment variables."""
    return subprocess.Popen(
        [sys.executable, Path(rerun.__file__), *arguments], env={**os.environ, **variables},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
@pytest.mark.parametrize('source, cause', [
    ('1 / 0', 'ZeroDivisionError: division by zero'),
    ('import os; os._exit(1)', 'its Python process ended')])
def test_no_page_where_a_cell_fails(tmp_path, monkeypatch, source, cause):
    nbformat.write(notebook(source=source), tmp_path / 'some.ipynb')
    monkeypatch.setattr(rerun.page, 'BUILD', tmp_path / 'build')
    with pytest.raises(cells.NotebookError, match='stopped in section "A section": ' + cause):
        rerun.make_pages([tmp_path / 'some.ipynb'], pinned=True)
    assert not list((tmp_path / 'build').iterdir())


@pytest.mark.slow
def test_any_notebook_is_compared(tmp_path):
    path = tmp_path / 'some.ipynb'
    nbformat.write(notebook(source='import numpy as np, matplotlib.pyplot as plt\nprint(91.05)\n'
                                   'plt.plot([1, 2])\nplt.show()'), path)
    assert start('--save', path).wait() == 0
    assert 'stderr' not in path.read_text()  # NumPy has nothing to say of the pins
    assert start(path, MPLBACKEND='pdf', PYTHONSAFEPATH='1', PYTHONWARNINGS='always').wait() == 0
    path.write_text(path.read_text().replace('91.05\\n', '91.06\\n'))
    said = start('--unpinned', path)
    assert "saved: '91.06'\n    here:  '91.05'" in said.communicate()[0]
    assert said.returncode == 1


@pytest.mark.slow
def test_interrupted_program_takes_its_kernel_with_it(tmp_path):
    source = 'import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)'
    nbformat.write(notebook(source=source), tmp_path / 'some.ipynb')
    program = start(tmp_path / 'some.ipynb')
    kernel = next(int(line) for line in program.stdout if line.strip().isdigit())
    program.send_signal(signal.SIGINT)
    assert program.communicate()[1] == '\nInterrupted\n'
    assert program.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)


# Running cells without a kernel.

def test_failing_cell_is_named(monkeypatch, tmp_path):
    nbformat.write(notebook(source='1 / 0'), tmp_path / 'some.ipynb')
    monkeypatch.setattr(cells, 'NOTEBOOK', tmp_path / 'some.ipynb')
    with pytest.raises(cells.NotebookError) as told:
        cells.run_cells('cost')
    assert str(told.value) == 'Section "A section": ZeroDivisionError: division by zero'


@pytest.mark.slow
def test_run_cells_leaves_a_kernels_figures_alone(tmp_path):
    drawn = '%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()'
    tools = str(Path(cells.__file__).parent)
    sources = ['import sys\nsys.path.append(%r)\nimport cells' % tools, drawn,
               "nb = cells.run_cells('test_accuracy', iterations=1)", drawn]
    path = tmp_path / 'some.ipynb'
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    imported, first, run, again = rerun.execute(path, pinned=True).cells
    assert [output.output_type for output in run.outputs] == ['stream']
    assert again.outputs == first.outputs
