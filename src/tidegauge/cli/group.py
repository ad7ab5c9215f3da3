"""The command group, how it ends, and its entry point."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

import tidegauge as tg
from tidegauge.cli.archives import compact, judge, watch, windows
from tidegauge.cli.attribution import attribution
from tidegauge.cli.bench import bench
from tidegauge.cli.fairness import fairness
from tidegauge.cli.gates import compare, scan
from tidegauge.cli.labels import label
from tidegauge.cli.outcomes import performance
from tidegauge.cli.profiles import profile, reference, show
from tidegauge.cli.slices import slices
from tidegauge.errors import TidegaugeError
from tidegauge.tables import printable

ERROR = 2
EXPECTED = (TidegaugeError, OSError, MemoryError)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(tg.__version__, prog_name="tidegauge")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Watch machine-learning models in production: profile data, compare it with a reference."""


COMMANDS = (
    *(profile, reference, show, compare, scan),
    *(performance, slices, fairness, attribution),
    *(watch, label, judge, windows, compact, bench),
)
for command in COMMANDS:
    cli.add_command(command)


def fail(error: BaseException) -> NoReturn:
    """Print one line on stderr and exit with code 2."""
    words = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        words = f"out of memory ({words}): profile fewer files at a time, or with --accumulators light"
    click.echo(f"tidegauge: {printable(words, None)}", err=True)
    raise SystemExit(ERROR) from None


def main() -> None:
    """Run the command line; the console script's entry point."""
    debug = "--debug" in sys.argv[1:]
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        raise SystemExit(ERROR) from None
    except click.Abort:  # Ctrl-C
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of our output has gone, which is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(0) from None
    except EXPECTED as error:
        if debug:
            raise
        fail(error)
