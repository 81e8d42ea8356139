"""Compares what make run and make studies just printed and drew with what is saved: make verify."""
import platform
import sys

import cells  # first: from there Python knows where bitwise is
import bitwise
import nbformat


def differences(fresh, saved):
    """Return a sentence for the first difference of two notebooks' outputs; None: there is none.

    fresh, saved: nbformat notebooks with the same cells.
    """
    for (section, new), old in zip(cells.with_sections(fresh.cells), saved.cells, strict=True):
        if cells.printed([new]) != cells.printed([old]):
            return ('section "%s" printed\n%s\nwhere the saved notebook has\n%s'
                    % (section, cells.printed([new]), cells.printed([old])))
        # Figures have only been compared on x86-64; elsewhere their pixels may differ.
        if platform.machine() == 'x86_64' and new.get('outputs') != old.get('outputs'):
            return 'a figure in section "%s" is not the saved one' % section
    return None


def main():
    if bitwise.pin() != bitwise.YES:
        sys.exit('Nothing was compared. ' + bitwise.pin())
    for name in cells.NAMES:
        fresh = nbformat.read(cells.ROOT / 'build' / (name + '.ipynb'), 4)
        difference = differences(fresh, cells.saved(name))
        if difference:
            sys.exit('%s: %s' % (name, difference))
        print('%s: every printed number equals the saved one' % name)


if __name__ == '__main__':
    main()
