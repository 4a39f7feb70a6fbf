"""What a run of the report says on the terminal: stages with reasons, progress, time left."""

import time

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from realfake_lib import console
from realfake_lib.report import values

PLAIN_EVERY = 30.0  # seconds between two lines of progress where the output is no terminal


class Terminal:
    """Prints the course of a run; a live display on a terminal, a line now and then elsewhere.

    Parameters
    ----------
    output : rich.console.Console, optional
    """

    def __init__(self, output=None):
        self.console = output or Console(highlight=False)
        self._progress = None
        self._tasks, self._started, self._last_line = {}, {}, {}
        self._left = None

    def say(self, text, style=None):
        self.console.print(escape(console.printable(text)), style=style, soft_wrap=True)

    def data(self, identity, asked):
        """Say which data are used; loudly if the demo set stands in for the real one."""
        if identity.is_demo and asked != "demo":
            self.console.print(
                Panel(
                    escape(
                        "THIS RUN DOES NOT USE CIFAKE. The data are not available, so the small "
                        "embedded demo set takes its place, and no number of this report says "
                        "anything about CIFAKE.\n\n"
                        + "".join(f"{notice}\n" for notice in identity.notices)
                        + "\nSet REALFAKE_DATA to the archive or a folder, or allow the download; "
                        "DATA=cifake never falls back."
                    ),
                    title="DEMO DATA",
                    style="bold white on red",
                )
            )
            return
        self.say(f"data: {identity.name}, {identity.n:,} images, {identity.source}")
        for notice in identity.notices:
            self.say(f"data: {notice}", "yellow")

    def skipped(self, state, place):
        self.say(f"{place} {state.name}: unchanged since {state.since}: skipped", "dim")

    def started(self, state, place, left):
        reason = "; ".join(state.reasons)
        self.say(
            f"{place} {state.name}: runs, {reason} (about {duration(state.estimate)}; "
            f"{duration(left)} in all)"
        )
        self._started[state.name] = self._last_line[state.name] = time.monotonic()
        if self.console.is_terminal:
            if self._progress is None:
                self._progress = Progress(
                    TextColumn("{task.fields[place]} {task.fields[stage]}"),
                    TextColumn("{task.description}"),
                    BarColumn(bar_width=20),
                    TimeElapsedColumn(),
                    TimeRemainingColumn(),
                    TextColumn("{task.fields[left]}"),
                    console=self.console,
                    transient=True,
                )
                self._progress.start()
            self._tasks[state.name] = self._progress.add_task(
                "starting", total=None, place=place, stage=state.name, left=""
            )

    def progress(self, name, line, left, late=False):
        """Show the newest line of a stage's progress file, or None where there is none yet.

        ``left`` are seconds until the end of the run; ``late`` says that a stage takes longer than
        it was estimated to, so that nobody knows how much longer.
        """
        line = line or {"message": "starting", "done": None, "total": None, "unit": ""}
        amount = f" {line['done']:g}/{line['total']:g} {line['unit']}" if line["total"] else ""
        if name in self._tasks:
            self._progress.update(
                self._tasks[name],
                description=escape(line["message"] + amount),
                completed=line["done"] or 0,
                total=line["total"],
                left=f"{'more than ' if late else ''}{duration(left)} left in all",
            )
        elif time.monotonic() - self._last_line[name] >= PLAIN_EVERY:
            self._last_line[name] = time.monotonic()
            elapsed = duration(time.monotonic() - self._started[name])
            text = f"  {name}: {line['message']}{amount}, {elapsed} so far"
            self.say(f"{text}, {'more than' if late else 'about'} {duration(left)} left in all")

    def finished(self, state, place, seconds):
        self._end(state.name)
        self.say(f"{place} {state.name}: done in {duration(seconds)}", "green")

    def failed(self, failure):
        self._end(failure.stage)
        self.say(str(failure), "bold red")

    def waits(self, place, name, inputs):
        self.say(f"{place} {name}: not run, it reads {', '.join(inputs)}", "bold red")

    def incomplete(self, stages):
        names = ", ".join(dict.fromkeys(stages))
        self.say(
            f"NOT COMPLETE: {names} failed, see above. The same command carries on from here.",
            "bold red",
        )

    def close(self):
        """End the live display, also after an error."""
        if self._progress is not None:
            self._progress.stop()
            self._progress, self._tasks = None, {}

    def _end(self, name):
        if name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))
        if self._progress is not None and not self._tasks:
            self.close()

    def status(self, plan, states):
        """Table of what a run would do."""
        title = f"profile {plan.profile}, data {plan.data}, seed {plan.seed}"
        table = Table(title=escape(console.printable(title)))
        for heading, justify in (
            ("stage", "left"),
            ("would run", "left"),
            ("why", "left"),
            ("estimate", "right"),
            ("last time", "right"),
        ):
            table.add_column(heading, justify=justify, overflow="fold")
        for state in states:
            table.add_row(
                state.name,
                "yes" if state.reasons else "no",
                escape(
                    console.printable("; ".join(state.reasons)) or f"unchanged since {state.since}"
                ),
                duration(state.estimate) if state.reasons else "–",
                duration(state.last_seconds) if state.last_seconds is not None else "–",
            )
        self.console.print(table)
        total = sum(state.estimate for state in states if state.reasons)
        self.say(f"A run would take about {duration(total)}." if total else "Nothing to run.")


def duration(seconds):
    """``95`` → ``"1 min 35 s"``, in whole seconds and characters that any terminal shows."""
    return values.duration(max(0, round(seconds))).replace(values.NBSP, " ")
