"""The handle through which a notebook leaves its results and takes those of earlier stages.

It works the same under the report's runner, under plain papermill, and in JupyterLab: only the
folders differ. The runner tells its folders through the environment variable ``REALFAKE_RUN``.
"""

import base64
import inspect
import io
import json
import math
import numbers
import os
import re
import shutil
import sys
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from realfake_lib import settings
from realfake_lib.errors import UserError
from realfake_lib.report import columns, leave_out, values

VARIABLE = "REALFAKE_RUN"
SUFFIXES = {"figures": ".png", "tables": ".csv", "models": ".keras", "arrays": ".npz"}


def stage(name, output_dir=None):
    """Begin a stage of the report.

    Parameters
    ----------
    name : str
        The stage's name in ``report.yml``, e.g. ``"training"``.
    output_dir : path, optional
        Folder for the results. None stands for ``build/interactive/stages/<name>`` in the
        checkout, whose results of an earlier run are removed first.

    Returns
    -------
    StageRun
    """
    _check_name(name, "stage name")
    told = json.loads(os.environ.get(VARIABLE) or "{}")
    if told and told["stage"] != name:
        words = f"the notebook of stage {told['stage']!r} begins stage {name!r}"
        raise UserError(words, "Use the name that report.yml gives it: stage(name, output_dir).")
    if told:
        folder, checkpoints = told["folder"], told["checkpoints"]
    elif output_dir is not None:
        folder = settings.user_path(output_dir).resolve()
        checkpoints = folder / "checkpoints"
    else:
        build = (settings.project_root() or Path.cwd()) / "build" / "interactive"
        folder, checkpoints = build / "stages" / name, build / "checkpoints" / name
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{name}: results go to {output_dir if told else folder}")
    return StageRun(name, folder, checkpoints, told.get("inputs"))


