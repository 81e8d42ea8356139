"""Writes the exercise, the notebook without its solutions: make handout."""
import re
import sys
from pathlib import Path

import cells
import nbformat
from nbformat.v4 import new_markdown_cell

TASK = cells.ROOT / 'tools' / 'task.md'
PLACE = re.compile(r'( *)### BEGIN SOLUTION: ([^\n]*).*?### END SOLUTION', re.DOTALL)
EMPTY_PLACE = r'\1# YOUR CODE HERE\n\1raise NotImplementedError("\2")'


def exercise(notebook):
    """Turn the solved notebook, an nbformat notebook, into the exercise, in place.

    Cells with the tag solved are for readers of the solution, and go. Raises ValueError where the
    cell with the picture, after which the task comes, is missing.
    """
    notebook.cells = [cell for cell in notebook.cells
                      if 'solved' not in cell.metadata.get('tags', [])]
    for cell in notebook.cells:
        if cell.cell_type == 'code':
            cell.source = PLACE.sub(EMPTY_PLACE, cell.source)
            cell.outputs = []
            cell.execution_count = None
    ids = [cell.id for cell in notebook.cells]
    if 'picture' not in ids:
        raise ValueError('%s has no cell with the id picture' % cells.NOTEBOOK)
    task = new_markdown_cell(TASK.read_text(encoding='utf-8'), id='task')
    notebook.cells.insert(ids.index('picture') + 1, task)


def main():
    target = Path(sys.argv[1])
    if target.exists():
        sys.exit('%s already exists and was not changed: move it away to get a new one' % target)
    notebook = nbformat.read(cells.NOTEBOOK, 4)
    try:
        exercise(notebook)
    except ValueError as error:
        sys.exit(str(error))
    target.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, target)
    print('The exercise is %s. Open it in JupyterLab: make lab' % target)


if __name__ == '__main__':
    main()
