"""What holds for the tests of the code, but not for those of the book."""

import os
from pathlib import Path

import pytest

import hv

# Sanitizers look at C. What is Python's alone runs nothing that the rest does
# not; a planted bug that is found is found; and the tools are not ours.
if os.environ.get("HV_SANITIZED"):
    collect_ignore_glob = [
        *("bench/*", "book/*", "install/*", "repo/*", "*/test_planted*.py"),
        # Programs at random are executed in hvp/; these are about finding bugs,
        # and about students, whose cores are built with sanitizers anyhow.
        *("fuzz/*", "isolation/*", "labs/*", "mutation/*", "zoo/*"),
        *("control/test_domains.py", "control/test_units.py"),
        "robust/test_any_command.py",
        *("control/test_hosts_cli.py", "control/test_trace.py"),
        # The scheduler's simulator is a library of its own.
        *("sched/test_shares.py", "sched/test_random.py", "sched/test_edf.py"),
    ]
# What is planted is not what is measured.
elif os.environ.get("HV_COVERAGE"):
    collect_ignore_glob = [
        *("bench/*", "book/*", "install/*", "repo/*", "*/test_planted*.py"),
    ]


@pytest.fixture(scope="session", autouse=True)
def _the_core_is_the_one_that_was_asked_for() -> None:
    """`make sanitize` must not test the ordinary build by accident."""
    where = Path(hv.__file__).parts
    assert ("sanitize" in where) == bool(os.environ.get("HV_SANITIZED"))


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what sanitizers make meaningless: how much memory is used."""
    if not os.environ.get("HV_SANITIZED"):
        return
    out = [item for item in items if item.get_closest_marker("unsanitized")]
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)
