"""Executes notebooks again, with rounding fixed by bitwise.py, and compares, saves or shows.

Without an option it says whether each notebook prints and draws again what is saved in it.
Compared are the text of outputs, their data and, on x86-64 Linux, every byte of their figures
(elsewhere only whether they are there); not compared are counters, times and other metadata. The
kernel is that of the Python that runs this program, in the notebook's folder. Settings of Python,
IPython, Jupyter and Matplotlib do not count. Ours need 1 GiB of memory.
"""
import argparse
import base64
import copy
import itertools
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import urllib.parse
from pathlib import Path


def stop(signal_number=None, frame=None):
    """End at once, where Ctrl-C would show what each library was doing."""
    os.write(2, b'\nInterrupted\n')
    os._exit(130)


if __name__ == '__main__':  # before the imports, which take seconds
    signal.signal(signal.SIGINT, stop)

WITHOUT_PINS = dict(os.environ)  # before cells sets them
sys.path.append(str(Path(__file__).resolve().parent))  # missing if PYTHONSAFEPATH is set
import cells  # noqa: E402
import bitwise  # noqa: E402  from notebooks/, which cells has made known
import jinja2  # noqa: E402
import nbformat  # noqa: E402
from jupyter_client import AsyncKernelManager  # noqa: E402
from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import CellExecutionError, DeadKernelError  # noqa: E402
from latex2mathml.converter import convert  # noqa: E402
from nbconvert import HTMLExporter  # noqa: E402
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath  # noqa: E402
from traitlets.config import Config  # noqa: E402

BUILD = cells.ROOT / 'build'
# Where the saved figures were drawn. Elsewhere the same figure may have other pixels.
SAME_FIGURES = sys.platform == 'linux' and platform.machine() == 'x86_64'


# Executing.

def environment(pinned, folder):
    """Return a kernel's environment variables. The user's settings don't count.

    pinned: whether rounding is fixed. folder: an empty one, for what IPython keeps.
    """
    variables = os.environ if pinned else WITHOUT_PINS
    theirs = ('PYTHON', 'IPYTHON', 'JUPYTER', 'MPLBACKEND')
    kept = {name: value for name, value in variables.items() if not name.startswith(theirs)}
    return {
        **kept,
        'PYTHONUTF8': '1',
        # NumPy's, if it does not know all names of processors' features that the pins list.
        'PYTHONWARNINGS': 'ignore:During parsing environment variable',
        'IPYTHONDIR': folder,
        'MATPLOTLIBRC': os.devnull,
    }


