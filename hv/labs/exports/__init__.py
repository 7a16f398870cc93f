"""What other programs read: a grade in the formats of teaching platforms."""

import json
from collections.abc import Mapping, Sequence

from hv.labs.exports import classroom50, gradescope, junit, ours, prairielearn
from hv.labs.run import Grade

FORMATS = ("json", "gradescope", "prairielearn", "classroom50", "junit")


def export(
    grade: Grade,
    form: str,
    about: Mapping[str, str],
    hints: Sequence[str] = (),
) -> str:
    """Return a grade in one of :data:`FORMATS`.

    :param about: what Classroom 50 wants to know besides.
    :param hints: that the student took, where a format has a place for what
        only instructors see.
    :raises UsageError: some of that is missing.
    """
    match form:
        case "gradescope":
            found = gradescope.results(grade, hints)
        case "prairielearn":
            found = prairielearn.results(grade)
        case "classroom50":
            found = classroom50.results(grade, about)
        case "junit":
            return junit.results(grade, hints)
        case _:
            found = ours.plain(grade, hints)
    return json.dumps(found, indent=2) + "\n"
