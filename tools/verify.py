"""Compares what make run just printed and drew with what is saved in notebooks/: make verify."""
import platform
import sys

import cells
import bitwise


def main():
    fresh = cells.read(cells.ROOT / 'build' / 'mnist_rnn.ipynb')
    saved = cells.read()
    if not bitwise.pins():
        print('Nothing was compared: equal numbers are promised on Linux only')
        return
    for (section, new), old in zip(cells.with_sections(fresh), saved):
        if cells.printed([new]) != cells.printed([old]):
            sys.exit('Section "%s" printed\n%s\nwhere the saved notebook has\n%s'
                     % (section, cells.printed([new]), cells.printed([old])))
        # Figures have only been compared on x86-64; elsewhere their pixels may differ.
        if platform.machine() == 'x86_64' and new.outputs != old.outputs:
            sys.exit('A figure in section "%s" is not the saved one' % section)
    print('Every printed number equals the saved one')


if __name__ == '__main__':
    main()
