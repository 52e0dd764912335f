"""``capsize replay``: the same plan once more, from a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from capsize.cli.composing import compose_options
from capsize.cli.far import allow_remote_option, see_that_load_is_allowed
from capsize.cli.judging import open_run, run_argument
from capsize.cli.options import (
    base_url_option,
    json_option,
    keep_option,
    options,
    output_option,
    port_option,
    program,
    verbose_option,
    writable,
)
from capsize.cli.targets import checked, report_option


@click.command("replay", short_help="Carry out a recorded plan again.")
@run_argument
@click.option("--platform", help="Where the system runs. Default: as in the recorded run.")
@click.option("--system", help="Which system is tested. Default: as in the recorded run.")
@options(
    output_option, verbose_option, json_option, keep_option, base_url_option, allow_remote_option, port_option
)
@compose_options
@report_option
def replay_command(run: Path, output: Path, **given: Any) -> int:
    """Carry out the plan of a recorded run again, byte for byte, into a new run directory.

    What the service and the machine do with it may differ; what capsize does to them does not.
    """
    from capsize.cli.composing import planned, see_that_it_fits, with_containers
    from capsize.cli.invocation import Invocation, carry_out
    from capsize.cli.parts import choose_platform, choose_system
    from capsize.core.errors import UsageError
    from capsize.systems.compose.system import PREFIX

    directory = open_run(run)
    if given["base_url"] is not None:
        see_that_load_is_allowed(given["base_url"], given["allow_remote_load"])
    experiment = directory.experiment()
    platform, name = _recorded(directory.history_path)
    composed, adapter = name.startswith(PREFIX), name.removeprefix(PREFIX)
    if composed and given["compose"] is None:
        raise UsageError(f"{run} is of a compose project; name its file with --compose")
    see_that_it_fits(given | {"platform": given["platform"] or platform}, given["system"] or adapter)
    project = None if given["compose"] is None else planned(given)
    system = choose_system(given["system"] or adapter, given["port"])
    if project is not None:
        system = with_containers(system, project, lambda line: click.echo(line, err=given["as_json"]))
    return carry_out(
        Invocation(
            experiments=(experiment,),
            system=system,
            platform=choose_platform("docker" if project else given["platform"] or platform),
            output=writable(output),
            base_url=given["base_url"],
            keep=given["keep"],
            verbose=given["verbose"],
            as_json=given["as_json"],
            reports=checked(given["reports"]),
            command=f"{program()} replay {run}",
        )
    )


def _recorded(history: Path) -> tuple[str, str]:
    """Return the platform and system of the recorded run; the defaults when it never began.

    A run against a base URL was on no platform that can be named: it is replayed on the default one
    unless a base URL is given again.
    """
    from capsize import journal
    from capsize.core.errors import HistoryError
    from capsize.platforms import NAMES

    try:
        began = journal.read(history).began
    except HistoryError:
        began = None
    platform = began.platform if began and began.platform in NAMES else "local"
    return platform, (began.system if began and began.system else "starter")
