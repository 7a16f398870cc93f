"""Any bytes: refused without a trace, or what everything holds for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.snapshot_files.drawn import Kind, edited, spliced
from tests.snapshot_files.images import RECORDS, Image, fields
from tests.snapshot_files.test_bad_hosts import HOSTS
from tests.snapshot_files.test_bad_images import VMS

each_kind = pytest.mark.parametrize("kind", [VMS, HOSTS], ids=lambda k: k.name)


@each_kind
@given(data=st.data())
@settings(deadline=None)
def test_with_other_values(kind: Kind, data: st.DataObject) -> None:
    kind.survives(data.draw(edited(kind)))


@each_kind
@given(data=st.data())
@settings(deadline=None)
def test_cut_and_put_together(kind: Kind, data: st.DataObject) -> None:
    kind.survives(data.draw(spliced(kind)))


@each_kind
@given(sections=st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes(kind: Kind, sections: bytes) -> None:
    kind.survives(sections)
    kind.survives(kind.framed(sections))


@pytest.mark.parametrize("tag", RECORDS)
def test_the_lists_of_fields_are_the_format(tag: str) -> None:
    *_, last = fields(RECORDS[tag]).values()
    body = Image.parse(HOSTS.goods[0]()).section(tag)
    assert last.at < len(body) <= last.at + 32 * last.size
