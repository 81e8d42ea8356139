"""Tests of the texts: numbers, links, counts, versions.

Numbers. A number in a section of a notebook, or in the alternative text of a figure in it, is one
that a cell prints, or has in its code, in that section or in one that the text links to. So
it is with a paragraph of the README. Examples:

- "reads 95.72 %" needs a cell of its section that prints 95.72, or 95.720000, but not 95.724.
- "50,000 images" needs 50000 in the section, printed or in the code.
- `x[:100]`, $10^{16}$, 1e-15, 1.23.5 and "fifty" are not taken for numbers.

Whole numbers up to 12 are free. GIVEN has those that come from elsewhere. What this cannot see:
two numbers of a section that changed places, and words, as "fewer than" for "more than".
"""
import hashlib
import re

import cells
import pytest

GIVEN = [  # where (the beginning of a file's name, or of "file, section"), numbers, why
    ('', '28 784 1000 100000', 'sizes of images and sets; steps, and their images'),
    ('', '2017 91.87', 'the original: its year and its result'),
    ('', '13910', '28 × 100 + 100 × 100 + 100 × 10 + 100 + 10'),
    ('mnist_rnn, A recurrent', '2026', 'this year'),
    ('mnist_rnn, Weights', '2010 16', 'a paper, and its equation'),
    ('mnist_rnn, Curves', '500', 'seen in the figure'),
    ('mnist_rnn, References', '2010 249 256 2016 1998 86 2278 2324 1605.02688',
     'years and pages'),
    ('studies, The last step', '94', 'seen in the figure'),
    ('studies, Scale', '92 94 70', 'seen in the figure'),
    ('studies, Scale', '1001 1100', 'steps of the average'),
    ('studies, One bit', '70 0.5 160 40', 'seen in the figure'),
    ('studies, Where', '101', 'steps'),
    ('studies, Where', '1.927', '1.926936, to three digits'),
    ('studies, Where', '135', 'seen in the figure'),
    ('README, **One bit', '0.5 160', 'seen in the figure'),
    ('README, The first call', '530 20', 'measured: megabytes, seconds'),
    ('README', '3.8 3.11 3.13 2.28', 'versions of Python and of glibc'),
    ('README', '2020 2018 2013', 'years of releases'),
    ('README', '3.0', 'a licence')]

NUMBER = re.compile(r'(?<![\w.])(?<!\w-)\d+(?:,\d{3})*(?:\.\d+)?(?!\w|\.\d|,\d)')
CODE = re.compile(r'(?ms)^```.*?^```|(?<=\n\n)(?:    .*?\n)+|`[^`]*`')
FORMULA_OR_TARGET = re.compile(r'(?s)\$\$.*?\$\$|\$[^$]*\$|(?<=\])\([^)]*\)')


def plain(number):
    """Return a number as it is compared: 50,000 as 50000, and 91.870000 as 91.87."""
    return re.sub(r'(\.\d\d.*?)0+$', r'\1', number.replace(',', ''))


def numbers_in(text):
    """Return the numbers of a text, as they are compared."""
    return {plain(number) for number in NUMBER.findall(text)}


def prose_of(text):
    """Return a Markdown text in one line, without code, formulas, targets and numbers of lists."""
    text = FORMULA_OR_TARGET.sub(' ', CODE.sub(' ', text))
    return ' '.join(re.sub(r'(?m)^\d+\. ', '', text).split())


def text_of(name):
    """Return the text of a file, a name from the repository's folder, or of a notebook."""
    if name in cells.NAMES:
        return '\n\n'.join(cell.source for cell in cells.saved(name).cells
                           if cell.cell_type == 'markdown')
    return (cells.ROOT / name).read_text(encoding='utf-8')


def links_in(text):
    """Return the targets of a text's links and pictures, but for those to other sites."""
    return re.findall(r'\]\((?!https?:)([^)\s]+)\)', CODE.sub(' ', text))


def own_sections():
    """Return {"file, section": (texts, numbers of its cells)}; the README has no cells."""
    found = {}
    for name in cells.NAMES:
        for title, cell in cells.with_sections(cells.saved(name).cells):
            texts, known = found.setdefault('%s, %s' % (name, title), ([], set()))
            if cell.cell_type == 'code':
                known |= numbers_in(cell.source + '\n' + cells.printed([cell]))
                texts.append(cell.metadata.get('alt', ''))
            else:
                texts.append(cell.source)
    for paragraph in re.split(r'\n\n(?!!\[)', text_of('README.md')):  # a picture stays with it
        found['README, ' + paragraph[:40]] = [paragraph], set()
    return found


def sections():
    """Return (where, prose, numbers of the cells, also of linked sections) for each section."""
    found = own_sections()
    by_link = {'%s.ipynb#%s' % tuple(where.replace(' ', '-').split(',-', 1)): known
               for where, (texts, known) in found.items()}
    rows = []
    for where, (texts, known) in found.items():
        text = '\n\n'.join(texts)
        here = where.split(',')[0] + '.ipynb'
        links = [here + link if link[0] == '#' else link.split('/')[-1] for link in links_in(text)]
        known = known.union(*(by_link.get(link, ()) for link in links))
        rows.append((where, prose_of(text), known))
    return rows


SECTIONS = sections()


@pytest.mark.parametrize('where, prose, known', SECTIONS, ids=[each[0] for each in SECTIONS])
def test_numbers_are_printed_or_given(where, prose, known):
    given = [numbers_in(numbers) for place, numbers, why in GIVEN if where.startswith(place)]
    known = known.union(map(str, range(13)), *given)
    unknown = ['%s in "%s"' % (found.group(), prose[max(0, found.start() - 50):found.end() + 30])
               for found in NUMBER.finditer(prose) if plain(found.group()) not in known]
    assert not unknown, 'not printed in this section: ' + '; '.join(unknown)