class Client(NotebookClient):
    """Executes a notebook and prints its headings, and what its cells print, as it comes."""

    section = ''

    def run(self, path, pinned):
        """Execute all cells in the folder of path, the notebook's file. Raises NotebookError."""
        self.path = path
        self.sections = [section for section, cell in cells.with_sections(self.nb.cells)]
        self.folder = tempfile.mkdtemp()
        try:
            self.execute(cwd=str(path.absolute().parent), env=environment(pinned, self.folder))
        except CellExecutionError as error:
            raise self.stopped('%s: %s' % (error.ename, error.evalue)) from None
        except DeadKernelError:
            raise self.stopped('its Python process ended, perhaps for lack of memory') from None
        except RuntimeError as error:  # the kernel dies at its start, or needs over ten minutes
            raise self.stopped('its Python process did not start: %s' % error) from None
        finally:
            signal.signal(signal.SIGINT, stop)
            shutil.rmtree(self.folder, ignore_errors=True)

    def create_kernel_manager(self):
        """Return a manager of this environment's kernel, not of one that the user installed."""
        self.km = AsyncKernelManager(
            kernel_name='python3', connection_file=os.path.join(self.folder, 'kernel.json'),
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
        return self.km

    def stopped(self, cause):
        """Return the error for a notebook that stopped: one line."""
        return cells.NotebookError('%s stopped in section "%s": %s'
                                   % (self.path, self.section, ' '.join(cause.split('\n')[:1])))

    def stop(self, signal_number, frame):
        """End this program at once, and the kernel with it."""
        if self.km and self.km.has_kernel:
            self.km.provisioner.process.kill()
            self.km.provisioner.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        stop()

    async def async_start_new_kernel(self, **options):
        signal.signal(signal.SIGINT, self.stop)  # nbclient has set another handler
        await super().async_start_new_kernel(**options)

    async def async_execute_cell(self, cell, cell_index, **options):
        if self.sections[cell_index] != self.section:
            self.section = self.sections[cell_index]
            print('\n## %s' % self.section, flush=True)
        return await super().async_execute_cell(cell, cell_index, **options)

    def process_message(self, msg, cell, cell_index):
        if msg['msg_type'] == 'stream':
            print(msg['content']['text'], end='', flush=True)
        return super().process_message(msg, cell, cell_index)


def execute(path, pinned):
    """Return the notebook in a file as it is saved, and as it is executed. Raises NotebookError."""
    saved = cells.read(path)
    new = copy.deepcopy(saved)
    cells.clear_outputs(new)
    print('Executing %s' % path, flush=True)
    client = Client(new, record_timing=False, coalesce_streams=True, timeout=None,
                    startup_timeout=600,
                    extra_arguments=['--log-level=ERROR'])  # no warning of unencrypted ports
    client.run(path, pinned)
    return saved, new


def read_again(path, saved):
    """Return the notebook in a file. Raises NotebookError if more than outputs were changed."""
    now = cells.read(path)
    notebooks = [copy.deepcopy(now), copy.deepcopy(saved)]
    for notebook in notebooks:
        cells.clear_outputs(notebook)
    if notebooks[0] != notebooks[1]:
        raise cells.NotebookError('%s was changed while it ran: run it again' % path)
    return now


# Comparing.

def outputs_of(cell):
    """Return a code cell's outputs, {what: text}. What is, for example, 'output 1, image/png'."""
    found = {}
    number = 0
    for output in cell.outputs:
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


def first_lines(saved, new):
    """Return the first line in which two different texts differ, from both."""
    lines = itertools.zip_longest(saved.split('\n'), new.split('\n'))
    old, here = next((old, here) for old, here in lines if old != here)
    return '    saved: %s\n    here:  %s' % tuple(
        '(no such line)' if line is None else repr(line[:200]) for line in (old, here))


def differences(saved, new):
    """Yield a text for each output in which two notebooks with the same cells differ."""
    for (section, cell), executed in zip(cells.with_sections(saved.cells), new.cells, strict=True):
        if cell.cell_type != 'code':
            continue
        old, here = outputs_of(cell), outputs_of(executed)
        for what in {**old, **here}:
            place = 'section "%s", %s' % (section, what)
            if old.get(what, '') == here.get(what, ''):
                continue
            if 'image/' not in what:
                yield '%s:\n%s' % (place, first_lines(old.get(what, ''), here.get(what, '')))
            elif SAME_FIGURES or what not in old or what not in here:
                yield '%s: not the saved figure' % place


def compare(path, saved, new):
    """Print whether a notebook's outputs are the saved ones. Return that. Raises NotebookError."""
    read_again(path, saved)
    found = list(differences(saved, new))
    print()
    for text in found:
        print('%s, %s' % (path, text))
    if not found:
        count = sum(len(outputs_of(cell)) for cell in new.cells if cell.cell_type == 'code')
        print('%s: its %d outputs are the saved ones%s' % (
            path, count, '' if SAME_FIGURES else '; pixels of figures were not compared'))
    return not found


# Writing.

def replace_all(files):
    """Write files, {path: bytes}: all of them or, if there is no room for all, none.

    A symbolic link stays: what it leads to is replaced.
    """
    written = {}
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C would leave some
    try:
        for path, content in files.items():
            path = path.resolve()
            new = path.with_name(path.name + '.new')
            written[new] = path
            new.write_bytes(content)
        for new, path in written.items():
            os.replace(new, path)
    finally:
        for new in written:
            new.unlink(missing_ok=True)
        signal.signal(signal.SIGINT, previous)


def pictures_of(path, notebook):
    """Return the first picture of each cell whose metadata name a file for it, {path: bytes}."""
    found = {}
    for section, cell in cells.with_sections(notebook.cells):
        if 'file' in cell.metadata:
            pictures = [output.data['image/png'] for output in cell.outputs
                        if 'image/png' in output.get('data', {})]
            if not pictures:
                raise cells.NotebookError('%s, section "%s": no figure for %s'
                                          % (path, section, cell.metadata.file))
            found[path.parent / cell.metadata.file] = base64.b64decode(pictures[0])
    return found


def with_outputs(path, saved, new):
    """Return the file of a notebook with the outputs of an executed one, and its pictures.

    {path: bytes}. Nothing else of the file is changed. Raises NotebookError.
    """
    notebook = read_again(path, saved)
    for cell, executed in zip(notebook.cells, new.cells):
        if cell.cell_type == 'code':
            cell.outputs = executed.outputs
            cell.execution_count = executed.execution_count
    text = nbformat.writes(notebook) + '\n'
    return {path: text.encode(), **pictures_of(path, notebook)}


# The page.

class Renderer(IPythonRenderer):
    """Turns a Markdown cell into HTML for build/. Formulas become MathML, which browsers show."""

    def inline_math(self, body):
        return convert(body)

    def block_math(self, body):
        return convert(body, display='block')

    def block_html(self, html):
        # nbconvert's looks for pictures, and would close a <details> at its first empty line.
        return super().block_html(html) if '<img' in html else html

    def link(self, text, url, title=None):
        """Return a link as it is from build/: to another notebook's page, or to the file."""
        address = urllib.parse.urlsplit(url)
        if address.path and not address.scheme:
            if address.path.endswith('.ipynb') and '/' not in address.path:
                target = address.path[:-len('ipynb')] + 'html'
            else:
                target = os.path.relpath(os.path.join(self.path, address.path), BUILD)
            url = address._replace(path=target).geturl()
        return super().link(text, url, title)


class Exporter(HTMLExporter):
    """nbconvert's exporter of pages, with our Renderer."""

    @jinja2.pass_context
    def markdown2html(self, context, source):
        renderer = Renderer(escape=False, attachments=context['cell'].get('attachments', {}),
                            embed_images=True, path=context['resources']['metadata']['path'])
        return MarkdownWithMath(renderer).render(source)


def render(path, notebook):
    """Return the notebook of a file as an HTML page that needs no network and no other file."""
    exporter = Exporter(embed_images=True, config=Config({'HTMLExporter': {
        'extra_template_basedirs': [str(cells.ROOT / 'tools')],
        'template_name': 'template',
        'mathjax_url': '',
        'require_js_url': '',
    }}))
    metadata = {'name': path.stem, 'path': str(path.absolute().parent)}
    page, resources = exporter.from_notebook_node(notebook, {'metadata': metadata})
    return page


def write_page(path, notebook):
    """Write build/NAME.html and, if the notebook is ours, the other's page where there is none."""
    pages = {path: notebook}
    if path.resolve().parent == cells.NOTEBOOKS:
        for name in cells.NAMES:
            if not (BUILD / (name + '.html')).exists():  # links lead to it
                pages.setdefault(cells.NOTEBOOKS / (name + '.ipynb'), cells.saved(name))
    print('\nWriting the page', flush=True)
    replace_all({BUILD / (each.stem + '.html'): render(each, pages[each]).encode()
                 for each in pages})
    print('The page is %s' % os.path.relpath(BUILD / (path.stem + '.html')))


# The program.

def verify(paths, pinned):
    """Execute notebooks and compare them with what is saved. Return whether all is equal."""
    well = True
    if pinned and bitwise.pin() != bitwise.YES:
        print(bitwise.pin())
        well = False
    for path in paths:
        saved, new = execute(path, pinned)
        well = compare(path, saved, new) and well
    return well


def save(paths, pinned):
    """Execute notebooks and save all of them, or none."""
    if pinned and bitwise.pin() != bitwise.YES:
        raise cells.NotebookError('Nothing was executed. %s' % bitwise.pin())
    executed = {path: execute(path, pinned) for path in paths}
    files = {}
    for path, (saved, new) in executed.items():
        files.update(with_outputs(path, saved, new))
    replace_all(files)
    print('\nSaved: %s' % ', '.join(map(str, files)))
    return True


def make_pages(paths, pinned):
    """Execute notebooks and write their pages."""
    BUILD.mkdir(exist_ok=True)
    if not os.access(BUILD, os.W_OK):
        raise cells.NotebookError('%s cannot be written' % BUILD)
    for path in paths:
        saved, new = execute(path, pinned)
        write_page(path, new)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('notebooks', nargs='+', type=Path, metavar='NOTEBOOK')
    parser.add_argument('--unpinned', action='store_true', help='do not fix rounding')
    action = parser.add_mutually_exclusive_group()
    action.add_argument('--save', action='store_const', dest='action', const=save, default=verify,
                        help='save the outputs, and the pictures that the README shows')
    action.add_argument('--page', action='store_const', dest='action', const=make_pages,
                        help='write build/NAME.html, which needs no network')
    options = parser.parse_args()
    try:
        well = options.action(options.notebooks, pinned=not options.unpinned)
    except cells.NotebookError as error:
        sys.exit('\n%s' % error)
    except (OSError, MemoryError) as error:  # a full disk, for example
        sys.exit('\nStopped, and nothing was written: %s' % cells.in_one_line(error))
    sys.exit(0 if well else 1)


if __name__ == '__main__':
    main()
