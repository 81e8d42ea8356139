"""nbconvert's configuration for the page: whole without a network, its formulas included.

    python -m nbconvert --to html --config notebooks/page.py --embed-images NOTEBOOK.ipynb
"""
from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer

# Formulas become MathML, which browsers show by themselves, instead of TeX for MathJax.
IPythonRenderer.inline_math = lambda renderer, tex: convert(tex)
IPythonRenderer.block_math = lambda renderer, tex: convert(tex, display='block')

c = get_config()  # noqa: F821  nbconvert defines it
c.HTMLExporter.mathjax_url = c.HTMLExporter.require_js_url = ''  # (the page loads Mermaid only for a diagram, and has none)
