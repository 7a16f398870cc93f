"""Some of these tests build with Sphinx, which others do without."""

from importlib.util import find_spec

if find_spec("sphinx") is None:
    collect_ignore = ["test_builds.py"]
