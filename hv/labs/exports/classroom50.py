"""Classroom 50: a result of the schema ``classroom50/result/v1``.

Its top level has the keys that its schema names and no others; points are
integers. What a grade cannot know (whose repository, which commit, when) is
given from outside.
"""

from collections.abc import Mapping

from hv.errors import UsageError
from hv.labs.run import Grade

SCHEMA = "classroom50/result/v1"
ABOUT = (
    *("classroom", "assignment", "assignment_type", "owner", "submission"),
    *("commit", "release", "review", "datetime"),
)


def results(grade: Grade, about: Mapping[str, str]) -> dict[str, object]:
    """Return the result.

    :param about: a value for each name of :data:`ABOUT`.
    :raises UsageError: one is missing or unknown, or ``submission`` is no tag
        ``submit/...``.
    """
    missing = [name for name in ABOUT if name not in about]
    unknown = sorted(set(about) - set(ABOUT))
    if missing or unknown:
        wrong = (missing or unknown)[0]
        raise UsageError(
            f"{wrong}: {'missing' if missing else 'unknown'}; "
            f"it takes {', '.join(ABOUT)}"
        )
    if not about["submission"].startswith("submit/"):
        raise UsageError("submission: a tag that begins with submit/")
    return {
        "schema": SCHEMA,
        **{name: about[name] for name in ABOUT},
        "score": grade.score,
        "max-score": grade.full,
        "tests": [
            {
                "test-name": result.award.title,
                "passed": result.good,
                "score": result.points,
                "max-score": result.award.points,
                "message": result.message,
            }
            for result in grade.results
        ],
    }
