"""Our own JSON, for scripts."""

from collections.abc import Sequence

from hv.labs.run import Grade


def plain(grade: Grade, hints: Sequence[str] = ()) -> dict[str, object]:
    """Return a grade as our own JSON: everything, nothing twice."""
    return {
        "lab": grade.number,
        "title": grade.title,
        "score": grade.score,
        "full": grade.full,
        "broken": grade.broken,
        "hints": list(hints),
        "tests": [
            {
                "test": result.award.test,
                "title": result.award.title,
                "points": result.points,
                "max": result.award.points,
                "good": result.good,
                "message": result.message,
                "replay": result.replay,
            }
            for result in grade.results
        ],
    }
