"""Executes notebooks again, with rounding fixed by bitwise.py, and says what has changed.

Without an option it compares what each notebook prints and draws with what is saved in it: the
text and data of outputs and, on x86-64 Linux, the figures byte by byte (elsewhere only whether
they are there). Counters, times and other metadata are not compared. A notebook runs in its own
folder, with the Python that runs this program; settings of Python, IPython, Jupyter and
Matplotlib do not count. The status is 0 if all went well, 1 if something differs or fails or, for
this repository's notebooks, this machine rounds differently, 130 after Ctrl-C.
"""
import argparse
import base64
import copy
import itertools
import json
import os
import platform
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def stop(signal_number, frame):
    """End at once. A kernel ends by itself, within a second, when its parent is gone."""
    os.write(2, b'\nInterrupted\n')
    os._exit(130)


if __name__ == '__main__':  # before the imports, which take seconds
    signal.signal(signal.SIGINT, stop)

WITHOUT_PINS = dict(os.environ)  # before cells sets them
sys.path.append(str(Path(__file__).resolve().parent))  # missing if PYTHONSAFEPATH is set
import cells  # noqa: E402
import bitwise  # noqa: E402  from notebooks/, which cells has made known
import nbformat  # noqa: E402
import page  # noqa: E402
from jupyter_client import AsyncKernelManager  # noqa: E402
from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import CellExecutionError  # noqa: E402

# Where the saved figures were drawn. Elsewhere the same figure may have other pixels.
SAME_FIGURES = sys.platform == 'linux' and platform.machine() == 'x86_64'


# Executing.

def environment(pinned):
    """Return a kernel's environment variables. pinned: whether they fix rounding."""
    settings = 'PYTHON', 'IPYTHON', 'JUPYTER', 'MPLBACKEND'
    variables = os.environ if pinned else WITHOUT_PINS
    others = {name: variables[name] for name in variables if not name.startswith(settings)}
    home = cells.ROOT / '.uv' / 'ipython'  # without start-up files
    home.mkdir(parents=True, exist_ok=True)
    return {**others, 'PYTHONUTF8': '1', 'IPYTHONDIR': str(home), 'MATPLOTLIBRC': os.devnull}


class Client(NotebookClient):
    """Executes a notebook and prints its headings, and what its cells print, as it comes."""

    section = 'the beginning'

    def print_heading(self, cell, cell_index):
        if cells.title_of(cell):
            self.section = cells.title_of(cell)
            print('\n## %s' % self.section, flush=True)

    def process_message(self, msg, cell, cell_index):
        if msg['msg_type'] == 'stream':
            print(msg['content']['text'], end='', flush=True)
        return super().process_message(msg, cell, cell_index)


def execute(path, notebook, pinned):
    """Return a copy of a notebook, whose file is path, executed. Raises NotebookError."""
    executed = copy.deepcopy(notebook)
    cells.clear_outputs(executed)
    print('Executing %s' % path, flush=True)
    kernels = KernelSpecManager(kernel_dirs=[])  # this environment's, none that the user installed
    client = Client(executed, AsyncKernelManager(kernel_spec_manager=kernels),
                    record_timing=False, coalesce_streams=True, timeout=None, startup_timeout=600,
                    skip_cells_with_tag='',  # none
                    extra_arguments=['--log-level=ERROR'])  # no warning of unencrypted ports
    client.on_cell_start = client.print_heading
    thread = ThreadPoolExecutor()  # in the main thread, nbclient would take Ctrl-C
    run = thread.submit(client.execute, cwd=str(path.absolute().parent), env=environment(pinned),
                        cleanup_kc=True)  # ends the kernel afterwards
    try:
        run.result()
    except CellExecutionError as error:
        cause = '%s: %s' % (error.ename, error.evalue.strip())
    except RuntimeError:  # as nbclient's DeadKernelError
        cause = 'its Python process ended or did not start; for lack of memory? Ours need 1 GiB'
    else:
        executed.metadata = notebook.metadata  # nbclient has added to its copy
        return executed
    raise cells.NotebookError('%s stopped in section "%s": %s'
                              % (path, client.section, cause.splitlines()[0]))


# Comparing.

def outputs_of(cell):
    """Return a cell's outputs, {what: text}. An example of what: 'output 1, image/png'."""
    found = {}
    number = 0
    for output in cell.get('outputs', []):
        if output.output_type == 'stream':
            found[output.name] = found.get(output.name, '') + output.text
        elif output.output_type == 'error':
            found['error'] = '%s: %s' % (output.ename, output.evalue)
        else:
            number += 1
            for kind, data in output.data.items():
                text = data if isinstance(data, str) else json.dumps(data, sort_keys=True)
                found['output %d, %s' % (number, kind)] = text.rstrip('\n')
    return found


def first_lines(saved, here):
    """Return the first line in which two texts differ, from both."""
    pairs = itertools.zip_longest(saved.split('\n'), here.split('\n'), fillvalue='(no such line)')
    pair = next(pair for pair in pairs if pair[0] != pair[1])
    start = max(0, len(os.path.commonprefix(pair)) - 100)
    return '    saved: %r\n    here:  %r' % tuple(line[start:start + 200] for line in pair)


