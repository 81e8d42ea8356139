"""Saves the notebooks that make run and make studies just executed: make save."""
import os
import shutil
import sys

import cells
import nbformat
import page


def without_outputs(path):
    """Return a notebook's cells without what running them adds."""
    notebook = nbformat.read(path, 4)
    cells.clear_outputs(notebook)
    return notebook.cells


def replace_all(files):
    """Replace files, {new: old}: all of them or, if there is no room for all, none."""
    for new, old in files.items():
        shutil.copy(new, old.with_suffix('.new'))
    for old in files.values():
        os.replace(old.with_suffix('.new'), old)


def main():
    names = [name + '.ipynb' for name in cells.NAMES]
    for name in names:
        if without_outputs(page.BUILD / name) != without_outputs(cells.NOTEBOOKS / name):
            sys.exit('notebooks/%s was changed while it ran, and nothing was saved: type make save '
                     'again' % name)
    names += ['images/' + name for figures in page.README_FIGURES.values() for name in figures]
    try:
        replace_all({page.BUILD / name: cells.NOTEBOOKS / name for name in names})
    except OSError as error:
        sys.exit('Nothing was saved: %s' % error)
    print('Saved in notebooks/: %s' % ', '.join(names))


if __name__ == '__main__':
    main()
