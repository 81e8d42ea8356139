"""The option --notebook, and what several test files share."""
import cells  # first: it sets the pins before NumPy is imported
import check
import pytest


def pytest_addoption(parser):
    parser.addoption('--notebook', metavar='FILE',
                     help='check this solved exercise, place by place')
    parser.addoption('--copy', metavar='FILE',
                     help='test this notebook in place of the saved one, as --notebook does')


def pytest_cmdline_main(config):
    if config.option.notebook:
        return check.check(config.option.notebook, config.option.xmlpath)


@pytest.fixture(scope='session')
def copy(request):
    """The notebook whose network is tested: the saved one, or a student's copy."""
    return check.Copy(request.config.option.copy or cells.NOTEBOOK)