class StageRun:
    """A running stage: takes metrics, figures, tables, models and arrays. See :func:`stage`.

    Results go into ``folder``, each as soon as it is given. ``checkpoints`` is a folder that
    survives a killed run, for ``training.fit(checkpoint_dir=run.checkpoints)``.
    """

    def __init__(self, name, folder, checkpoints, inputs=None):
        self.name, self._inputs = name, inputs
        self.folder, self.checkpoints = Path(folder), Path(checkpoints)
        self._fingerprint = None  # of the data behind the inputs
        self._metrics, self._claims, self._asked_in_vain = {}, {}, {}
        for place in (self.folder, self.checkpoints):
            place.mkdir(parents=True, exist_ok=True)
        self._write("metrics.json", self._metrics)

    def metric(self, name, value, *, n=None, ci=None, seed=None, unit=None):
        """Keep one number, under ``<stage>.<name>`` in ``metrics.json``.

        A number that the data don't define (NaN) is not kept, nor an interval with such a bound.

        Parameters
        ----------
        name : str
            Words joined by dots, e.g. ``"compact_cnn.test.accuracy"``.
        value : int, float, bool or str
            A number; bool and str for facts such as ``"mixed_bfloat16"``.
        n : int, optional
            Number of images, or other units, that it rests on.
        ci : (low, high), optional
            95 % interval, or the lowest and highest over seeds, in the unit of ``value``.
        seed : int or sequence of int, optional
        unit : str, optional
            E.g. ``"s"``, ``"images/s"``; None for a share or a count.

        Returns
        -------
        values.Number, or the bool or str
            What a sentence quotes: ``f"{accuracy:pct_ci}"``.

        Raises
        ------
        ValueError, TypeError
            For a name that is taken or malformed, infinity, or a value of another type.
        """
        self._check_new(name, "metric", name in self._metrics)
        if _undefined(value):
            return values.MISSING
        bounds = None
        if ci is not None and not any(map(_undefined, ci)):
            low, high = bounds = [_plain(bound, f"{name}, ci") for bound in ci]
            if low > high:
                raise ValueError(f"metric {name!r}: the interval ({low}, {high}) is upside down")
        entry = {"value": _plain(value, name), "ci": bounds, "n": n, "seed": seed, "unit": unit}
        self._metrics[name] = entry = {k: part for k, part in entry.items() if part is not None}
        self._write("metrics.json", self._metrics)
        return values.read(entry)

    def metrics(self, prefix, items, *, n=None, seed=None, unit=None):
        """Keep several metrics: ``items`` yields ``(name, value)`` or ``(name, value, ci)``.

        Their names follow ``prefix`` and a dot; with an empty ``prefix`` they stand alone. ``unit``
        may be a dict, by name.
        """
        for name, value, *ci in items.items() if isinstance(items, dict) else items:
            its = unit.get(name) if isinstance(unit, dict) else unit
            name = f"{prefix}.{name}" if prefix else name
            self.metric(name, value, n=n, ci=ci[0] if ci else None, seed=seed, unit=its)

    def value(self, name):
        """A metric that was kept before; :data:`values.MISSING` where this run has none."""
        if name in self._metrics:
            return values.read(self._metrics[name])
        return self._missing(f"{self.name}.{name}")

    def _missing(self, name):
        """Keep in ``missing.json`` what was asked for in vain: a test looks for mistyped names."""
        self._asked_in_vain |= {name: None}
        self._write("missing.json", list(self._asked_in_vain))
        return values.MISSING

    def text(self, *paragraphs):
        """Say a result, as Markdown below the cell.

        A sentence that quotes a number which this run does not have is left out, and the sentences
        after it that lean on it ("This …"). Numbers format themselves, see :class:`values.Number`.
        """
        whole = "\n\n".join(inspect.cleandoc(paragraph) for paragraph in paragraphs if paragraph)
        text = leave_out.without_gaps(whole)
        if text.strip():
            facts = {"kind": "text"} | ({"left_out": True} if text != whole else {})
            self._say(text, facts)

    def claim(self, name, holds, yes, no="", unknown=""):
        """Draw a conclusion, kept as ``<stage>.<name>`` among the claims of ``metrics.json``.

        Parameters
        ----------
        name : str
        holds : bool or None
            For example from :func:`values.better`; None where this run can't tell.
        yes, no, unknown : str
            What is said in each case, as in :meth:`text`.

        Returns
        -------
        bool or None
        """
        self._check_new(name, "claim", name in self._claims)
        self.text(unknown if holds is None else yes if holds else no)
        if holds is not None:
            self._claims[name] = holds = bool(holds)
            self._write("claims.json", self._claims)
        return holds

    def tile(self, label, value, detail="", loud=False):
        """Put a headline figure on the report's first page, unless its number is missing.

        Parameters
        ----------
        label, value, detail : str
            For example ``"Accuracy"``, ``f"{accuracy:pct}"``, ``"on the test set"``.
        loud : bool
            Whether it is set in the warning colour.
        """
        if leave_out.VALUE not in label + value:
            detail = leave_out.without_gaps(detail).strip()
            facts = {"kind": "tile", "label": label, "value": value, "detail": detail}
            text = f"**{label}**: {value}" + (f" ({detail})" if detail else "")
            self._say(text, facts | {"loud": loud})

    def figure(self, figure, name, *, caption=None, alt=None):
        """Save a matplotlib figure as ``figures/<name>.png`` and show it below the cell.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
        name : str
        caption : str
            What it shows and what to take from it.
        alt : str
            The same for someone who cannot see it.
        """
        caption = _needed(caption, f"figure {name!r} needs a caption")
        alt = _needed(alt, f"figure {name!r} needs an alternative text: alt=…")
        path = self._path("figures", name)
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=figure.dpi, bbox_inches="tight", metadata={"Software": None})
        with Image.open(drawn) as image:  # 256 colours: a third of the size, and nobody sees it
            # Median cut would turn the class colours of a few titles into those of the images.
            image = image.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE)
            image.save(path, "PNG", optimize=True)
        if "matplotlib.pyplot" in sys.modules:  # or the inline backend shows it a second time
            sys.modules["matplotlib.pyplot"].close(figure)
        image = base64.b64encode(path.read_bytes()).decode()
        facts = {"kind": "figure", "name": name, "caption": caption, "alt": alt}
        self._show({"image/png": image, "text/plain": f"Figure {name}: {alt}"}, facts)
        # Seen in JupyterLab; the report sets captions itself.
        self._say(f"**Figure.** {caption}", {"kind": "caption"})

    def table(self, frame, name, *, caption=None, formats=None, appendix=None):
        """Save a table as ``tables/<name>.csv`` in full precision and show it below the cell.

        Parameters
        ----------
        frame : pandas.DataFrame
            Its index is kept unless it is plain numbers without a name.
        name : str
        caption : str
        formats : dict of str to str or callable, optional
            How a column is shown where that differs from :data:`.columns.COLUMNS`, which also has
            the headers, for example ``{"accuracy": percent(2)}``.
        appendix : bool, optional
            Whether the report shows it in the chapter's appendix; by default, if it has more than
            12 rows or 8 columns.
        """
        import pandas as pd

        caption = _needed(caption, f"table {name!r} needs a caption")
        keep_index = frame.index.names != [None] or not pd.api.types.is_integer_dtype(frame.index)
        frame.to_csv(self._path("tables", name), index=keep_index)
        if keep_index:
            names = [name or "" for name in frame.index.names]
            frame = frame.reset_index(names=names, allow_duplicates=True)
        table = columns.shown(frame, formats)
        if appendix is None:
            appendix = len(table) > 12 or table.shape[1] > 8
        html = f"<p>{escape(caption)}</p>" + table.to_html(index=False, border=0)
        facts = {"kind": "table", "name": name, "caption": caption, "appendix": bool(appendix)}
        self._show({"text/html": html, "text/plain": table.to_string(index=False)}, facts)

    def model(self, model, name, **meta):
        """Save a Keras model, with what must be known of it, as ``models/<name>.keras``."""
        from realfake_lib import models

        models.save(model, self._path("models", name), meta)

    def arrays(self, name, **arrays):
        """Save arrays, e.g. predictions, for later stages as ``arrays/<name>.npz``."""
        with settings.atomic_file(self._path("arrays", name)) as path:
            np.savez(path, **arrays)

    def note(self, text):
        """Say something that no reader may miss, in the chapter and on the first page.

        For example that the demo data were used, or that a backbone's weights were missing.
        """
        self._say(f"> **Note.** {text}", {"kind": "note", "text": text})

    def input(self, name, dataset=None):
        """Results of a finished stage, from this run or from the nearest place that has them.

        Parameters
        ----------
        name : str
        dataset : ImageDataset, optional
            The data in use: by hand, results that are known to come from other data are passed
            over. Unless given, all inputs have to come from the same data.

        Returns
        -------
        StageInput

        Raises
        ------
        UserError
            If there are none from these data, or ``report.yml`` does not declare the input.
        """
        _check_name(name, "input")
        if self._inputs is not None:
            if name not in self._inputs:
                words = f"{self.name} reads stage {name!r}, which report.yml does not declare"
                raise UserError(words, f"Add it to the inputs of {self.name} in report.yml.")
            return StageInput(name, Path(self._inputs[name]), self._missing)
        if dataset is not None:
            self._fingerprint = dataset.fingerprint
        root = settings.project_root() or Path.cwd()
        builds = [root / "build" / one for one in ("interactive", "standard", "full", "smoke")]
        places = [self.folder.parent / name, *(build / "stages" / name for build in builds)]
        others = []
        for place in (*places, root / "reports"):
            if not (place / "metrics.json").is_file():
                continue
            found = StageInput(name, place, self._missing)
            if len({self._fingerprint, found.fingerprint} - {None}) < 2:
                self._fingerprint = self._fingerprint or found.fingerprint
                print(f"{self.name}: {name} is read from {place}")
                return found
            others.append(str(place))
        why = f"those in {', '.join(others)} come from other data" if others else "there are none"
        how = f"On the data in use, run its notebook first, or make report STAGE={name}."
        raise UserError(f"{self.name} needs the results of stage {name!r}, and {why}", how)

    def _path(self, kind, name):
        """Where a new result of a kind of :data:`SUFFIXES` goes."""
        path = self.folder / kind / f"{name}{SUFFIXES[kind]}"
        self._check_new(name, kind, path.exists())
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _check_new(self, name, kind, taken):
        """Refuse a name that is taken in a run of the report; by hand a cell may run again."""
        _check_name(name, kind)
        if taken and self._inputs is not None:
            raise ValueError(f"{kind}: {name!r} is given twice")

    def _write(self, file, content):
        write_json(self.folder / file, content)

    def _say(self, text, facts):
        self._show({"text/markdown": text, "text/plain": text}, facts)

    @staticmethod
    def _show(data, facts):
        """Display ``data`` with ``facts`` for the renderer, where there is something to show it."""
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is not None:
            display(data, metadata={"realfake": facts}, raw=True)


