"""Tests of what make run, make verify and make save do with an executed notebook."""
import base64

import cells  # first: from there Python knows where bitwise is
import bitwise
import nbformat
import page
import pytest
import save
import verify
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PICTURE = base64.b64encode(b'a picture').decode()


def notebook(printed='1\n', picture=PICTURE):
    """Return a small executed notebook, which prints a line and draws a figure."""
    outputs = [new_output('stream', text=printed),
               new_output('display_data', data={'image/png': picture})]
    return new_notebook(cells=[
        new_markdown_cell('## A section\n\nIts formula is $a_b$, its link [one](studies.ipynb#One).'
                          '\n\n$$c^d$$\n\n![Rows](images/unrolled_rnn.png)', id='text'),
        new_code_cell('plt.show()', id='figure', outputs=outputs, metadata={'alt': 'What & how'})])


# The page.

@pytest.fixture(scope='module')
def html():
    return page.render(notebook())


def test_formulas_are_mathml(html):
    assert html.count('<math') == 2
    assert '$' not in html.split('<main>')[1]


def test_links_lead_to_pages(html):
    assert 'href="studies.html#One"' in html


def test_figure_has_its_alternative_text(html):
    assert 'alt="What &amp; how"' in html


def test_picture_is_embedded(html):
    picture = (cells.NOTEBOOKS / 'images' / 'unrolled_rnn.png').read_bytes()
    assert base64.b64encode(picture).decode() in html


def test_page_needs_no_network(html):
    assert 'src="http' not in html
    assert 'href="http' not in html


def test_figure_is_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(page, 'BUILD', tmp_path)
    page.save_figures(notebook(), {'some.png': 'figure'})
    assert (tmp_path / 'images' / 'some.png').read_bytes() == b'a picture'


def test_missing_figure_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(page, 'BUILD', tmp_path)
    with pytest.raises(SystemExit, match='No cell with the id other draws a figure'):
        page.save_figures(notebook(), {'some.png': 'other'})


def test_failing_cell_is_named(capsys):
    failing = new_notebook(cells=[new_markdown_cell('## A section'), new_code_cell('1 / 0')])
    with pytest.raises(SystemExit) as told:
        page.execute(failing)
    assert str(told.value) == (
        '\nThe notebook stopped in section "A section": ZeroDivisionError: division by zero')


# Comparing.

def test_equal_notebooks_have_no_difference():
    assert verify.differences(notebook(), notebook()) is None


@pytest.mark.parametrize('different', cells.NAMES)
def test_both_notebooks_are_compared(folders, monkeypatch, different):
    monkeypatch.setattr(verify.cells, 'ROOT', cells.NOTEBOOKS.parent)
    monkeypatch.setattr(bitwise, 'pin', lambda: bitwise.YES)
    for name in cells.NAMES:
        if name != different:
            nbformat.write(notebook('new\n'), cells.NOTEBOOKS / (name + '.ipynb'))
    with pytest.raises(SystemExit, match='^%s: section "A section" printed' % different):
        verify.main()


def test_nothing_is_compared_without_the_same_bits(monkeypatch):
    monkeypatch.setattr(bitwise, 'pin', lambda: 'bitwise reproducible: no, because ...')
    with pytest.raises(SystemExit, match='^Nothing was compared. bitwise reproducible: no'):
        verify.main()


def test_other_number_is_named():
    told = verify.differences(notebook('2\n'), notebook('1\n'))
    assert told == 'section "A section" printed\n2\n\nwhere the saved notebook has\n1\n'


def test_other_figure_is_named(monkeypatch):
    monkeypatch.setattr('platform.machine', lambda: 'x86_64')
    told = verify.differences(notebook(), notebook(picture=PICTURE[::-1]))
    assert told == 'a figure in section "A section" is not the saved one'


# Saving.

@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Folders in place of build/ and notebooks/, with newer and older notebooks; the latter."""
    monkeypatch.setattr(page, 'BUILD', tmp_path / 'build')
    monkeypatch.setattr(cells, 'NOTEBOOKS', tmp_path / 'notebooks')
    monkeypatch.setattr(page, 'README_FIGURES', {'mnist_rnn': {'some.png': 'figure'},
                                                 'studies': {}})
    for folder in page.BUILD, cells.NOTEBOOKS:
        (folder / 'images').mkdir(parents=True)
    page.save_figures(notebook(), {'some.png': 'figure'})
    for name in cells.NAMES:
        nbformat.write(notebook('new\n'), page.BUILD / (name + '.ipynb'))
        nbformat.write(notebook('old\n'), cells.NOTEBOOKS / (name + '.ipynb'))
    return cells.NOTEBOOKS


def test_executed_notebooks_are_saved(folders):
    save.main()
    for name in 'mnist_rnn.ipynb', 'studies.ipynb':
        assert (folders / name).read_bytes() == (page.BUILD / name).read_bytes()


def test_figure_of_the_readme_is_saved(folders):
    save.main()
    assert (folders / 'images' / 'some.png').read_bytes() == b'a picture'


def test_notebook_that_was_changed_while_it_ran_is_kept(folders):
    edited = notebook()
    edited.cells[0].source += ' A new sentence.'
    nbformat.write(edited, folders / 'studies.ipynb')
    with pytest.raises(SystemExit, match='notebooks/studies.ipynb was changed while it ran'):
        save.main()
    assert 'A new sentence.' in (folders / 'studies.ipynb').read_text()
    assert 'old' in (folders / 'mnist_rnn.ipynb').read_text()


def test_alternative_text_that_was_changed_while_it_ran_is_kept(folders):
    edited = notebook()
    edited.cells[0].metadata['alt'] = 'A new text.'
    nbformat.write(edited, folders / 'studies.ipynb')
    with pytest.raises(SystemExit, match='notebooks/studies.ipynb was changed while it ran'):
        save.main()


def test_all_notebooks_are_saved_or_none(folders, monkeypatch):
    def full(new, old):
        if old.stem == 'studies':
            raise OSError('No space left on device')
        old.write_text('new')
    monkeypatch.setattr(save.shutil, 'copy', full)
    with pytest.raises(SystemExit, match='Nothing was saved: No space left on device'):
        save.main()
    assert 'old' in (folders / 'mnist_rnn.ipynb').read_text()
