"""One thread for small matrix products: several that wait for each other cost far more than they give."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

# Multiplications of one product below which a second thread does not pay.
SMALL = 1e8


def blas_for(multiplications: float) -> AbstractContextManager[object]:
    """Return a context in which NumPy's matrix products run on one thread, if each has only so many multiplications."""
    return _controller().limit(limits=1, user_api="blas") if multiplications < SMALL else nullcontext()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
