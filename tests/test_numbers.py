"""Every number in the texts is printed by a cell of a notebook: tests/numbers.md says by which."""
import re

import cells
import nbformat
import pytest

TABLE = (cells.ROOT / 'tests' / 'numbers.md').read_text(encoding='utf-8')
NOTEBOOKS = {name: nbformat.read(cells.NOTEBOOKS / (name + '.ipynb'), 4)
             for name in ('mnist_rnn', 'studies')}
NUMBER = re.compile(r'(?<![\w.,#-])\d+(?:,\d{3})*(?:\.\d+)?(?!\w|\.\d|,\d)')


def words_of(text):
    """Return a text with single blanks, so that line breaks don't matter."""
    return ' '.join(text.split())


def text_of(name):
    """Return what a reader reads of the README or a notebook, alternative texts included.

    Without code, formulas and the addresses of links.
    """
    if name == 'README':
        text = (cells.ROOT / 'README.md').read_text(encoding='utf-8')
    else:
        parts = [cell.source if cell.cell_type == 'markdown' else cell.metadata.get('alt', '')
                 for cell in NOTEBOOKS[name].cells]
        text = '\n\n'.join(parts)
    text = re.sub(r'(?ms)^```.*?^```|^ {4}.*?$', ' ', text)
    text = re.sub(r'(?s)\$\$.*?\$\$|`[^`]*`|\$[^$]*\$|(?<=\])\([^)]*\)', ' ', text)
    return words_of(text)


def printed_by(cell_id):
    """Return what the cell with this id printed."""
    found = [cell for notebook in NOTEBOOKS.values() for cell in notebook.cells
             if cell.id == cell_id]
    assert len(found) == 1, '%d cells have the id %s' % (len(found), cell_id)
    return words_of(cells.printed(found))


def rows_under(heading):
    """Return the rows of the table under a heading of numbers.md, each a list of texts."""
    lines = TABLE.split('## ' + heading)[1].split('\n## ')[0].splitlines()
    rows = [line.strip('| ').split(' | ') for line in lines if line.startswith('|')]
    return [[field.strip() for field in row] for row in rows[2:]]


PRINTED = rows_under('Printed')
GIVEN = {number for number, meaning in rows_under('Given')}


def numbers_in(text):
    """Return the numbers in a text, as they are written, without commas."""
    return [number.replace(',', '') for number in NUMBER.findall(text)]


def is_among(number, others):
    """Return whether one of the other numbers, rounded, is this one."""
    decimals = len(number.partition('.')[2])
    return any('%.*f' % (decimals, float(other)) == number for other in others)


@pytest.mark.parametrize('where, says, cell_id, prints', PRINTED)
def test_sentence_stands_in_the_text(where, says, cell_id, prints):
    assert words_of(says) in text_of(where), (
        'the sentence was changed: see what the cell %s prints, and change tests/numbers.md' % cell_id)


@pytest.mark.parametrize('where, says, cell_id, prints', PRINTED)
def test_cell_prints_it(where, says, cell_id, prints):
    for part in prints.split(' … '):
        assert words_of(part) in printed_by(cell_id), 'for the sentence: ' + says


@pytest.mark.parametrize('where, says, cell_id, prints', PRINTED)
def test_sentence_has_the_numbers_that_are_printed(where, says, cell_id, prints):
    others = numbers_in(prints)
    wrong = [number for number in numbers_in(says) if not is_among(number, others)]
    assert wrong == [], 'in the sentence: ' + says


@pytest.mark.parametrize('name', ['README', *NOTEBOOKS])
def test_every_number_is_printed_or_given(name):
    text = text_of(name)
    for where, says, cell_id, prints in PRINTED:
        if where == name:
            text = text.replace(words_of(says), ' ')
    unknown = [number for number in numbers_in(text) if number not in GIVEN]
    assert unknown == [], 'add the sentences to tests/numbers.md'
