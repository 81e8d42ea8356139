"""Turns a notebook into an HTML page that needs no network and no other file."""
import os
import urllib.parse
from pathlib import Path

import cells  # first: it sets the pins before NumPy is imported
from latex2mathml.converter import convert
from nbconvert.exporters import html as exporters

BUILD = cells.ROOT / 'build'  # where pages are written


class Renderer(exporters.IPythonRenderer):
    """Turns a Markdown cell into HTML for build/. Formulas become MathML, which browsers show."""

    def inline_math(self, body):
        return convert(body) + '\u2060'  # no line begins with the full stop after a formula

    def block_math(self, body):
        return convert(body, display='block')

    def block_html(self, html):
        # nbconvert's own method embeds pictures, but closes a <details> at its first empty line.
        return super().block_html(html) if '<img' in html else html

    def link(self, text, url, title=None):
        """Return a link as it is from build/: to another notebook's page, or to the file."""
        address = urllib.parse.urlsplit(url)
        if address.path and not address.scheme:
            target = Path(self.path, address.path).resolve()  # self.path: see metadata below
            if target in cells.PATHS:
                target = file_of(target)
            url = address._replace(path=os.path.relpath(target, BUILD)).geturl()
        return super().link(text, url, title)


exporters.IPythonRenderer = Renderer  # nbconvert has no option for it


def file_of(path):
    """Return the file for the page of a notebook's file."""
    return BUILD / (path.stem + '.html')


def render(path, notebook):
    """Return the page of a notebook, whose file is path, as bytes of HTML."""
    exporter = exporters.HTMLExporter(
        embed_images=True, mathjax_url='', require_js_url='', template_name='template',
        extra_template_basedirs=[str(cells.ROOT / 'tools')])
    metadata = {'name': path.stem, 'path': str(path.absolute().parent)}
    text, resources = exporter.from_notebook_node(notebook, {'metadata': metadata})
    return text.encode()
