"""What holds for every test, in tests/ and in docs/ alike."""

import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# For `from tests.x import y`. Last, so that the installed hv is the one tested.
sys.path.append(str(Path(__file__).parent))

# No profile has a deadline, and none minds slow examples: no verdict depends
# on a wall clock. A failure prints the blob that reproduces it.
settings.register_profile(
    "dev",
    max_examples=50,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("dev"), max_examples=100)
settings.register_profile(
    "nightly", settings.get_profile("dev"), max_examples=20_000
)
settings.load_profile(os.environ.get("HV_TEST_PROFILE", "dev"))

# It also draws constants that stand in any module of ours that is loaded. What
# it draws, and so what is found, would depend on which tests are run with it.
vars(providers).update(is_local_module_file=lambda _: False)

# A script that starts us in the background lets SIGINT be ignored, also by the
# commands that tests start, and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

NO_SKIP = bool(os.environ.get("HV_NO_SKIP"))


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """With HV_NO_SKIP, a tool that is missing is a failure."""
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        _, _, reason = (
            report.longrepr
            if isinstance(report.longrepr, tuple)
            else (None, None, report.longrepr)
        )
        report.outcome = "failed"
        report.longrepr = f"HV_NO_SKIP is set, so this may not happen: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Look at the outcome of each test."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    """Look at modules that skip themselves as a whole."""
    report = yield
    _refuse_skip(report)
    return report
