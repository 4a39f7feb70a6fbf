"""What a run of the report says on the terminal: stages with reasons, progress, time left."""

import time

from rich.console import Console
from rich.markup import escape

from realfake_lib import console
from realfake_lib.report import values

PLAIN_EVERY = 30.0  # seconds between two lines of progress where the output is no terminal


class Terminal:
    """Prints the course of a run; a live line on a terminal, a line now and then elsewhere."""

    def __init__(self, output=None):
        self.console = output or Console(highlight=False)
        self._live = self.console.status("")
        self._last_line = time.monotonic()

    def say(self, text, style=None):
        self.console.print(escape(console.printable(text)), style=style, soft_wrap=True)

    def data(self, identity, asked):
        """Say which data are used; loudly if the demo set stands in for the real one."""
        if identity.is_demo and asked != "demo":
            words = (
                "THIS RUN DOES NOT USE CIFAKE. The data are not available, so the small embedded "
                "demo set takes its place, and no number of this report says anything of CIFAKE.",
                *identity.notices,
                "Set REALFAKE_DATA to the archive or a folder, or allow the download; DATA=cifake "
                "never falls back.",
            )
            self.say("\n\n".join(words), "bold white on red")
            return
        self.say(f"data: {identity.name}, {identity.n:,} images, {identity.source}")
        for notice in identity.notices:
            self.say(f"data: {notice}", "yellow")

    def progress(self, stages, left):
        """Show the newest lines of the running stages' progress, None where there is none yet."""
        texts = []
        for name, line in stages.items():
            counted = "{done:g}/{total:g} {unit}".format(**line) if line and line["total"] else ""
            texts.append(f"{name}: {line['message'] if line else 'starting'} {counted}".rstrip())
        text = f"{'; '.join(texts)}, about {left} left in all"
        if self.console.is_terminal:
            self._live.start()
            self._live.update(escape(console.printable(text)))
        elif time.monotonic() - self._last_line >= PLAIN_EVERY:
            self._last_line = time.monotonic()
            self.say(f"  {text}")

    def close(self):
        """End the live line, also after an error."""
        self._live.stop()

    def status(self, plan, states):
        """What a run would do with each stage, and why."""
        self.say(f"profile {plan.profile}, data {plan.data}, seed {plan.seed}", "bold")
        for state in states:
            why = f"would run for about {duration(state.estimate)}, {'; '.join(state.reasons)}"
            why = why if state.reasons else f"unchanged since {state.since}"
            self.say(f"{state.stage.name}: {why}")
        total = sum(state.estimate for state in states if state.reasons)
        self.say(f"A run would take about {duration(total)}." if total else "Nothing to run.")


def duration(seconds):
    """``95`` → ``"1 min 35 s"``, in whole seconds and characters that any terminal shows."""
    return values.duration(max(0, round(seconds))).replace(values.NBSP, " ")
