"""`triaged test`: the tests beside the rules, run through the real intake in virtual time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from triaged import config, defaults, rulefiles
from triaged.app import rules_of
from triaged.cli.check import ConfigFile
from triaged.cli.terminal import told
from triaged.clock import SystemClock, seconds
from triaged.configured import default_config
from triaged.core import wording
from triaged.errors import ConfigError
from triaged.replay.ruletests import telling
from triaged.replay.ruletests.coverage import Coverage, coverage, lines
from triaged.replay.ruletests.junit import junit
from triaged.replay.ruletests.outcomes import Result
from triaged.replay.ruletests.reading import CaseFile, files_in, read_all
from triaged.replay.ruletests.running import Runner
from triaged.rulefiles import RuleFiles

_TRIAGE = "triage.yaml"


def run(  # noqa: PLR0913 - one parameter an option
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Rules; else the configuration's.")] = None,
    config_file: ConfigFile = None,
    tests: Annotated[
        list[Path] | None, typer.Option("--tests", help="A file or folder of tests, instead of DIR/tests.")
    ] = None,
    named: Annotated[str, typer.Option("-k", metavar="TEXT", help="Only tests with this text in their name.")] = "",
    report: Annotated[Path | None, typer.Option("--junit", help="Write the results there as JUnit XML.")] = None,
    covered: Annotated[bool, typer.Option("--coverage", help="Show which rules no test met.")] = False,
    fail_under: Annotated[
        float | None, typer.Option(min=0, max=100, help="Fail when fewer per cent of the rules were met.")
    ] = None,
) -> None:
    """Run the tests of the rules: verdicts, and whole lifecycles in virtual time. Exits with 1 when one fails."""
    rules = folder or config.load(config_file or default_config()).rules or defaults.RULES
    read = rulefiles.load(rules)
    files = _chosen(read_all(_paths(tests or [rules / "tests"])), named)
    console = Console(highlight=False, soft_wrap=True)
    began = seconds()
    results = _run(console, read, files)
    every = [result for _, of_file in results for result in of_file]
    failed = [result for result in every if result.failure is not None]
    for result in failed:
        _tell(console, result, read)
    if report is not None:
        _write(report, junit(results, read.rules, SystemClock().now()))
    passed = f"{wording.count(len(every), 'test')}: {len(every) - len(failed):,} passed, {len(failed):,} failed"
    console.print(told(f"{passed}, in {seconds() - began:.1f} s", style="bold"))
    met = coverage(read.rules, every)
    if covered or fail_under is not None:
        _tell_coverage(console, met, rules, read)
    too_few = fail_under is not None and met.share * 100 < fail_under
    if too_few:
        console.print(told(f"expected at least {fail_under:g} % of the rules, got {met.percent}", style="bold red"))
    raise typer.Exit(1 if failed or too_few else 0)


def _paths(given: Iterable[Path]) -> list[Path]:
    """The files of tests, in the order of their names. Raises ConfigError where there is none."""
    found = []
    for path in given:
        files = [path] if path.is_file() else []
        if path.is_dir():
            files = files_in(path)
        if not files:
            raise ConfigError(f"{path}: expected a folder with *.yaml, or a file of tests, got none")
        found += files
    return found


def _chosen(files: Sequence[CaseFile], named: str) -> list[CaseFile]:
    """The files with those tests whose names hold the text. Raises ConfigError where no test is left."""
    wanted = named.lower()
    chosen = [
        CaseFile(name=file.name, cases=tuple(case for case in file.cases if wanted in case.name.lower()))
        for file in files
    ]
    if not any(file.cases for file in chosen):
        which = f"with {named!r} in their name" if named else f"in {', '.join(file.name for file in files)}"
        raise ConfigError(f"expected tests {which}, got none")
    return [file for file in chosen if file.cases]


def _run(console: Console, rules: RuleFiles, files: Sequence[CaseFile]) -> list[tuple[str, list[Result]]]:
    """The results by file; one line a file as soon as it is done."""
    found = []
    width = max(len(file.name) for file in files)
    with Runner(rules_of(rules), rules.sources) as runner:
        for file in files:
            results = [runner.run(case) for case in file.cases]
            failed = sum(result.failure is not None for result in results)
            line = told(f"{file.name:<{width}}  {wording.count(len(results), 'test'):>10}  ")
            line.append(f"{failed:,} failed" if failed else "ok", style="bold red" if failed else "green")
            console.print(line)
            found.append((file.name, results))
    return found


def _tell(console: Console, result: Result, rules: RuleFiles) -> None:
    if result.failure is None:
        return
    console.print()
    console.print(told(f"FAILED {result.case.place}: {result.case.name}", style="bold red"))
    for number, line in enumerate(telling.told(result.case, result.failure, rules.rules)):
        problem = 0 < number <= len(result.failure.problems)
        console.print(told(f"  {line}".rstrip(), style="red" if problem else ""))
    console.print()


def _tell_coverage(console: Console, met: Coverage, folder: Path, rules: RuleFiles) -> None:
    left = {*met.rules_left, *met.growths_left}
    console.print(
        told(
            f"coverage: {met.percent}, {met.rules - len(met.rules_left)} of {wording.count(met.rules, 'rule')}, "
            f"{met.growths - len(met.growths_left)} of {wording.count(met.growths, 'growth condition')}"
        )
    )
    for name, line in lines(rules.files[_TRIAGE]).items():
        if name in left:
            what = "growth condition" if name in met.growths_left else "rule"
            console.print(told(f"  {folder / _TRIAGE}:{line}: no test meets {what} {name}"))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
