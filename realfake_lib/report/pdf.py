"""Print an HTML report to PDF with a Chromium that is installed already."""

import os
import shutil
import subprocess
import tempfile

from realfake_lib import settings
from realfake_lib.errors import UserError

NAMES = (
    *"chromium chromium-browser google-chrome google-chrome-stable chrome".split(),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# Without what it loads for itself; its sandbox refuses to work for root, as in containers.
_FLAGS = (
    "--headless --disable-gpu --disable-quic --disable-dev-shm-usage --disable-extensions "
    "--disable-background-networking --disable-component-update --disable-sync --no-first-run "
    "--no-default-browser-check --hide-scrollbars"
).split() + ["--no-sandbox"] * (getattr(os, "geteuid", lambda: 1)() == 0)


def to_pdf(html, out):
    """Print the HTML file of a report to the file ``out``, which appears whole or not at all.

    Raises UserError if the HTML file or a Chromium is missing, or printing fails.
    """
    if not html.is_file():
        raise UserError(f"{html}: there is no report to print", hint="Run `make report` first.")
    browser = find_chromium()
    with settings.atomic_file(out) as temporary:
        said = browse(browser, html, f"--print-to-pdf={temporary}", "--no-pdf-header-footer")
        if not temporary.is_file() or not temporary.read_bytes().startswith(b"%PDF"):
            last_words = said.stderr.strip()[-400:] or "none"
            raise UserError(f"{browser} did not print {html}", f"Its last words: {last_words}")
    return out


def find_chromium():
    """Path of an installed Chromium or Chrome: ``CHROME`` if it is set, else by usual names."""
    chosen = settings.env("CHROME")
    if found := next(filter(None, map(shutil.which, [chosen] if chosen else NAMES)), None):
        return found
    found = f"CHROME={chosen}: there is no such program"
    none = "no Chromium or Chrome was found, which makes the PDF (the HTML report needs none)"
    how = "Install one, or name it: CHROME=/path/to/chromium make pdf"
    raise UserError(found if chosen else none, how)


def browse(browser, page, *flags, seconds=180):
    """Open ``page`` in a headless browser with a profile of its own; ``flags`` say what to do."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, *_FLAGS, f"--user-data-dir={profile}", *flags, page.resolve().as_uri()]
        options = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
        try:
            return subprocess.run(command, timeout=seconds, **options)
        except subprocess.TimeoutExpired:
            raise UserError(f"{browser} did not finish {page} within {seconds:.0f} s") from None
