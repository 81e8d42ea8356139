"""Writes the folder of the exercise, to give away: make handout.

usage: python exercise/handout.py FOLDER [--nbgrader]

--nbgrader: the notebook keeps the solutions, and its checks are test cells of nbgrader's: a source
for nbgrader generate_assignment, which takes the solutions out.
"""
import hashlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

if __name__ == '__main__':  # before the imports, which take seconds
    signal.signal(signal.SIGINT, lambda *args: sys.exit('\nInterrupted: nothing was written'))

sys.path.append(str(Path(__file__).resolve().parent.parent / 'tools'))
import cells  # noqa: E402
import check  # noqa: E402
import nbformat  # noqa: E402
from nbformat.v4 import new_code_cell, new_markdown_cell  # noqa: E402

BEGIN, END = '### BEGIN SOLUTION', '### END SOLUTION'  # as nbgrader has them
TEXTS = cells.ROOT / 'exercise' / 'handout'  # what is written for the exercise alone
# The files beside the notebook.
FILES = {
    'README.md': TEXTS / 'README.md',
    'requirements.txt': TEXTS / 'requirements.txt',
    'constraints.txt': cells.ROOT / 'constraints.txt',
    'LICENSE': cells.ROOT / 'LICENSE',
    'bitwise.py': cells.NOTEBOOKS / 'bitwise.py',
    'check.py': cells.ROOT / 'exercise' / 'check.py',
    'check_file.py': cells.ROOT / 'exercise' / 'check_file.py',
    'run_copy.py': cells.ROOT / 'exercise' / 'run_copy.py',
    'test_given.py': cells.ROOT / 'tests' / 'test_given.py',
    'test_mnist_rnn.py': cells.ROOT / 'tests' / 'test_mnist_rnn.py',
    'reference.py': cells.ROOT / 'tests' / 'reference.py',
    'data/mnist.pkl.gz': cells.ROOT / 'data' / 'mnist.pkl.gz',
    'data/published.csv': cells.ROOT / 'data' / 'published.csv',
    'images/unrolled_rnn.png': cells.NOTEBOOKS / 'images' / 'unrolled_rnn.png',
}


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

    Raises HandoutError unless they are those that the tests have.
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
        raise HandoutError('The notebook has places in the sections %s, but the tests in %s'
                           % (list(found), list(check.PLACES)))
    return found


def check_cell(place, cell, nbgrader):
    """Return the cell that checks a place. cell: the one with the place."""
    source = "check.place('%s')" % place
    if nbgrader:
        source = "verdict = check.verdict('%s')\nassert verdict == 'right', verdict" % place
    metadata = {'grade': True, 'grade_id': 'check-' + cell.metadata['nbgrader']['grade_id'],
                'locked': True, 'points': 1, 'schema_version': 3, 'solution': False, 'task': False}
    return new_code_cell(source, id='check-' + cell.id,
                         metadata={'nbgrader': metadata} if nbgrader else {})


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
    titles = ', '.join('*%s*' % place for place in check.PLACES)
    task = (TEXTS / 'task.md').read_text(encoding='utf-8').replace('PLACES', titles)
    insert_after(notebook, 'picture', new_markdown_cell(task, id='task'))
    insert_after(notebook, 'imports-code', new_code_cell(
        'import check  # for the cells that say whether a place is right', id='check'))


def insert_after(notebook, cell_id, new):
    """Insert a cell after the one with this id. Raises HandoutError where there is none."""
    ids = [cell.id for cell in notebook.cells]
    if cell_id not in ids:
        raise HandoutError('%s has no cell with the id %s' % (cells.NOTEBOOK, cell_id))
    notebook.cells.insert(ids.index(cell_id) + 1, new)


def write(target, nbgrader=False):
    """Write the folder target, whole or not at all. Raises HandoutError and OSError."""
    if os.path.lexists(target):
        raise HandoutError('%s already exists and was not changed: move it away to get a new one'
                           % target)
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
