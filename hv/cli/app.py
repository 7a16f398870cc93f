"""The commands, and what becomes of an error.

Exit status: 0 the guest powered off with success, 1 it failed, 2 wrong
usage, 3 the hypervisor killed it, 4 its budget ran out, 70 a bug of ours,
130 Ctrl-C.
"""

import json
import signal
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches

import rich_click as click
from click.exceptions import NoArgsIsHelpError

from hv.cli import options
from hv.cli.back import back
from hv.cli.bench import bench
from hv.cli.compare import compare
from hv.cli.covert import covert
from hv.cli.explore import explore
from hv.cli.fuzz import fuzz
from hv.cli.gdb import gdb
from hv.cli.lab import lab
from hv.cli.replay import replay
from hv.cli.run import run
from hv.cli.snapshot import restore, snapshot
from hv.cli.table import table
from hv.cli.top import top
from hv.cli.trace import gantt, trace
from hv.cli.up import up
from hv.cli.views import frames, pt, walk
from hv.cli.zoo import zoo
from hv.errors import HvError, HypervisorBug

INTERRUPTED = 130
REPORT = "this is a bug in hv: please report it, with the command you ran"


class Commands(click.RichGroup):
    """A group that says what a mistyped command may have meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            near = get_close_matches(args[0], names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ", ".join(names)
            ctx.fail(f"no command {args[0]!r}: {hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}
)
def app() -> None:
    """Run kernels under a microhypervisor, and see what that takes."""


app.add_command(run)
app.add_command(replay)
app.add_command(back)
app.add_command(gdb)
app.add_command(restore)
app.add_command(snapshot)
app.add_command(compare)
app.add_command(walk)
app.add_command(pt)
app.add_command(frames)
app.add_command(bench)
app.add_command(up)
app.add_command(top)
app.add_command(trace)
app.add_command(gantt)
app.add_command(explore)
app.add_command(zoo)
app.add_command(fuzz)
app.add_command(covert)
app.add_command(lab)


@app.command()
@options.as_json
def images(*, as_json: bool) -> None:
    """List the guests that come with hv."""
    from hv import images as shipped  # noqa: PLC0415 -- lazily

    found = shipped.available()
    if as_json:
        rows = [
            {
                "name": image.name,
                "kind": image.kind,
                "style": image.style,
                "styles": list(image.styles),
                "expect": image.expect,
                "path": str(image.path),
                "description": image.description,
            }
            for image in found.values()
        ]
        print(json.dumps({"images": rows}))
        return
    if not found:
        raise HvError(shipped.missing())
    rows_of_text = [
        (i.name, i.kind, " ".join(i.styles), i.description)
        for i in found.values()
    ]
    print(table(("NAME", "KIND", "STYLES", ""), rows_of_text, right=()))


@app.group()
def guests() -> None:
    """Make the guests that come with hv."""


@guests.command()
@click.option("--only", multiple=True, metavar="NAME", help="Only this one.")
@click.option("--compiler", metavar="CC", help="gcc, clang or zig.")
def build(*, only: tuple[str, ...], compiler: str | None) -> None:
    """Build the images of a checkout, where `hv run` finds them."""
    from hv import guestcc  # noqa: PLC0415 -- lazily
    from hv import images as shipped  # noqa: PLC0415

    folder = shipped.source()
    if folder is None:
        raise HvError(
            "there is nothing to build here: no guestkernel/images.toml; "
            "change to a checkout of hv"
        )
    try:
        built = guestcc.build_images(
            folder,
            shipped.FOLDER,
            only or None,
            compiler=guestcc.find_compiler(compiler),
            report=print,
        )
    except (guestcc.NoCompiler, guestcc.BuildError, OSError) as error:
        raise HvError(str(error)) from None
    print(f"{len(built)} images in {shipped.FOLDER}")


@app.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []}
)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def cc(*, args: tuple[str, ...]) -> int:
    """Compile a guest of your own; `hv cc --help` says how."""
    from hv import guestcc  # noqa: PLC0415 -- lazily

    return guestcc.main(["cc", *args])


@app.command()
@click.option("--scale", type=click.IntRange(1), help="How much work.")
def demo(*, scale: int | None) -> None:
    """Boot two kernels and an attacker side by side; compare the styles."""
    from hv import demo as show  # noqa: PLC0415 -- lazily

    show.main(scale or show.SCALE)


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import (  # noqa: PLC0415 -- lazily
        PackageNotFoundError,
    )
    from importlib.metadata import version as of  # noqa: PLC0415

    from hv import core  # noqa: PLC0415

    try:
        package = of("microhv")
    except PackageNotFoundError:
        package = "not installed"
    print(f"hv {package}, core {core.version()}")


@app.command()
def doctor() -> int:
    """Say what is missing on this computer, and how to get it."""
    from hv.doctor import examine, verdict  # noqa: PLC0415 -- lazily

    checks = examine()
    for check in checks:
        print(f"{check.mark:8} {check.what:18} {check.found}")
        if check.remedy:
            print(f"{'':8} {'':18} {check.remedy}")
    print(verdict(checks))
    return 0 if all(check.good or not check.needed for check in checks) else 1


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status.

    :param args: without the name of the command; default those of the process.
    """
    if args is None:
        # A reader that has seen enough (`hv run ... | head`) ends us quietly.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        args = sys.argv[1:]
    try:
        status = app.main(list(args), prog_name="hv", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 -- the last resort
        return _explain(error)
    return status if isinstance(status, int) else 0


def _explain(error: BaseException) -> int:
    """Print what went wrong, in a line if it is no bug; return the status."""
    if isinstance(error, SystemExit):  # argparse, in `hv cc --help`
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if isinstance(error, click.ClickException):
        say(error.format_message())
        return error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        say("interrupted")
        return INTERRUPTED
    if isinstance(error, HvError) and not isinstance(error, HypervisorBug):
        say(str(error))
        return error.exit_code
    if isinstance(error, HypervisorBug):
        say(str(error))
    else:
        traceback.print_exception(error)
    say(REPORT)
    return HypervisorBug.exit_code


def say(line: str) -> None:
    """Print a line for the person at the terminal, not for the output."""
    print(f"hv: {line}", file=sys.stderr)
