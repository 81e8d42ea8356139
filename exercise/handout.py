"""Writes the folder of the exercise, to give away: make handout."""
import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / 'tools'), str(ROOT / 'exercise')]
import cells  # noqa: E402
import check  # noqa: E402
import nbformat  # noqa: E402
from nbformat.v4 import new_code_cell, new_markdown_cell  # noqa: E402

SOLUTION = re.compile(r'^( *)### BEGIN SOLUTION\n.*?### END SOLUTION', re.DOTALL | re.MULTILINE)
TEXTS = ROOT / 'exercise' / 'texts'  # what is written for the exercise alone
FILES = {  # the files beside the notebook, and where they come from
    **{name: TEXTS / name for name in ('README.md', 'requirements.txt')},
    **{name: ROOT / 'exercise' / name for name in ('check.py', 'check_file.py', 'run_copy.py')},
    **{name: cells.NOTEBOOKS / name for name in ('bitwise.py', 'images/unrolled_rnn.png')},
    **{name: ROOT / name for name in ('constraints.txt', 'LICENSE', 'data/mnist.pkl.gz',
                                      'data/published.csv', 'data/runs.csv')},
}
# The texts in exercise/texts/ that become cells, by the id of the cell above each.
ADDED = {
    'title-picture': 'task',
    'inputs-code': 'look',       # below x and y
    'compile-step': 'by-heart',  # below sgd_step
}
IMPORT = 'import check  # for the cells that say whether a place is right'
TEST = '''\
import importlib
import check

importlib.reload(check)  # whatever the cells above did to it
verdict = check.verdict('%s')
print(verdict)
assert verdict == 'right', verdict'''


def mark_for_nbgrader(cell, is_test):
    """Give a cell nbgrader's metadata: of a test that is worth a point, or of a place."""
    cell.metadata['nbgrader'] = {
        'schema_version': 3, 'grade_id': cell.id, 'grade': is_test, 'locked': is_test,
        'solution': not is_test, 'task': False}
    if is_test:
        cell.metadata['nbgrader']['points'] = 1


def added_cells(name):
    """Return a text of the exercise as cells: Markdown and, where it has a fence, code."""
    text = (TEXTS / (name + '.md')).read_text(encoding='utf-8')
    text, _, code = text.partition('```python\n')
    text = text.replace('PLACES', ', '.join('*%s*' % title for title in check.PLACES))
    new = [new_markdown_cell(text.strip(), id=name)]
    if code:
        new.append(new_code_cell(code.strip('`\n'), id=name + '-code'))
    return new


def with_solutions(notebook):
    """Return the cells with a solution, a list of (title of the section, cell)."""
    return [(title, cell) for title, cell in cells.with_sections(notebook.cells)
            if SOLUTION.search(cell.source)]


def exercise(notebook, nbgrader=False):
    """Turn the solved notebook, an nbformat notebook, into the exercise, in place.

    Cells with the tag solved are for readers of the solution, and go. Raises cells.NotebookError.
    """
    cells.clear_outputs(notebook)
    places = [title for title, cell in with_solutions(notebook)]
    if places != list(check.PLACES):
        raise cells.NotebookError('The notebook has places (one in a section) in %s, but the check '
                                  'in %s' % (places, list(check.PLACES)))
    new = []
    for section, cell in cells.with_sections(notebook.cells):
        if 'solved' in cell.metadata.get('tags', []):
            continue
        new.append(cell)
        if 'SOLUTION' in SOLUTION.sub('', cell.source):
            raise cells.NotebookError('Section "%s" has the mark of a solution without its partner'
                                      % section)
        if SOLUTION.search(cell.source):
            test = new_code_cell("check.place('%s')" % section, id='check-' + cell.id)
            new.append(test)
            if nbgrader:
                test.source = TEST % section
                mark_for_nbgrader(cell, is_test=False)
                mark_for_nbgrader(test, is_test=True)
            else:
                empty = r'\1# YOUR CODE HERE\n\1raise NotImplementedError("%s")'
                cell.source = SOLUTION.sub(empty % check.PLACES[section].task, cell.source)
        if cell.id == 'imports-code':
            new.append(new_code_cell(IMPORT, id='check'))
        if cell.id in ADDED:
            new += added_cells(ADDED[cell.id])
    notebook.cells = new
    by_heart = [cell.id for cell in new].index('by-heart')
    for cell in new[by_heart:]:  # no place is below it: check_file.py and nbgrader skip the rest
        if cell.cell_type == 'code':
            cell.metadata['tags'] = [check.SKIPPED]


def write(target, nbgrader=False):
    """Write the folder target, whole or not at all. Raises cells.NotebookError and OSError."""
    if target.exists():
        raise FileExistsError('there is one, and it stays as it is. For a clean one, give another '
                              'name: python exercise/handout.py %s-2' % target)
    notebook = cells.read(cells.NOTEBOOK)
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--nbgrader', action='store_true', help='keep the solutions, for nbgrader '
                        'generate_assignment, and make the checks its test cells')
    options = parser.parse_args()
    try:
        write(options.folder, options.nbgrader)
    except (cells.NotebookError, OSError) as error:
        sys.exit('%s was not written: %s' % (options.folder, error))
    print('The exercise is in %s; its README.md says how to start' % options.folder)


if __name__ == '__main__':
    main()
