"""What other programs accept, as types: unknown or missing keys are refused.

Derived from their documentation, which names no machine-readable schema:

- Gradescope: https://gradescope-autograders.readthedocs.io/en/latest/specs/
- PrairieLearn: https://docs.prairielearn.com/externalGrading/
- Classroom 50: its result schema, ``classroom50/result/v1``
"""

from typing import Annotated, Literal

import msgspec

Points = Annotated[float, msgspec.Meta(ge=0)]
Whole = Annotated[int, msgspec.Meta(ge=0)]
Visibility = Literal["hidden", "after_due_date", "after_published", "visible"]
Format = Literal["text", "simple_format", "html", "md", "ansi"]


class GradescopeTest(msgspec.Struct, forbid_unknown_fields=True):
    score: Points | None = None
    max_score: Points | None = None
    status: Literal["passed", "failed"] | None = None
    name: str = ""
    name_format: Format = "text"
    number: str = ""
    output: str = ""
    output_format: Format = "text"
    tags: list[str] = []
    visibility: Visibility = "visible"
    extra_data: dict[str, object] = {}


class Gradescope(msgspec.Struct, forbid_unknown_fields=True):
    tests: list[GradescopeTest] | None = None
    score: Points | None = None  # either this, or those of the tests
    execution_time: Points | None = None
    output: str = ""
    output_format: Format = "text"
    test_output_format: Format = "text"
    test_name_format: Format = "text"
    visibility: Visibility = "visible"
    stdout_visibility: Visibility = "hidden"
    extra_data: dict[str, object] = {}


class PrairieLearnTest(msgspec.Struct, forbid_unknown_fields=True):
    points: Points
    max_points: Points
    name: str = ""
    description: str = ""
    message: str = ""
    output: str = ""


class PrairieLearn(msgspec.Struct, forbid_unknown_fields=True):
    score: Annotated[float, msgspec.Meta(ge=0, le=1)]
    gradable: bool = True
    format_errors: str | list[str] = ""
    message: str = ""
    output: str = ""
    tests: list[PrairieLearnTest] = []


class Classroom50Test(msgspec.Struct, rename="kebab"):
    test_name: str
    passed: bool
    score: Whole
    max_score: Whole


class Classroom50(
    msgspec.Struct,
    forbid_unknown_fields=True,
    rename={"max_score": "max-score"},
):
    schema: Literal["classroom50/result/v1"]
    classroom: str
    assignment: str
    assignment_type: str
    owner: str
    submission: Annotated[str, msgspec.Meta(pattern="^submit/")]
    commit: str
    release: str
    review: str
    datetime: str
    score: Whole
    max_score: Whole
    tests: list[Classroom50Test]
