"""Tests of the texts: numbers, links, the version.

A number in the text of a section, or in the alternative text of its figure, is one that a cell
prints, or has in its code, in that section or in one that the text links to. So it is with each
paragraph of the README. "50,000 images" needs 50000, and "95.72 %" needs 95.72 or 95.720000, but
not 95.724. "5 of 10" and "11 below" must be printed in these words. Code, formulas, 1e-15, 1.23.5
and "fifty" are not taken for numbers; other whole numbers up to 12 are free; GIVEN has those that
come from elsewhere. What this cannot see: two numbers of a section that changed places, the second
paragraph in an item of a list, and words, as "fewer than" for "more than".
"""
import re
from types import SimpleNamespace

import cells
import pytest

GIVEN = [  # where (the beginning of a file's name, or of "file, section"), numbers, why
    ('', '28 784 1000', 'sizes of images, and steps'),
    ('', '2017', 'the year of the original'),
    ('studies, Where', '91.87', 'printed in section "Beside the original" of the first notebook'),
    ('', '13910', '28 × 100 + 100 × 100 + 100 × 10 + 100 + 10'),
    ('mnist_rnn, A recurrent', '2026', 'this year'),
    ('mnist_rnn, Weights', '2010 16', 'a paper, and its equation'),
    ('mnist_rnn, Curves', '500', 'seen in the figure'),
    ('mnist_rnn, References', '2010 249 256 2016 1998 86 2278 2324 1605.02688',
     'years and pages'),
    ('studies, Setting up', '25 250', 'min(steps // 10, 100) in tools/experiments.py'),
    ('studies, A slow start', '1.5 70', 'seen in the figure'),
    ('studies, How long', '33 94 99.8 26 95 0.03', 'seen in the figure'),
    ('studies, Scale', '92 94 70', 'seen in the figure'),
    ('studies, Pixels', '1001 1100', 'steps of the average'),
    ('studies, One bit', '70 0.5 40 100 400 800', 'seen in the figures'),
    ('studies, Where', '101 1234', "steps, and the original's seed"),
    ('studies, Where', '200', "100 + 100: Glorot's sum for W"),
    ('studies, Where', '1.927', '1.926936, to three digits'),
    ('studies, Where', '135', 'seen in the figure'),
    ('studies, Where', '19', 'NEP 19'),
    ('studies, References', '2021', 'a year'),
    ('README, **One bit', '0.5', 'seen in the figure'),
    ('README, The first call', '530 20', 'measured: megabytes, seconds'),
    ('README', '3.8 3.11 3.13 2.28 3.0', 'versions of Python, of glibc, of a licence'),
    ('README', '2020 2018 2013', 'years of releases')]

NUMBER = re.compile(r'(?<![\w.])(?<!\w-)'        # not in a word or a version, as x86-64 or 1.23.5
                    r'\d+(?:,\d{3})*(?:\.\d+)?'  # 50,000 or 91.87
                    r'(?!\w|\.\d|,\d)')           # not before one
COUNT = re.compile(r'\b\d+ of \d+\b|\b\d+ (?:end )?below\b')  # is printed as it stands
CODE = re.compile(r'(?ms)^```.*?^```'           # between lines of ```
                  r'|(?<=\n\n)(?:    .*?\n)+'  # indented by four blanks, after an empty line
                  r'|`[^`]*`')                  # `x`
FORMULA_OR_TARGET = re.compile(r'(?s)\$\$.*?\$\$|\$[^$]*\$'  # $x$
                               r'|(?<=\])\([^)]*\)')         # what follows [link]
PAGES = cells.PATHS + [path for folder in ('', 'data', 'exercise', 'exercise/texts', 'notebooks')
                     for path in sorted((cells.ROOT / folder).glob('*.md'))]


def text_of(path):
    """Return the text of a page, or of a notebook's Markdown cells."""
    if path.suffix != '.ipynb':
        return path.read_text(encoding='utf-8')
    return '\n\n'.join(cell.source for cell in cells.read(path).cells
                       if cell.cell_type == 'markdown')


def links_in(text):
    """Return the targets of a text's links and pictures, but for those to other sites."""
    return re.findall(r'\]\((?!https?:)([^)\s]+)\)', CODE.sub(' ', text))


# Numbers.

