"""PrairieLearn: ``/grade/results/results.json`` of an external grader.

The format: https://docs.prairielearn.com/externalGrading/ . What does not
compile is `not gradable`, so that it does not use up an attempt.
"""

from hv.labs.run import Grade

LARGEST = 20_000  # characters of all messages: results may have 1 MB in all


def results(grade: Grade) -> dict[str, object]:
    """Return what goes into ``results.json``."""
    if grade.broken:
        return {
            "gradable": False,
            "score": 0.0,
            "format_errors": [grade.broken],
        }
    each = LARGEST // max(1, len(grade.results))
    return {
        "gradable": True,
        "score": grade.score / grade.full if grade.full else 0.0,
        "tests": [
            {
                "name": result.award.title,
                "description": result.award.test,
                "points": result.points,
                "max_points": result.award.points,
                "message": result.replay,
                "output": result.message[:each],
            }
            for result in grade.results
        ],
    }
