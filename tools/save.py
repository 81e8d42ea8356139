"""Saves the notebooks that make run and make studies just executed: make save."""
import shutil
import sys

import cells
import nbformat
import page


def sources(path):
    """Return the cells' sources of a notebook."""
    return [cell.source for cell in nbformat.read(path, 4).cells]


def main():
    names = [name + '.ipynb' for name in cells.NAMES]
    for name in names:
        if sources(page.BUILD / name) != sources(cells.NOTEBOOKS / name):
            sys.exit('notebooks/%s was changed while it ran, and nothing was saved: type make save '
                     'again' % name)
    for name in names:
        shutil.copy(page.BUILD / name, cells.NOTEBOOKS / name)
    for figures in page.README_FIGURES.values():
        for name in figures:
            shutil.copy(page.BUILD / 'images' / name, cells.NOTEBOOKS / 'images' / name)
    print('Saved notebooks/%s and the figures of the README in notebooks/images'
          % ' and notebooks/'.join(names))


if __name__ == '__main__':
    main()