class StageInput:
    """The results of a finished stage, read only. Made by :meth:`StageRun.input`.

    ``metrics`` are its records by name, ``fingerprint`` that of its data where it was kept.
    """

    def __init__(self, name, folder, missing=lambda name: values.MISSING):
        self.name, self.folder, self._missing = name, folder, missing
        self.metrics = read_json(folder / "metrics.json") or {}
        if "metrics" in self.metrics:  # of a whole report
            self.fingerprint = self.metrics.get("data", {}).get("fingerprint")
            whole, prefix = self.metrics["metrics"].items(), f"{name}."
            found = {key: entry for key, entry in whole if key.startswith(prefix)}
            self.metrics = {key.removeprefix(prefix): entry for key, entry in found.items()}
        else:  # by the runner's record, else by the side of a model
            record = read_json(folder / "stage.json")
            sides = map(read_json, sorted(folder.glob("models/*.json")))
            side = next(filter(None, sides), {})
            self.fingerprint = record["parts"]["data"] if record else side.get("fingerprint")

    def value(self, name):
        """A metric as :class:`values.Number`, bool or str, else :data:`values.MISSING`."""
        if name in self.metrics:
            return values.read(self.metrics[name])
        return self._missing(f"{self.name}.{name}")

    def model(self, name):
        """A model and what is known of it: ``(keras.Model, dict)``."""
        from realfake_lib import models

        return models.load(self._file("models", name))

    def arrays(self, name):
        """Arrays by name: dict of str to numpy array."""
        with np.load(self._file("arrays", name)) as archive:
            return dict(archive)

    def has(self, name):
        """Whether the stage left a metric, figure, table, model or arrays of that name."""
        return name in self.metrics or any(self.folder.glob(f"*/{name}.*"))

    def _file(self, kind, name):
        path = self.folder / kind / f"{name}{SUFFIXES[kind]}"
        if not path.is_file():
            words = (
                f"stage {self.name!r} left no {kind.removesuffix('s')} {name!r} in {self.folder}"
            )
            raise UserError(words, f"If it should be there, run make report STAGE={self.name}.")
        return path


