"""Writes the folder of the exercise, to give away: make handout.

    python exercise/handout.py FOLDER [--nbgrader]

--nbgrader: the notebook keeps the solutions, and its checks are test cells of nbgrader's: a source
for nbgrader generate_assignment, which takes the solutions out.
"""
import signal
import sys

if __name__ == '__main__':  # before the imports, which take seconds
    signal.signal(signal.SIGINT, lambda *args: sys.exit('\nInterrupted: nothing was written'))

import hashlib  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'exercise')]
import cells  # noqa: E402
import check  # noqa: E402
import nbformat  # noqa: E402
from nbformat.v4 import new_code_cell, new_markdown_cell  # noqa: E402

BEGIN, END = '### BEGIN SOLUTION', '### END SOLUTION'  # as nbgrader has them
TEXTS = ROOT / 'exercise' / 'handout'  # what is written for the exercise alone
FILES = {  # the files beside the notebook, and where they come from
    **{name: TEXTS / name for name in ('README.md', 'requirements.txt')},
    **{name: ROOT / 'exercise' / name for name in ('check.py', 'check_file.py')},
    **{name: cells.NOTEBOOKS / name for name in ('bitwise.py', 'images/unrolled_rnn.png')},
    **{name: ROOT / name for name in ('constraints.txt', 'LICENSE', 'data/mnist.pkl.gz',
                                      'data/published.csv', 'data/runs.csv')},
}
TEST = '''\
import importlib
import check

importlib.reload(check)  # whatever the cells above did to it
verdict = check.verdict('%s')
print(verdict)
assert verdict == 'right', verdict'''


class HandoutError(Exception):
    """A solved notebook that no exercise can be made from. The message is one line."""


def emptied(source, task):
    """Return a cell's source with the line of an empty place for what the marks enclose.

    task: what is to be written there. Raises HandoutError for marks that are not in pairs.
    """
    lines = []
    inside = False
    for line in source.split('\n'):
        if BEGIN in line or END in line:
            if inside == (BEGIN in line):
                raise HandoutError('The mark "%s" has no partner' % line.strip())
            inside = not inside
            if inside:
                indent = line[:line.index(BEGIN)]
                lines.append('%s# YOUR CODE HERE' % indent)
                lines.append('%sraise NotImplementedError("%s")' % (indent, task))
        elif not inside:
            lines.append(line)
    if inside:
        raise HandoutError('The mark "%s" has no partner' % BEGIN)
    return '\n'.join(lines)


def places(notebook):
    """Return the cells with a place, {title of its section: cell}, in order.

    Raises HandoutError unless they are those that the check has.
    """
    found = {}
    for section, cell in cells.with_sections(notebook.cells):
        if BEGIN in cell.source or END in cell.source:
            if cell.cell_type != 'code':
                raise HandoutError('A text in section "%s" has the mark of a place' % section)
            if section in found:
                raise HandoutError('Section "%s" has two cells with a place' % section)
            found[section] = cell
    if list(found) != list(check.PLACES):
        raise HandoutError('The notebook has places in the sections %s, but the check in %s'
                           % (list(found), list(check.PLACES)))
    return found


def check_cell(place, cell, nbgrader):
    """Return the cell that checks a place. cell: the one with the place."""
    new = new_code_cell("check.place('%s')" % place, id='check-' + cell.id)
    if nbgrader:
        new.source = TEST % place
        new.metadata['nbgrader'] = {
            'grade': True, 'grade_id': 'check-' + cell.metadata['nbgrader']['grade_id'],
            'locked': True, 'points': 1, 'schema_version': 3, 'solution': False, 'task': False}
    return new


def index_of(notebook, cell_id):
    """Return the number of the cell with this id. Raises HandoutError where there is none."""
    ids = [cell.id for cell in notebook.cells]
    if cell_id not in ids:
        raise HandoutError('%s has no cell with the id %s' % (cells.NOTEBOOK, cell_id))
    return ids.index(cell_id)


def insert_after(notebook, cell_id, *new):
    """Insert cells after the one with this id."""
    place = index_of(notebook, cell_id) + 1
    notebook.cells[place:place] = new


def added(name):
    """Return a text of the exercise as cells: Markdown and, where it has a fence, code."""
    text = (TEXTS / (name + '.md')).read_text(encoding='utf-8')
    text, _, code = text.replace('PLACES', ', '.join('*%s*' % place for place in check.PLACES)
                                 ).partition('```python\n')
    new = [new_markdown_cell(text.strip(), id=name)]
    if code:
        new.append(new_code_cell(code.strip('`\n'), id=name + '-code'))
    return new


def exercise(notebook, nbgrader=False):
    """Turn the solved notebook, an nbformat notebook, into the exercise, in place.

    Cells with the tag solved are for readers of the solution, and go. Raises HandoutError.
    """
    notebook.cells = [cell for cell in notebook.cells
                      if 'solved' not in cell.metadata.get('tags', [])]
    cells.clear_outputs(notebook)
    for place, cell in places(notebook).items():
        empty = emptied(cell.source, check.PLACES[place].task)
        if not nbgrader:
            cell.source = empty
        insert_after(notebook, cell.id, check_cell(place, cell, nbgrader))
    insert_after(notebook, 'title-picture', *added('task'))
    insert_after(notebook, 'imports-code', new_code_cell(
        'import check  # for the cells that say whether a place is right', id='check'))
    insert_after(notebook, 'inputs-code', *added('look'))
    insert_after(notebook, 'compile-step', *added('by-heart'))
    # In Jupyter they run; a check of the places, and nbgrader's, leaves them out.
    for cell in notebook.cells[index_of(notebook, 'by-heart'):]:
        if cell.cell_type == 'code':
            cell.metadata['tags'] = ['skip-execution']


def write(target, nbgrader=False):
    """Write the folder target, whole or not at all. Raises HandoutError and OSError."""
    if os.path.lexists(target):
        raise HandoutError('%s already exists and was not changed. For a clean one, give another '
                           'name: %s exercise/handout.py %s'
                           % (target, os.path.relpath(sys.executable), free_name(target)))
    notebook = cells.saved('mnist_rnn')
    checksum = hashlib.sha256(FILES['data/mnist.pkl.gz'].read_bytes()).hexdigest()
    if not any(checksum in cell.source for cell in notebook.cells):
        raise HandoutError('data/mnist.pkl.gz is another file than the notebook expects')
    exercise(notebook, nbgrader)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix='.handout-') as temporary:
        folder = Path(temporary, target.name)
        for name, source in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)
        nbformat.write(notebook, folder / cells.NOTEBOOK.name)
        folder.rename(target)


def free_name(target):
    """Return the first of target-2, target-3, ... that does not exist."""
    number = 2
    while os.path.lexists('%s-%d' % (target, number)):
        number += 1
    return '%s-%d' % (target, number)


def main():
    if (len(sys.argv) < 2 or sys.argv[1].startswith('-')
            or sys.argv[2:] not in ([], ['--nbgrader'])):
        sys.exit('usage: python exercise/handout.py FOLDER [--nbgrader]')
    target = Path(sys.argv[1])
    try:
        write(target, nbgrader='--nbgrader' in sys.argv)
    except HandoutError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit('%s was not written: %s' % (target, error))
    print('The exercise is in %s; its README.md says how to start' % target)


if __name__ == '__main__':
    main()
