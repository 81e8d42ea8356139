"""nbconvert's configuration for make run: executes the notebook, saves it, renders the page."""
import base64
import os
import sys
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer
from tqdm import tqdm


def save(notebook, resources):
    bar.close()
    build = Path(os.environ['BUILD'])
    nbformat.write(notebook, str(build / 'mnist_rnn.part'))
    figure, = [cell.outputs[0] for cell in notebook.cells if cell.id == 'early-figure']
    (build / 'published.png').write_bytes(base64.b64decode(figure.data['image/png']))
    return notebook, resources


# Formulas become MathML, which browsers show by themselves, instead of TeX for MathJax.
IPythonRenderer.inline_math = lambda renderer, tex: convert(tex)
IPythonRenderer.block_math = lambda renderer, tex: convert(tex, display='block')

c = get_config()  # noqa: F821  nbconvert defines it
c.HTMLExporter.mathjax_url = c.HTMLExporter.require_js_url = ''  # whole without a network
c.HTMLExporter.extra_template_basedirs = [os.path.abspath('tools')]
c.HTMLExporter.template_name = 'page'
c.HTMLExporter.preprocessors = ['nbconvert.preprocessors.CoalesceStreamsPreprocessor', save]
bar = tqdm(unit='cell')
c.ExecutePreprocessor.enabled = True
c.ExecutePreprocessor.record_timing = False
c.ExecutePreprocessor.extra_arguments = ['--log-level=ERROR']
c.ExecutePreprocessor.on_notebook_start = lambda notebook: bar.reset(len(notebook.cells))
c.ExecutePreprocessor.on_cell_start = lambda cell, cell_index: bar.update()
c.ExecutePreprocessor.on_cell_error = lambda cell, cell_index, execute_reply: sys.exit(
    '\nThe notebook stopped: %(ename)s: %(evalue)s' % execute_reply['content'])
