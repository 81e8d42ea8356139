"""Every number in the texts is printed by a cell, or given: tests/numbers.md says which and why."""
import re

import cells
import pytest

TABLE = (cells.ROOT / 'tests' / 'numbers.md').read_text(encoding='utf-8')
NOTEBOOKS = {name: cells.saved(name) for name in cells.NAMES}
NUMBER = re.compile(r'(?<![\w.,#])(?<!\w-)\d+(?:,\d{3})*(?:\.\d+)?(?!\.\d|,\d)')


def words_of(text):
    """Return a text with single blanks, so that line breaks don't matter."""
    return ' '.join(text.split())


def prose_of(text):
    """Return a text without code, formulas, the addresses of links, and the numbers of a list."""
    text = re.sub(r'(?m)^\d+\. (?=\*\*)|(?<=\n\n)(?: {4,}.*\n)+', ' ', text)
    text = re.sub(r'(?ms)^```.*?^```', ' ', text)
    text = re.sub(r'(?s)\$\$.*?\$\$|`[^`]*`|\$[^$]*\$|(?<=\])\([^)]*\)', ' ', text)
    return words_of(text)


def text_of(name):
    """Return the prose of the README or of a notebook, with its alternative texts."""
    if name == 'README':
        return prose_of((cells.ROOT / 'README.md').read_text(encoding='utf-8'))
    parts = [cell.source if cell.cell_type == 'markdown' else cell.metadata.get('alt', '')
             for cell in NOTEBOOKS[name].cells]
    return prose_of('\n\n'.join(parts))


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
    return [[where, prose_of(says.replace('\\|', '|')), *source]
            for where, says, *source in rows[2:]]


PRINTED = rows_under('Printed')
GIVEN = rows_under('Given')


def numbers_in(text):
    """Return the numbers in a text, as they are written, without commas."""
    return [number.replace(',', '') for number in NUMBER.findall(text)]


def is_among(number, others):
    """Return whether one of the other numbers, rounded, is this one."""
    decimals = len(number.partition('.')[2])
    return any('%.*f' % (decimals, float(other)) == number for other in others)


@pytest.mark.parametrize('where, says, cell_id, prints', PRINTED)
def test_sentence_stands_in_the_text(where, says, cell_id, prints):
    assert says in text_of(where), (
        'the sentence was changed: see what the cell %s prints, and change tests/numbers.md'
        % cell_id)


@pytest.mark.parametrize('where, says, cell_id, prints', PRINTED)
def test_cell_prints_it(where, says, cell_id, prints):
    for part in prints.split(' … '):
        assert words_of(part) in printed_by(cell_id), 'for the sentence: ' + says


@pytest.mark.parametrize('where, says, cell_id, prints', PRINTED)
def test_sentence_has_the_numbers_that_are_printed(where, says, cell_id, prints):
    others = numbers_in(prints)
    wrong = [number for number in numbers_in(says) if not is_among(number, others)]
    assert wrong == [], 'in the sentence: ' + says


@pytest.mark.parametrize('where, says, why', GIVEN)
def test_given_words_stand_in_the_text(where, says, why):
    assert says in text_of(where), 'change the text or tests/numbers.md: %s' % why


@pytest.mark.parametrize('name', ['README', *NOTEBOOKS])
def test_every_number_is_printed_or_given(name):
    text = text_of(name)
    for where, says, *source in sorted(PRINTED + GIVEN, key=lambda row: -len(row[1])):
        if where == name:
            text = text.replace(says, ' # ')
    unknown = [text[max(0, number.start() - 40):number.end() + 40]
               for number in NUMBER.finditer(text)]
    assert unknown == [], 'add these words to tests/numbers.md'
