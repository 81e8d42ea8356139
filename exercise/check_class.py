"""Checks all copies in a folder and writes a table: make class, or python check_class.py FOLDER.

A copy is a row, named after its file, and a place is a column. The screen shows a word for each
place; the table, FOLDER.csv, has the whole sentences.
"""
import csv
import os
import sys
from pathlib import Path

import check_file

WORDS = {'right': 'right', 'not written yet': 'empty', 'wrong': 'wrong', 'not checked': '-'}


def find_copies(folder):
    """Return the notebooks in a folder and in those below it, {name: path}, sorted."""
    paths = sorted(path for path in Path(folder).rglob('*') if path.suffix.lower() == '.ipynb')
    return {check_file.shown(path.relative_to(folder).with_suffix('')): path for path in paths
            if '.ipynb_checkpoints' not in path.parts and not path.name.startswith('._')}  # macOS's


def verdicts_on(path, places):
    """Return the verdicts on a copy, {place: [kind, text]}, and a sentence on the whole of it."""
    try:
        result = check_file.check(path)
    except check_file.CheckError as error:
        return {place: ['not checked', 'not checked'] for place in places}, str(error)
    return result.verdicts, result.sentence()


def read_places():
    """Return the titles of the places."""
    import check  # here, since it takes seconds
    return list(check.PLACES)


def for_spreadsheet(text):
    """Return a text that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(('=', '+', '-', '@')) else text


def check_all(found, places, write_row):
    """Check the copies, {name: path}, and show and write a row for each."""
    width = max(len(name) for name in found)
    print('%-*s  %s' % (width, '', '  '.join(places)), flush=True)
    for name, path in found.items():
        print(name.ljust(width), end='  ', flush=True)  # so one sees what takes long
        verdicts, sentence = verdicts_on(path, places)
        write_row([for_spreadsheet(name)] + [text for kind, text in verdicts.values()] + [sentence])
        words = [WORDS[kind].ljust(len(place)) for place, (kind, text) in verdicts.items()]
        print('  '.join([*words, sentence]), flush=True)


def main():
    sys.stdout.reconfigure(errors='backslashreplace')
    if len(sys.argv) != 2 or not sys.argv[1]:
        sys.exit('usage: python check_class.py FOLDER')
    folder = os.path.abspath(sys.argv[1])
    if Path(folder) in Path(__file__).resolve().parents:
        sys.exit('%s has this program in it: put the copies into a folder of their own' % folder)
    table = folder + '.csv'
    found = find_copies(folder)
    if not found:
        sys.exit('%s has no notebooks, *.ipynb' % check_file.shown(folder))
    places = read_places()
    try:
        with open(table, 'x', newline='', encoding='utf-8-sig') as file:  # sig: Excel asks for it
            writer = csv.writer(file)
            writer.writerow(['copy'] + places + ['all'])

            def write_row(row):
                writer.writerow(row)
                file.flush()

            check_all(found, places, write_row)
    except FileExistsError:
        sys.exit('%s already exists and was not changed: move it away to get a new one' % table)
    except OSError as error:
        sys.exit('%s is not complete: %s' % (table, error.strerror))
    except KeyboardInterrupt:
        sys.exit('\nInterrupted: the rows above are in %s' % table)
    print('The table is %s' % table)


if __name__ == '__main__':
    main()
