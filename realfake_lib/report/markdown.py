"""Write the chapters of a report as Markdown that GitHub shows, with the published figures."""

import re
import shutil
from pathlib import Path

from realfake_lib import settings
from realfake_lib.report import chapters as reading


def write(chapters, folder):
    """Write one Markdown file a chapter, in place of what is in the folder.

    Figures are looked for beside it, as ``figures/<stage>/<name>.png``.
    """
    shutil.rmtree(folder, ignore_errors=True)
    files = {one.notebook: f"{Path(one.notebook).stem}.md" for one in chapters}

    def linked(text):
        """A text whose links to notebooks lead to their chapters, as far as there are such."""

        def link(match):
            file = files.get(match["notebook"])
            return f"[{match['text']}]({file})" if file else match["text"]

        return _LINK.sub(link, text)

    exporter = reading.exporter("md.j2", markdown=linked, table=_table, cell=_cell)
    for chapter in chapters:

        def shown(*cells, chapter=chapter):
            return reading.render(exporter, chapter, cells).strip()

        parts = [f"# {chapter.number}. {chapter.title}", linked(chapter.subtitle)]
        if chapter.failure:
            parts.append(f"> **This chapter’s notebook failed**: {chapter.failure['error']}")
        finding = shown(reading.bare(chapter.finding))
        parts.append(re.sub("(?m)^", "> ", f"**Finding.** {finding}") if finding else "")
        parts += [shown(reading.bare(chapter.abstract)), shown(*chapter.cells)]
        if chapter.appendix:
            tables = shown(*(reading.bare([table]) for table in chapter.appendix))
            parts.append(
                f"## Appendix\n\n<details>\n<summary>Tables</summary>\n\n{tables}\n\n</details>"
            )
        source = f"[{chapter.notebook}](../../notebooks/{chapter.notebook})"
        parts.append(f"---\n\nThis chapter with all its code: {source}")
        with settings.atomic_file(Path(folder) / files[chapter.notebook]) as temporary:
            text = re.sub(r"\n{3,}", "\n\n", "\n\n".join(filter(None, parts)))
            temporary.write_text(reading.joined(text) + "\n", encoding="utf-8")


_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\([^)\s]*?(?P<notebook>[\w-]+\.ipynb)(#[^)]*)?\)")


def _table(markup):
    """A table in HTML as one in Markdown."""
    header, rows, numeric = reading.grid(markup)
    lines = [header, ["---:" if right else "---" for right in numeric], *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text):
    """A text that may stand in a cell of a table."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
