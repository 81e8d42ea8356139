"""nbconvert's configuration for make run: executes the notebook, saves it, and renders the page."""
import os
import sys

import nbformat
from latex2mathml.converter import convert
from nbclient.exceptions import CellExecutionError
from nbconvert.filters.markdown_mistune import IPythonRenderer
from nbconvert.preprocessors import ExecutePreprocessor
from tqdm import tqdm


class Run(ExecutePreprocessor):
    """Shows a progress bar, ends with one line where a cell fails, and saves mnist_rnn.part."""

    def preprocess(self, notebook, resources, km=None):
        with tqdm(total=len(notebook.cells), unit='cell') as self.bar:
            try:
                super().preprocess(notebook, resources, km)
            except CellExecutionError as error:
                sys.exit('The notebook stopped: %s: %s' % (error.ename, error.evalue))
        nbformat.write(notebook, os.path.join(os.environ['BUILD'], 'mnist_rnn.part'))
        return notebook, resources

    def preprocess_cell(self, cell, resources, index):
        self.bar.update()
        return super().preprocess_cell(cell, resources, index)


# Formulas become MathML, which browsers show by themselves, instead of TeX for MathJax.
IPythonRenderer.inline_math = lambda renderer, tex: convert(tex)
IPythonRenderer.block_math = lambda renderer, tex: convert(tex, display='block')

c = get_config()  # noqa: F821  nbconvert defines it
c.HTMLExporter.preprocessors = [Run(record_timing=False, coalesce_streams=True,
                                    extra_arguments=['--log-level=ERROR'])]
c.HTMLExporter.mathjax_url = c.HTMLExporter.require_js_url = ''  # whole without a network
c.HTMLExporter.extra_template_basedirs = [os.path.abspath('tools')]
c.HTMLExporter.template_name = 'page'
