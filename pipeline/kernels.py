"""How kernels are compiled: once per signature, kept on disk, without the interpreter's lock.

Numba wraps every function twice, to be called from Python and from C. Nothing here is called from C;
what only other kernels call needs no wrapper at all. Compiling them was a fifth of the time.
"""

from __future__ import annotations

from functools import partial

from numba import njit

kernel = partial(njit, cache=True, nogil=True, no_cfunc_wrapper=True)
"""Decorator, used as ``@kernel()``; takes what ``numba.njit`` takes."""

inner = partial(kernel, no_cpython_wrapper=True)
"""The same for what is called from kernels only: Python cannot call it."""
