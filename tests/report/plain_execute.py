"""Stands in for ``realfake_lib.report.execute``: runs the cells without papermill and a kernel."""

import json
import os
from pathlib import Path

job = json.loads(os.environ["REALFAKE_RUN"])
notebook = json.loads(Path(job["notebook"]).read_text("utf-8"))
names, failure = {}, None
for number, cell in enumerate(notebook["cells"], start=1):
    if cell["cell_type"] != "code":
        continue
    try:
        exec("".join(cell["source"]), names)
    except Exception as error:
        failure = {"error": f"{type(error).__name__}: {error}", "cell": number}
        break
    if "parameters" in cell["metadata"].get("tags", ()):
        names.update(job["parameters"])
Path(job["folder"], "notebook.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
Path(job["result"]).write_text(json.dumps(failure), encoding="utf-8")
