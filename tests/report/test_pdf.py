"""Printing to PDF, with a real browser where one is installed and with stand-ins elsewhere."""

import os
import stat
import sys

import pytest

from realfake_lib.errors import UserError
from realfake_lib.report import pdf


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("<!DOCTYPE html><title>x</title><p>Hello, paper.")
    return path


def stand_in(path, body):
    """A program that takes the browser's place."""
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


PRINT = """
out = next(a.partition("=")[2] for a in sys.argv if a.startswith("--print-to-pdf="))
open(out, "w").write("%PDF-1.7 " + " ".join(sys.argv))
"""


def test_the_installed_browser_prints_the_report(page, tmp_path):
    try:
        pdf.find_chromium()
    except UserError as error:
        pytest.skip(error.message)
    out = pdf.to_pdf(page, tmp_path / "new" / "report.pdf")
    content = out.read_bytes()
    assert content.startswith(b"%PDF") and len(content) > 1000


def test_the_browser_named_by_the_variable_is_used_headless_with_a_new_profile(
    page, tmp_path, monkeypatch
):
    monkeypatch.setenv("CHROME", stand_in(tmp_path / "browser", PRINT))
    said = pdf.to_pdf(page, tmp_path / "report.pdf").read_text()
    assert "--headless" in said and page.as_uri() in said
    profile = said.partition("--user-data-dir=")[2].split()[0]
    assert not os.path.exists(profile)


def test_a_variable_that_names_no_program_is_told(monkeypatch):
    monkeypatch.setenv("CHROME", "/nowhere/chromium")
    with pytest.raises(UserError, match="CHROME=/nowhere/chromium"):
        pdf.find_chromium()


def test_without_a_browser_the_message_says_what_to_do(page, tmp_path, monkeypatch):
    monkeypatch.delenv("CHROME", raising=False)
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="no Chromium or Chrome") as caught:
        pdf.to_pdf(page, tmp_path / "report.pdf")
    assert "CHROME=/path/to/chromium" in caught.value.hint
    assert not (tmp_path / "report.pdf").exists()


def test_a_browser_is_found_by_its_usual_names(monkeypatch):
    monkeypatch.delenv("CHROME", raising=False)
    monkeypatch.setattr(
        pdf.shutil, "which", lambda name: f"/bin/{name}" if "google" in name else None
    )
    assert pdf.find_chromium() == "/bin/google-chrome"


def test_a_missing_report_is_told(tmp_path):
    with pytest.raises(UserError, match="no report to print"):
        pdf.to_pdf(tmp_path / "none.html", tmp_path / "report.pdf")


def test_a_browser_that_prints_nothing_leaves_nothing_behind(page, tmp_path, monkeypatch):
    body = "print('out of ink', file=sys.stderr)"
    monkeypatch.setenv("CHROME", stand_in(tmp_path / "browser", body))
    with pytest.raises(UserError, match="did not print") as caught:
        pdf.to_pdf(page, tmp_path / "out" / "report.pdf")
    assert "out of ink" in caught.value.hint
    assert list((tmp_path / "out").iterdir()) == []


def test_a_browser_that_hangs_is_given_up(page, tmp_path):
    browser = stand_in(tmp_path / "browser", "time.sleep(30)")
    with pytest.raises(UserError, match="did not finish"):
        pdf.browse(browser, page, seconds=0.5)
