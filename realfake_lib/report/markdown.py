"""Write the chapters of a report as Markdown that GitHub shows, with the published figures."""

import re
import shutil

from realfake_lib import settings
from realfake_lib.report import chapters


def write(shown, folder):
    """Write one Markdown file a chapter, in place of what is in the folder.

    Figures are looked for beside it, as ``figures/<stage>/<name>.png``.
    """
    shutil.rmtree(folder, ignore_errors=True)
    files = {chapter.notebook: f"{chapter.stage.notebook.stem}.md" for chapter in shown}

    def link(match):
        file = files.get(match["notebook"])
        return f"[{match['text']}]({file})" if file else match["text"]

    def linked(text):
        """A text whose links to notebooks lead to their chapters, as far as there are such."""
        return _LINK.sub(link, text)

    for chapter in shown:
        found = chapters.rendered(chapter, "md.j2", markdown=linked, table=_table, cell=_cell)
        found = {name: text.strip() for name, text in found.items()}
        parts = [f"# {chapter.number}. {chapter.title}", linked(chapter.subtitle)]
        if chapter.failure:
            parts.append(f"> **This chapter’s notebook failed**: {chapter.failure['error']}")
        if found["finding"]:
            parts.append(re.sub("(?m)^", "> ", f"**Finding.** {found['finding']}"))
        parts += [found["abstract"], found["body"]]
        if chapter.appendix:
            folded = f"<details>\n<summary>Tables</summary>\n\n{found['appendix']}\n\n</details>"
            parts.append(f"## Appendix\n\n{folded}")
        source = f"[{chapter.notebook}](../../notebooks/{chapter.notebook})"
        parts.append(f"---\n\nThis chapter with all its code: {source}")
        with settings.atomic_file(folder / files[chapter.notebook]) as temporary:
            text = re.sub(r"\n{3,}", "\n\n", "\n\n".join(filter(None, parts)))
            temporary.write_text(chapters.joined(text) + "\n", encoding="utf-8")


_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\([^)\s]*?(?P<notebook>[\w-]+\.ipynb)(#[^)]*)?\)")


def _table(markup):
    """A table in HTML as one in Markdown."""
    header, rows, numeric = chapters.grid(markup)
    lines = [header, ["---:" if right else "---" for right in numeric], *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text):
    """A text that may stand in a cell of a table."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
