"""Options shared by all tests."""

from pipeline.runtime import pin_kernels

pin_kernels()  # before any test imports a kernel


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden")


def pytest_collection_modifyitems(items):
    """Files that take longest first, so that at the end no process waits long for the other."""
    slow = {"workflow": 0, "engines": 1}
    items.sort(key=lambda item: slow.get(item.path.parent.name, len(slow)))
