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
        self._bars = None
        self._tasks, self._last_line = {}, {}

    def say(self, text, style=None):
        self.console.print(escape(console.printable(text)), style=style, soft_wrap=True)

    def data(self, identity, asked):
        """Say which data are used; loudly if the demo set stands in for the real one."""
        if identity.is_demo and asked != "demo":
            words = (
                "THIS RUN DOES NOT USE CIFAKE. The data are not available, so the small embedded "
                "demo set takes its place, and no number of this report says anything about CIFAKE."
                "\n\n" + "".join(f"{notice}\n" for notice in identity.notices) + "\n"
                "Set REALFAKE_DATA to the archive or a folder, or allow the download; DATA=cifake "
                "never falls back."
            )
            style = "bold white on red"
            self.console.print(Panel(escape(words), title="DEMO DATA", style=style))
            return
        self.say(f"data: {identity.name}, {identity.n:,} images, {identity.source}")
        for notice in identity.notices:
            self.say(f"data: {notice}", "yellow")

    def started(self, state, place, left):
        """Say why a stage runs; ``left`` are seconds until the end of the run."""
        times = f"(about {duration(state.estimate)}; {duration(left)} in all)"
        self.say(f"{place} {state.name}: runs, {'; '.join(state.reasons)} {times}")
        self._last_line[state.name] = time.monotonic()
        if self.console.is_terminal:
            if self._bars is None:
                columns = (
                    TextColumn(f"{place} {{task.fields[stage]}}: {{task.description}}"),
                    BarColumn(bar_width=20),
                    TimeElapsedColumn(),
                    TimeRemainingColumn(),
                    TextColumn("{task.fields[left]}"),
                )
                self._bars = Progress(*columns, console=self.console, transient=True)
                self._bars.start()
            task = self._bars.add_task("starting", total=None, stage=state.name, left="")
            self._tasks[state.name] = task

    def progress(self, name, line, left):
        """Show the newest line of a stage's progress file, or None where there is none yet."""
        line = line or {"message": "starting", "done": None, "total": None, "unit": ""}
        amount = f" {line['done']:g}/{line['total']:g} {line['unit']}" if line["total"] else ""
        text, left = line["message"] + amount, f"{duration(left)} left in all"
        if name in self._tasks:
            self._bars.update(
                self._tasks[name],
                description=escape(text),
                completed=line["done"] or 0,
                total=line["total"],
                left=left,
            )
        elif time.monotonic() - self._last_line[name] >= PLAIN_EVERY:
            self._last_line[name] = time.monotonic()
            self.say(f"  {name}: {text}, about {left}")

    def end(self, name):
        """Take a stage that has ended out of the live display."""
        if name in self._tasks:
            self._bars.remove_task(self._tasks.pop(name))

    def close(self):
        """End the live display, also after an error."""
        if self._bars is not None:
            self._bars.stop()

    def status(self, plan, states):
        """Table of what a run would do."""
        title = f"profile {plan.profile}, data {plan.data}, seed {plan.seed}"
        table = Table(title=escape(console.printable(title)))
        for heading in ("stage", "would run", "why"):
            table.add_column(heading, overflow="fold")
        for heading in ("estimate", "last time"):
            table.add_column(heading, justify="right", overflow="fold")
        for state in states:
            why = "; ".join(state.reasons) or f"unchanged since {state.since}"
            table.add_row(
                state.name,
                "yes" if state.reasons else "no",
                escape(console.printable(why)),
                duration(state.estimate) if state.reasons else "–",
                duration(state.record["seconds"]) if state.record else "–",
            )
        self.console.print(table)
        total = sum(state.estimate for state in states if state.reasons)
        self.say(f"A run would take about {duration(total)}." if total else "Nothing to run.")


def duration(seconds):
    """``95`` → ``"1 min 35 s"``, in whole seconds and characters that any terminal shows."""
    return values.duration(max(0, round(seconds))).replace(values.NBSP, " ")
