"""Gradescope: ``results.json``, and the zip that an assignment is made from.

The format: https://gradescope-autograders.readthedocs.io/en/latest/specs/ , and
``submission_metadata/`` there, which says who a submission is of.
The zip holds ``setup.sh``, which Gradescope runs once when it builds its image
(the wheels are in the zip: no network), and ``run_autograder``, which it runs
for every submission in ``/autograder``.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from hv.errors import UsageError
from hv.labs.run import Grade

_SETUP = """\
#!/bin/sh
# Run once, when the image is built. Everything that is needed is beside it,
# but Python 3.11 with its venv module and a C compiler: choose a base image
# that has them, or a wheel of ziglang, which is a compiler.
set -e
root=${{AUTOGRADER:-/autograder}}
wheels=$root/source/wheels
extras=labs
for wheel in "$wheels"/ziglang-*.whl; do
    if [ -f "$wheel" ]; then extras=labs,guests; fi
done
# An environment of its own: pip refuses to change that of newer systems.
python3 -m venv "$root/hv"
"$root/hv/bin/python" -m pip install --quiet --no-index \\
    --find-links "$wheels" "microhv[$extras]"
# What is compiled here is not compiled for each submission.
export XDG_CACHE_HOME="$root/cache"
"$root/hv/bin/hv" lab prepare {number}
"""
_RUN = """\
#!/bin/sh
# Run for every submission. The results are written whatever happens.
root=${{AUTOGRADER:-/autograder}}
export XDG_CACHE_HOME="$root/cache"
cd "$root" || exit 1
exec 3< /dev/null
if [ -f source/course.key ]; then
    exec 3< source/course.key
    rm -f source/course.key   # the submission must not read it
fi
# Every student has a variant of their own, and so has a group.
python=hv/bin/python
[ -x "$python" ] || python=python3
student=$("$python" -c 'import json
users = json.load(open("submission_metadata.json"))["users"]
print(min(user["email"] for user in users))' 2> /dev/null)
${{HV:-hv/bin/hv}} lab grade {number} -C submission --key-file /dev/fd/3 \\
    --student "$student" --as gradescope -o results/results.json 3<&3
test -f results/results.json
"""


def results(grade: Grade, hints: Sequence[str] = ()) -> dict[str, object]:
    """Return what goes into ``results.json``.

    :param hints: that were taken; Gradescope shows a hidden test to
        instructors alone.
    """
    tests: list[dict[str, object]] = [
        {
            "number": str(number),
            "name": result.award.title,
            "score": result.points,
            "max_score": result.award.points,
            "status": "passed" if result.good else "failed",
            "output": _output(result.message, result.replay),
            "output_format": "text",
            "visibility": "visible",
        }
        for number, result in enumerate(grade.results, 1)
    ]
    if hints:
        tests.append(
            {
                "name": "hints taken",
                "score": 0,
                "max_score": 0,
                "output": "\n".join(hints),
                "output_format": "text",
                "visibility": "hidden",
            }
        )
    return {
        "output": grade.broken,
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def _output(message: str, replay: str) -> str:
    return f"{message}\nagain: {replay}" if message and replay else message


def pack(number: int, to: Path, wheels: Sequence[Path], key: str = "") -> None:
    """Write the zip of a lab's assignment, the same every time.

    :param wheels: of hv and of what it needs, for an image without network.
    :param key: of the course, for hidden variants.
    :raises UsageError: a wheel is no file.
    """
    members: list[tuple[str, bytes, int]] = [
        ("setup.sh", _SETUP.format(number=number).encode(), 0o755),
        ("run_autograder", _RUN.format(number=number).encode(), 0o755),
    ]
    if key:
        members.append(("course.key", key.encode(), 0o600))
    for wheel in sorted(wheels):
        if not wheel.is_file():
            raise UsageError(f"{wheel} is no wheel")
        members.append((f"wheels/{wheel.name}", wheel.read_bytes(), 0o644))
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, mode in members:
            info = zipfile.ZipInfo(name)  # of 1980: no clock
            info.external_attr = (0o100000 | mode) << 16
            archive.writestr(info, data)