def plain(number):
    """Return a number as it is compared: 50,000 as 50000, 91.870000 as 91.87, 0.500000 as 0.50."""
    return re.sub(r'(\.\d\d.*?)0+$', r'\1', number.replace(',', ''))


def numbers_in(text):
    """Return the numbers of a text, as they are compared, and its counts."""
    return {plain(number) for number in NUMBER.findall(text)} | set(COUNT.findall(text))


def prose_of(text):
    """Return a Markdown text in one line, without code, formulas, targets and numbers of lists."""
    text = FORMULA_OR_TARGET.sub(' ', CODE.sub(' ', text))
    return ' '.join(re.sub(r'(?m)^\d+\. ', '', text).split())


def sections():
    """Return {"file, section": its text, its cells' numbers, the link to it}.

    A section of the README is a paragraph.
    """
    found = {}
    for path in cells.PATHS:
        for title, cell in cells.with_sections(cells.read(path).cells):
            link = '%s#%s' % (path.name, title.replace(' ', '-'))
            new = SimpleNamespace(text='', numbers=set(), link=link)
            section = found.setdefault('%s, %s' % (path.stem, title), new)
            if cell.cell_type == 'code':
                section.text += '\n\n' + cell.metadata.get('alt', '')
                section.numbers |= numbers_in(cell.source + '\n' + cells.printed([cell]))
            else:
                section.text += '\n\n' + cell.source.replace('](#', '](%s#' % path.name)
    readme = text_of(cells.ROOT / 'README.md')
    for paragraph in re.split(r'\n\n(?!!\[)', readme):  # a picture belongs to what is above it
        found['README, ' + paragraph[:40]] = SimpleNamespace(text=paragraph, numbers=set(), link='')
    return found


SECTIONS = sections()


def known(section):
    """Return the numbers that a section's text may have without being given."""
    found = {str(number) for number in range(13)}
    targets = [target.removeprefix('notebooks/') for target in links_in(section.text)]
    for other in SECTIONS.values():
        if other is section or other.link in targets:
            found |= other.numbers
    return found


@pytest.mark.parametrize('where', SECTIONS)
def test_numbers_are_printed_or_given(where):
    given = [numbers_in(numbers) for place, numbers, why in GIVEN if where.startswith(place)]
    right = known(SECTIONS[where]).union(*given)
    prose = prose_of(SECTIONS[where].text)
    found = [*NUMBER.finditer(prose), *COUNT.finditer(prose)]
    unknown = ['%s in "%s"' % (each.group(), prose[max(0, each.start() - 50):each.end() + 30])
               for each in found if plain(each.group()) not in right]
    assert not unknown, 'not printed here (call make save, or see GIVEN): ' + '; '.join(unknown)


# Links.

def anchors_of(path):
    """Return what links call the headings of a page (GitHub's way) or a notebook (Jupyter's)."""
    headings = re.findall(r'(?m)^#+ (.*)', re.sub(r'(?ms)^```.*?^```', '', text_of(path)))
    if path.suffix == '.md':
        headings = [re.sub(r'[^\w -]', '', heading.lower()) for heading in headings]
    return [re.sub('[*`]', '', heading).replace(' ', '-') for heading in headings]


@pytest.mark.parametrize('page', PAGES, ids=str)
def test_links_lead_somewhere(page):
    dead = []
    for link in links_in(text_of(page)):
        file, _, anchor = link.partition('#')
        goal = page.parent / file if file else page
        if not goal.exists() or anchor and anchor not in anchors_of(goal):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize('path', cells.PATHS, ids=str)
def test_every_section_is_in_the_contents(path):
    headings = re.findall('(?m)^## (.*)', text_of(path))
    missing = {heading.replace(' ', '-') for heading in headings} - {'Setting-up'}  # no study
    missing -= {link[1:] for link in links_in(text_of(path))}
    assert missing == set(), 'no link leads there'


# The version.

def test_citation_has_the_newest_version():
    newest = re.search(r'\n## (\S+) \((\S+)\)', text_of(cells.ROOT / 'CHANGELOG.md')).groups()
    citation = text_of(cells.ROOT / 'CITATION.cff')
    assert tuple(re.findall(r'\n(?:version|date-released): (\S+)', citation)) == newest