@pytest.mark.parametrize('place, numbers, why', GIVEN)
def test_given_numbers_are_needed(place, numbers, why):
    """What is given without need would hide a slip."""
    needed = [numbers_in(prose) - known for where, prose, known in SECTIONS
              if where.startswith(place)]
    assert numbers_in(numbers) - set().union(*needed) == set(), 'a cell prints it, or no text has it'


# Links.

FOLDERS = ['', 'data/', 'exercise/', 'exercise/handout/', 'notebooks/']
PAGES = [folder + path.name for folder in FOLDERS
         for path in sorted((cells.ROOT / folder).glob('*.md'))]
MADE = ['handout', 'build', '.venv', '.uv']  # they need not be there


def anchors_of(path):
    """Return what links call the headings of a page (GitHub's way) or a notebook (Jupyter's)."""
    is_notebook = path.suffix == '.ipynb'
    text = text_of(path.stem if is_notebook else path)
    headings = re.findall(r'(?m)^#+ (.*)', re.sub(r'(?ms)^```.*?^```', '', text))
    if not is_notebook:
        headings = [re.sub(r'[^\w -]', '', heading.lower()) for heading in headings]
    return [re.sub('[*`]', '', heading).replace(' ', '-') for heading in headings]


LINKS = [(name, target) for name in PAGES + cells.NAMES for target in links_in(text_of(name))]


@pytest.mark.parametrize('name, target', LINKS)
def test_link_leads_somewhere(name, target):
    page = cells.ROOT / name if name in PAGES else cells.NOTEBOOKS / (name + '.ipynb')
    file, _, anchor = target.partition('#')
    goal = (page.parent / file).resolve() if file else page
    assert goal.exists(), 'no such file'
    assert goal.relative_to(cells.ROOT).parts[0] not in MADE, 'a fresh copy lacks it'
    assert not anchor or anchor in anchors_of(goal), 'no such heading'


@pytest.mark.parametrize('name', cells.NAMES)
def test_every_section_is_in_the_contents(name):
    headings = re.findall('(?m)^## (.*)', text_of(name))
    links = links_in(text_of(name))
    missing = {heading for heading in headings if '#' + heading.replace(' ', '-') not in links}
    assert missing <= {'Setting up'}, 'no link leads there'


# Counts.

WORDS = 'zero one two three four five six seven eight nine ten eleven twelve'.split()
COUNT = r'(?i)\b(\d+|%s)\b' % '|'.join(WORDS)
TABLES = sorted(path.name for path in (cells.ROOT / 'data').glob('*.csv')
                if path.name != 'published.csv')


def rows_of(name, beginning=''):
    """Return the rows of a table in data/ that begin with a text, without its header."""
    rows = (cells.ROOT / 'data' / name).read_text().splitlines()[1:]
    return [row for row in rows if row.startswith(beginning)]


PLACES = sum(cell.metadata.get('nbgrader', {}).get('solution', False)
             for cell in cells.saved('mnist_rnn').cells)
NETWORKS = {row.split(',')[0] for row in rows_of('networks.csv')}
COUNTS = [('README.md', ' places', PLACES),
          ('mnist_rnn', ' places', PLACES),
          ('notebooks/DEVIATIONS.md', ' places', PLACES),
          ('data/README.md', ' tables', len(TABLES)),
          ('data/README.md', ' networks', len(NETWORKS)),
          ('data/README.md', ' runs for each', len(rows_of('scan.csv', '134,134,'))),
          ('data/README.md', ' for each of the others', len(rows_of('scan.csv', '112,112,')))]


@pytest.mark.parametrize('name, words, count', COUNTS)
def test_count(name, words, count):
    found = re.findall(COUNT + words, ' '.join(text_of(name).split()))
    right = str(count) if count > 12 else WORDS[count]
    assert [each.lower() for each in found] == [right] * max(1, len(found))


@pytest.mark.parametrize('name', TABLES)
def test_data_readme_counts_the_rows(name):
    words = '**%s** (%s rows)' % (name, format(len(rows_of(name)), ','))
    assert words in text_of('data/README.md'), 'data/README.md lacks: ' + words


# Versions.

@pytest.mark.parametrize('name', ['requirements.txt', 'constraints.txt'])
def test_every_package_has_its_version(name):
    lines = re.findall(r'(?m)^\w.*', text_of(name))
    assert [line for line in lines if not re.match(r'[\w.-]+(==[\w.]+| @ file:)', line)] == []


def test_every_package_of_the_exercise_has_its_version():
    """Its requirements.txt has the names, constraints.txt the versions."""
    names = re.findall(r'(?m)^\w[\w-]*', text_of('exercise/handout/requirements.txt'))
    assert [name for name in names if '\n%s==' % name not in text_of('constraints.txt')] == []


def test_citation_has_the_newest_version():
    version, date = re.search(r'(?m)^## (\S+) \((\S+)\)$', text_of('CHANGELOG.md')).groups()
    citation = text_of('CITATION.cff')
    assert re.search(r'(?m)^version: (\S+)', citation).group(1) == version
    assert re.search(r'(?m)^date-released: (\S+)', citation).group(1) == date


def test_drawing_is_made_from_its_source():
    """A new svg needs a new png: the comment at its head says how. Then write both sums here."""
    content = [(cells.NOTEBOOKS / 'images' / ('unrolled_rnn.' + kind)).read_bytes()
               for kind in ('svg', 'png')]
    assert [hashlib.sha256(each).hexdigest()[:16] for each in content] == [
        '7bb96493436e8e34', '3138dcb5c9e166fa']
