"""The development container is one that tools accept, with what hv asks for.

The rules are the essential ones of the format's schema, for a container that is
made of a Dockerfile: a property that it does not know is refused. The schema:
https://github.com/devcontainers/spec/blob/main/schemas/devContainer.base.schema.json
"""

import re
import shutil
from typing import Annotated

import msgspec
import pytest

from hv.doctor import examine
from tools.check_floors import ROOT

HERE = ROOT / ".devcontainer"
Size = Annotated[str, msgspec.Meta(pattern=r"^\d+([tgmk]b)?$")]
Command = str | list[str] | dict[str, str | list[str]]


class Build(msgspec.Struct, forbid_unknown_fields=True):
    dockerfile: str
    context: str = "."
    target: str = ""
    args: dict[str, str] = {}


class Hardware(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    cpus: Annotated[int, msgspec.Meta(ge=1)] = 1
    memory: Size = "1gb"
    storage: Size = "1gb"


class Container(
    msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    name: str = ""
    build: Build
    features: dict[str, object] = {}
    container_env: dict[str, str] = {}
    remote_env: dict[str, str | None] = {}
    remote_user: str = ""
    cap_add: list[str] = []
    security_opt: list[str] = []
    run_args: list[str] = []
    post_create_command: Command = ""
    host_requirements: Hardware = Hardware()
    customizations: dict[str, dict[str, object]] = {}


def read() -> Container:
    text = (HERE / "devcontainer.json").read_text()
    # JSON with comments; ours stand on lines of their own.
    bare = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
    return msgspec.json.decode(bare, type=Container)


def test_it_is_of_the_form_that_the_schema_asks_for() -> None:
    found = read()
    assert (HERE / found.build.dockerfile).is_file()
    assert found.host_requirements.memory == "4gb"


def test_what_it_does_first_is_a_target_of_the_makefile() -> None:
    command = read().post_create_command
    assert isinstance(command, str)
    make, target = command.split()
    assert make == "make"
    assert re.search(
        rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE
    )


def test_it_has_every_package_that_the_doctor_would_prescribe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    packages = (HERE / "Dockerfile").read_text()
    asked = {
        check.what: check.remedy.removeprefix("apt install ")
        for check in examine()
        if check.remedy.startswith("apt install ")
    }
    assert asked
    del asked["latexmk"]  # large, and for the PDF alone
    asked["make"] = "build-essential"
    assert [name for name, it in asked.items() if it not in packages] == []


def test_it_has_every_package_that_continuous_integration_installs() -> None:
    text = (ROOT / ".ci/run").read_text()
    asked = re.findall(r"missing\+=\(([\w-]+)\)", text)
    packages = (HERE / "Dockerfile").read_text()
    assert asked
    assert [name for name in asked if name not in packages] == []
