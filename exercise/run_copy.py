"""Runs a copy's cells in IPython, and tells which places are right. check_file.py starts it.

It reads the cells from standard input, as JSON: a list of (type, source). To standard output it
writes a line of JSON at the start, at each heading, and at the end: the section that it has come
to, the verdicts so far and, at the end only, a note on the whole.
"""
import contextlib
import json
import os
import re
import sys

import check
from IPython.core.interactiveshell import InteractiveShell
from ipykernel.zmqshell import KernelMagics

END = 'Train'  # from this section on, no cell is run
LIMITS = {
    'RLIMIT_AS': 3 * 2**30,       # bytes of memory that are reserved; the notebook needs a third
    'RLIMIT_FSIZE': 100 * 2**20,  # bytes of a file that is written
    'RLIMIT_CPU': 600,            # seconds, in case that check_file.py was killed
}


def limit():
    """Limit what this process may use, where the system can."""
    if os.name != 'nt':
        import resource
        for name, most in LIMITS.items():
            with contextlib.suppress(ValueError):  # a lower limit is set already
                resource.setrlimit(getattr(resource, name), (most, most))


def new_shell():
    """Return IPython's shell, in which the commands of the system's shell do nothing."""
    shell = InteractiveShell.instance(cache_size=0)  # what cells return is not kept
    shell.register_magics(KernelMagics)  # those that only notebooks have
    shell.enable_gui = lambda gui=None: None  # for %matplotlib
    shell.system = shell.getoutput = lambda *args, **options: []  # !ls and %pip
    for name in ['script', *shell.magics_manager.registry['ScriptMagics'].script_magics]:
        shell.magics_manager.magics['cell'][name] = lambda line, cell: None  # %%bash and its kin
    return shell


def headings_in(kind, source):
    """Return the headings in a cell, without the first level."""
    return re.findall('^##+ (.*?)[# ]*$', source, re.MULTILINE) if kind == 'markdown' else []


def run(cells, shell, session, tell):
    """Run cells, and call tell(section, verdicts), and at the end tell(..., note=...)."""
    if not any(title in check.PLACES for cell in cells for title in headings_in(*cell)):
        tell(None, {}, note="it has none of the places' sections: is it another notebook?")
        return
    verdicts = dict.fromkeys(check.PLACES, check.NOT_CHECKED)
    section = 'the beginning'
    place = None  # the last one that began; it ends where the next one begins
    tell(section, verdicts)
    for kind, source in cells:
        for section in headings_in(kind, source):  # section is told of the cells below, too
            if section in [*check.PLACES, END]:
                if place:
                    verdicts[place] = session.judge(place)
                place = section
            tell(section, verdicts)
            if section == END:
                break
        if section == END:
            break
        if kind == 'code':
            shell.run_cell(source)
    # Those not right once more: a place's cell may stand in another section, or the section have no
    # heading any more. What was right stays so, whatever later cells did to its names.
    for title, (kind, _) in verdicts.items():
        if kind != check.RIGHT:
            verdicts[title] = session.judge(title)
    right = all(kind == check.RIGHT for kind, _ in verdicts.values())
    tell(section, verdicts, note=session.what_changed() if right else None)


def main():
    limit()
    cells = json.load(sys.stdin)
    told = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what cells print goes where errors go: nowhere

    def tell(section, verdicts, **note):
        print(json.dumps({'section': section, 'verdicts': verdicts, **note}), file=told, flush=True)

    shell = new_shell()
    check.session = check.watch(shell)
    # The copy's own folder, as in Jupyter. (A check.py there is not imported: ours is already.)
    sys.path.insert(0, '')
    run(cells, shell, check.session, tell)


if __name__ == '__main__':
    main()
