"""Options shared by all tests."""

from pipeline.runtime import pin_kernels

pin_kernels()  # before any test imports a kernel


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden")
