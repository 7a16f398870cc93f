"""What is generated says what csrc/abi says."""

import pytest

from hv.abi import Hypercall
from tools import gen_abi


def test_generated_files_are_up_to_date() -> None:
    assert gen_abi.main(["--check"]) == 0, "run: python tools/gen_abi.py"


def test_every_hypercall_has_its_number_in_python() -> None:
    text = (gen_abi.ABI / "hypercalls.def").read_text()
    rows = {call.name.upper(): call.number for call in gen_abi.calls(text)}
    assert rows == {call.name: call.value for call in Hypercall}


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ('HYPERCALL(0, a, 1, 1, "", "x")', "1 arguments"),
        (
            'HYPERCALL(0, a, 0, 1, "", "x") HYPERCALL(0, b, 0, 1, "", "x")',
            "number is used twice",
        ),
        (
            'HYPERCALL(0, a, 0, 1, "", "x") HYPERCALL(1, a, 0, 1, "", "x")',
            "name is used twice",
        ),
        ('HYPERCALL(a, 0, 0, 1, "", "x")', "not of the documented form"),
    ],
)
def test_a_malformed_table_is_refused(rows: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        gen_abi.calls(rows)