def write_json(path, content):
    """Write ``content`` so that a reader finds the old file or the new one, never half."""
    with settings.atomic_file(path) as temporary:
        text = json.dumps(content, indent=1, ensure_ascii=False, default=lambda x: x.tolist())
        # What a path has of bytes that are no UTF-8 becomes JSON's own escape.
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def read_json(path):
    """Content of a JSON file, or None where there is none or it is damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _check_name(name, kind):
    """Refuse a name that is not plain words joined by dots."""
    if not re.fullmatch(r"[A-Za-z]\w*(\.\w+)*", name, re.ASCII):
        raise ValueError(f"{kind} {name!r}: use letters, digits and underscores")


def _plain(value, name):
    """``value`` as the Python type that JSON knows."""
    value = value.item() if hasattr(value, "item") else value
    if not isinstance(value, (bool, str, numbers.Real)):
        raise TypeError(f"metric {name!r} is a {type(value).__name__}, not a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"metric {name!r} is {value}")
    return value


def _needed(text, message):
    """A caption or alternative text, of which there must be one, without missing numbers."""
    if not text or not text.strip():
        raise ValueError(message)
    return leave_out.without_gaps(text).rstrip("\n")


def _undefined(value):
    return isinstance(value, numbers.Real) and math.isnan(value)
