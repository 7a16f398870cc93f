"""A Dask cluster: several computers that have hv installed.

What is long and can be done in pieces (campaigns of programs, grading a class)
is done there, by address.
"""

from typing import Any

from hv.errors import UsageError


def connect(address: str, *, timeout: str = "10s") -> Any:  # noqa: ANN401 -- distributed has no types
    """Return a client of the cluster.

    :param address: of the scheduler, ``tcp://host:8786``.
    :raises UsageError: if there is no scheduler, or no ``distributed``.
    """
    try:
        import distributed  # noqa: PLC0415 -- an extra
    except ImportError:
        raise UsageError(
            "--dask needs the package `distributed`: "
            "pip install 'microhv[dask]'"
        ) from None
    try:
        return distributed.Client(address, timeout=timeout)
    except (OSError, ValueError) as error:
        raise UsageError(f"--dask {address}: {error}") from None