def differences(saved, executed):
    """Yield a text for each output in which a notebook differs from the same one, executed."""
    for (section, old_cell), new_cell in zip(cells.with_sections(saved.cells), executed.cells):
        old = outputs_of(old_cell)
        new = outputs_of(new_cell)
        for what in {**old, **new}:
            place = 'section "%s", %s' % (section, what)
            if old.get(what, '') == new.get(what, ''):
                continue
            if 'image/' not in what:
                yield '%s:\n%s' % (place, first_lines(old.get(what, ''), new.get(what, '')))
            elif SAME_FIGURES or what not in old or what not in new:
                yield '%s: not the saved figure' % place


def why_not_the_same_bits(paths, pinned):
    """Return why our notebooks have other bits on this machine, in one line, or None.

    Of a notebook that is not ours it is not known which bits are right.
    """
    ours = any(path.resolve() in cells.PATHS for path in paths)
    if not (ours and pinned):
        return None
    bits = bitwise.pin()  # yes, or no and why
    return None if bits == bitwise.YES else bits


def verify(paths, pinned):
    """Execute notebooks, print how they differ from what is saved, and return whether all is well.

    It is if none differs and, with pins, our notebooks have the same bits on this machine.
    """
    well = True
    why = why_not_the_same_bits(paths, pinned)
    if why:
        print(why)
        well = False
    for path in paths:
        saved = cells.read(path)
        executed = execute(path, saved, pinned)
        found = list(differences(saved, executed))
        if found:
            print('\n%s differs from what is saved in it:' % path, *found, sep='\n')
            well = False
        else:
            count = sum(len(cell.get('outputs', [])) for cell in executed.cells)
            print('\n%s: all outputs (%d) are the saved ones' % (path, count))
        if not SAME_FIGURES:
            print('Of figures was compared only whether they are there')
    return well


# Writing.

def replace_all(files):
    """Write files, {path: bytes}: all of them or, if there is no room for all, none."""
    files = {path.resolve(): content for path, content in files.items()}  # a link stays one
    new = {path: path.with_name(path.name + '.new') for path in files}
    try:
        for path, content in files.items():
            new[path].write_bytes(content)
        for path in files:
            new[path].replace(path)
    finally:
        for path in files:
            new[path].unlink(missing_ok=True)


def pictures_of(path, notebook):
    """Return the pictures of an executed notebook's cells whose metadata name a file for one."""
    files = {}
    for cell in notebook.cells:
        if 'file' in cell.metadata:
            picture = outputs_of(cell).get('output 1, image/png')
            if picture is None:
                raise cells.NotebookError('%s, cell %s: no figure for %s'
                                          % (path, cell.id, cell.metadata.file))
            files[path.parent / cell.metadata.file] = base64.b64decode(picture)
    return files


def save(paths, pinned):
    """Execute notebooks and save them, with the pictures that the README shows: all or none."""
    why = why_not_the_same_bits(paths, pinned)
    if why:
        raise cells.NotebookError('Nothing was executed: %s' % why)
    before = {path: cells.read(path) for path in paths}
    files = {}
    for path in paths:
        executed = execute(path, before[path], pinned)
        files[path] = (nbformat.writes(executed) + '\n').encode()
        files.update(pictures_of(path, executed))
    for path in paths:
        if cells.read(path) != before[path]:
            raise cells.NotebookError('%s was changed while it ran: run it again' % path)
    replace_all(files)
    print('\nSaved: %s' % ', '.join(map(str, files)))
    return True


def make_pages(paths, pinned):
    """Execute notebooks and write their pages."""
    page.BUILD.mkdir(exist_ok=True)
    for path in paths:
        notebook = cells.read(path)
        replace_all({page.file_of(path): page.render(path, execute(path, notebook, pinned))})
        if path.resolve() in cells.PATHS:
            for other in cells.PATHS:  # the two link to each other
                if not page.file_of(other).exists():
                    replace_all({page.file_of(other): page.render(other, cells.read(other))})
        print('\nThe page is %s' % os.path.relpath(page.file_of(path)))
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('notebooks', nargs='+', type=Path, metavar='NOTEBOOK')
    parser.add_argument('--unpinned', action='store_true', help='do not fix rounding')
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument('--page', action='store_true',
                         help='write build/NAME.html instead of comparing')
    instead.add_argument('--save', action='store_true',
                         help='save the outputs in the notebooks instead of comparing')
    options = parser.parse_args()
    action = make_pages if options.page else save if options.save else verify
    try:
        well = action(options.notebooks, pinned=not options.unpinned)
    except cells.NotebookError as error:
        sys.exit('\n%s' % error)
    except (OSError, MemoryError) as error:  # a full disk, for example
        sys.exit('\nStopped: %s' % cells.in_one_line(error))
    sys.exit(0 if well else 1)


if __name__ == '__main__':
    main()
