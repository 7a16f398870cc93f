"""Run one test on a core with a bug in it: tests/guest/bugged.py says how.

Which test, an environment variable says: the arguments are the core's.
"""

import os
import sys

import pytest

if __name__ == "__main__":
    test = os.environ["HV_PLANTED_TEST"]
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-n", "0", test]))
