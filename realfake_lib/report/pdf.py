"""Print an HTML report to PDF with a Chromium that is installed already."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from realfake_lib import settings
from realfake_lib.errors import UserError

VARIABLE = "CHROME"
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
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
    """Print a report to PDF.

    Parameters
    ----------
    html : path
        A file made by :func:`realfake_lib.report.html.render`.
    out : path
        The PDF to write. Appears whole or not at all.

    Returns
    -------
    Path of the PDF

    Raises
    ------
    UserError
        If the HTML file or a Chromium is missing, or printing fails.
    """
    html, out = Path(html), Path(out)
    if not html.is_file():
        raise UserError(f"{html}: there is no report to print", hint="Run `make report` first.")
    browser = find_chromium()
    with settings.atomic_file(out) as temporary:
        said = browse(browser, html, f"--print-to-pdf={temporary}", "--no-pdf-header-footer")
        if not temporary.is_file() or not temporary.read_bytes().startswith(b"%PDF"):
            raise UserError(
                f"{browser} did not print {html}",
                hint=f"Its last words: {said.stderr.strip()[-400:] or 'none'}",
            )
    return out


def find_chromium():
    """Path of an installed Chromium or Chrome: ``CHROME`` if it is set, else by usual names."""
    chosen = settings.env(VARIABLE)
    for name in [chosen] if chosen else NAMES:
        if found := shutil.which(name):
            return found
    raise UserError(
        f"{VARIABLE}={chosen}: there is no such program"
        if chosen
        else "no Chromium or Chrome was found, which makes the PDF (the HTML report needs none)",
        hint=f"Install one, or name it: {VARIABLE}=/path/to/chromium make pdf",
    )


def browse(browser, page, *flags, seconds=180):
    """Open ``page`` in a headless browser with a profile of its own; ``flags`` say what to do."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, *_FLAGS, f"--user-data-dir={profile}", *flags]
        command.append(Path(page).resolve().as_uri())
        try:
            return subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", timeout=seconds
            )
        except subprocess.TimeoutExpired:
            raise UserError(f"{browser} did not finish {page} within {seconds:.0f} s") from None
