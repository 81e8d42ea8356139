"""Turns a notebook into an HTML page that needs no network and no other file."""
import os
import urllib.parse

import cells  # first: it sets the pins before NumPy is imported
import jinja2
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from traitlets.config import Config

BUILD = cells.ROOT / 'build'  # where pages are written


class Renderer(IPythonRenderer):
    """Turns a Markdown cell into HTML for build/. Formulas become MathML, which browsers show."""

    def inline_math(self, body):
        return convert(body) + '\u2060'  # no line begins with the full stop after a formula

    def block_math(self, body):
        return convert(body, display='block')

    def block_html(self, html):
        # nbconvert looks for pictures, and closes a <details> at its first empty line.
        return super().block_html(html) if '<img' in html else html

    def link(self, text, url, title=None):
        """Return a link as it is from build/: to another notebook's page, or to the file."""
        address = urllib.parse.urlsplit(url)
        if address.path and not address.scheme:
            path = os.path.relpath(os.path.join(self.path, address.path), BUILD)
            if address.path.endswith('.ipynb') and '/' not in address.path:
                path = address.path.replace('.ipynb', '.html')
            url = address._replace(path=path).geturl()
        return super().link(text, url, title)


class Exporter(HTMLExporter):
    """nbconvert's exporter, with our Renderer."""

    @jinja2.pass_context
    def markdown2html(self, context, source):
        attachments = context['cell'].get('attachments', {})
        folder = context['resources']['metadata']['path']
        renderer = Renderer(escape=False, embed_images=True, attachments=attachments, path=folder)
        return MarkdownWithMath(renderer).render(source)


def render(path, notebook):
    """Return the notebook of a file as an HTML page that needs no network and no other file."""
    config = {
        'extra_template_basedirs': [str(cells.ROOT / 'tools')],
        'template_name': 'template',
        'mathjax_url': '',
        'require_js_url': '',
    }
    exporter = Exporter(embed_images=True, config=Config({'HTMLExporter': config}))
    metadata = {'name': path.stem, 'path': str(path.absolute().parent)}
    page, resources = exporter.from_notebook_node(notebook, {'metadata': metadata})
    return page
