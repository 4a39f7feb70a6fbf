"""Verdicts on people's own pictures: what ``realfake predict`` does, as importable functions."""

import json
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from realfake_lib import console, onnx_files, outputs, progress, settings, sidecars
from realfake_lib.data import layout
from realfake_lib.errors import UserError

DEFAULT = ("best", "compact_cnn")
"""The trained detectors that are taken where none is named, the first that there is."""

COLUMNS = ["path", "p_fake", "verdict", "width", "height", "error"]


@dataclass(frozen=True)
class Detector:
    """A trained model with the operating point that was chosen for it on validation data.

    Attributes
    ----------
    model : keras.Model or OnnxNetwork
        Pixels (n, image_size, image_size, 3) in [0, 255] to one logit for REAL.
    path : pathlib.Path
        The file that it came from.
    image_size : int
        Side of the square, in pixels, that pictures are resized to.
    temperature : float
        Divides the logit, so that ``p_fake`` is calibrated (Guo et al., 2017).
    threshold : float in [0, 1]
        FAKE from this ``p_fake`` on.
    uncertain_band : (low, high)
        Between these a verdict is marked as uncertain.
    meta : dict
        Everything else that the model file's sidecar says.
    """

    model: object
    path: Path
    image_size: int
    temperature: float = 1.0
    threshold: float = 0.5
    uncertain_band: tuple = (0.5, 0.5)
    meta: dict = field(default_factory=dict)

    def p_fake(self, images, indices=None, batch_size=256):
        """Calibrated probability of FAKE, (n,) float64, for (n, h, w, 3) uint8 images.

        ``indices``, (m,) int array, takes only these images, and leaves memory-mapped others where
        they are.
        """
        if isinstance(self.model, onnx_files.OnnxNetwork):
            logits = self.model.logits(np.asarray(images), indices, batch_size)
        else:
            from realfake_lib.training import predict_logits

            logits = predict_logits(self.model, np.asarray(images), indices, batch_size)
        return 1.0 / (1.0 + np.exp(np.asarray(logits, "float64") / self.temperature))

    def verdict(self, p_fake):
        """``"FAKE"`` or ``"REAL"``, with ``" (uncertain)"`` behind it inside the uncertain band."""
        low, high = self.uncertain_band
        word = "FAKE" if p_fake >= self.threshold else "REAL"
        return f"{word} (uncertain)" if low < p_fake < high else word


def find_model(name=None):
    """Path of a model file: a path as given, or a trained detector's name looked up.

    A name is looked for in the committed ``reports/``, whose figures are published, then in what
    ``make report`` built here. Without one the first of :data:`DEFAULT` is taken.

    Raises
    ------
    UserError
        If there is no such file.
    """
    if name is not None and (_is_model_file(name) or Path(name).exists()):
        if not Path(name).is_file():
            raise UserError(f"No model file {name}.", "Give the path of a .keras or .onnx file.")
        return Path(name)
    root = settings.project_root() or Path.cwd()
    builds = [root / "build" / profile / "stages" / "training" for profile in ("full", "standard")]
    # The demo detector of the smoke profile knows two photographs, so it never serves by default.
    folders = [folder / "models" for folder in (root / "reports", *builds)]
    names = DEFAULT if name is None else (name,)
    candidates = [folder / f"{known}.keras" for folder in folders for known in names]
    found = [path for path in candidates if path.is_file()]
    if not found:
        looked = ", ".join(str(path) for path in candidates)
        raise UserError(
            f"No trained detector{f' {name!r}' if name else ''} found (looked for {looked}).",
            "Run `make report` first, or name a file: realfake predict --model FILE.keras …",
        )
    return found[0]


def quick_form(path):
    """The ONNX file of the same detector, which starts without TensorFlow, or ``path`` itself.

    Both give the same logits: an export is kept only if they were found equal.
    """
    quick = path.with_suffix(".onnx")
    if path.suffix == ".keras" and quick.is_file():
        # One that the description does not tell of was left behind by an earlier detector.
        if onnx_files.is_described(sidecars.read(path)):
            return quick
    return path


def _is_model_file(name):
    return Path(name).suffix in (".keras", ".onnx")


def load_detector(model=None):
    """Load a :class:`Detector` by name or path; see :func:`find_model`.

    An ``.onnx`` file is loaded without TensorFlow.

    Raises
    ------
    UserError
        If the file is missing, damaged, of another version, or not a model of this library.
    """
    path = find_model(model)
    if path.suffix == ".onnx":
        network, meta = onnx_files.load(path)
        image_size = network.image_size
    else:
        from realfake_lib import models

        network, meta = models.load(path)
        image_size = int(meta.get("image_size") or network.input_shape[1])
    return Detector(
        model=network,
        path=path,
        image_size=image_size,
        temperature=float(meta.get("temperature", 1.0)),
        threshold=float(meta.get("threshold", 0.5)),
        uncertain_band=tuple(meta.get("uncertain_band", (0.5, 0.5))),
        meta=meta,
    )


def find_images(paths, recursive=True):
    """List the image files that ``paths`` name, folders searched, each file once, in order.

    A file named outright is taken whatever it is called. In a folder what has an image's suffix
    is, a link to nothing too, whose row will say so; hidden files and the pictures that
    ``--explain`` made are none that a user means.

    Returns
    -------
    files : list of pathlib.Path
    left_out : collections.Counter
        Number of files in the folders that are of no kind read here, by suffix, and of links to
        folders and folders that cannot be read.

    Raises
    ------
    UserError
        If a path does not exist, or nothing in all of them is an image.
    """
    files, left_out = [], Counter()
    for path in map(Path, paths):
        if path.is_dir():
            files += sorted(_search(path, recursive, left_out))
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"No such file or folder: {path}")
    if not files:
        others = f" ({layout.counted(left_out)})" if left_out else ""
        kinds = ", ".join(sorted(layout.IMAGE_SUFFIXES))
        raise UserError(
            f"No images in {', '.join(map(str, paths))}{others}.",
            f"Files of these kinds count: {kinds}",
        )
    return list(dict.fromkeys(files)), left_out


def _search(top, recursive, left_out):
    def unreadable(_):
        left_out["unreadable folder(s)"] += 1

    for folder, folders, names in os.walk(top, onerror=unreadable):
        if outputs.RECORD in names and Path(folder) != top:
            folders.clear()
            continue
        folders[:] = [name for name in folders if recursive and not layout.is_hidden(name)]
        links = sum(os.path.islink(os.path.join(folder, name)) for name in folders)
        if links:
            left_out["linked folder(s)"] += links
        for name in names:
            if layout.is_hidden(name):
                continue
            if layout.is_image(name):
                yield Path(folder, name)
            else:
                left_out[layout.kind(name)] += 1


def predict(detector, files, batch_size=256, explain=None):
    """Score image files.

    Parameters
    ----------
    detector : Detector
    files : sequence of path-like
    batch_size : int
        Images in memory at a time, so a folder of any size can be scored.
    explain : path-like, optional
        Folder for one picture a file: the image and its Grad-CAM for the verdict given. It is
        new, empty, or one that an earlier call filled, whose pictures are replaced.

    Returns
    -------
    pandas.DataFrame
        A row per file, in order: path, p_fake in [0, 1] (NaN where unreadable), verdict (""),
        width and height of the original in pixels, error ("" where there was none); with
        ``explain`` also explanation, the path of its picture ("").

    Raises
    ------
    UserError
        If the folder for the explanations cannot be used.
    """
    files = list(map(Path, files))
    rows, pictures = [], {}
    if explain is not None:
        explain = outputs.Explanations(explain)
        explain.check()
        explain.begin(files)
    counted = iter(progress.track(files, "Looking at the pictures", unit="pictures"))
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(files), batch_size):
            chunk = files[start : start + batch_size]
            reading = pool.map(lambda file: _read(file, detector.image_size), chunk)
            loaded = [item for item, _ in zip(reading, counted, strict=False)]
            good = [item for item in loaded if item.pixels is not None]
            pixels = np.stack([item.pixels for item in good]) if good else None
            scores = detector.p_fake(pixels, batch_size=batch_size) if good else []
            by_item = dict(zip(map(id, good), scores, strict=True))
            rows += [_row(detector, item, by_item.get(id(item))) for item in loaded]
            if explain is not None and good:
                pictures |= _explain(detector, good, scores, explain)
    table = pd.DataFrame(rows, columns=COLUMNS)
    if explain is not None:
        table["explanation"] = [pictures.get(file, "") for file in files]
    return table


@dataclass
class _Picture:
    path: Path
    pixels: np.ndarray | None = None
    width: int = 0
    height: int = 0
    error: str = ""


def _read(path, size):
    from realfake_lib import data

    try:
        original = data.load_image(path)
    except UserError as error:
        # The path has a column of its own.
        return _Picture(path, error=error.message.removeprefix(f"{path} "))
    height, width = original.shape[:2]
    return _Picture(path, data.resize(original, size), width, height)


def _row(detector, item, p_fake):
    # A name need not be text: what cannot be printed is replaced.
    path = os.fsencode(item.path).decode("utf-8", "replace")
    if p_fake is None:
        return [path, np.nan, "", item.width, item.height, item.error]
    return [path, float(p_fake), detector.verdict(p_fake), item.width, item.height, ""]


def _explain(detector, pictures, scores, folder):
    """Draw the explanations; each file's path to that of its picture."""
    from PIL import Image

    from realfake_lib import explain

    images = np.stack([item.pixels for item in pictures])
    targets = np.where(np.asarray(scores) >= detector.threshold, settings.FAKE, settings.REAL)
    overlays = explain.overlay(images, explain.grad_cam(detector.model, images, target=targets))
    drawn = {}
    for item, image, overlay in zip(pictures, images, overlays, strict=True):
        pair = Image.fromarray(np.concatenate([image, overlay], axis=1))
        scale = max(1, 256 // detector.image_size)
        pair = pair.resize((pair.width * scale, pair.height * scale), Image.Resampling.NEAREST)
        target = folder.target(item.path)
        with settings.atomic_file(target) as temporary:
            pair.save(temporary)
        drawn[item.path] = os.fsencode(target).decode("utf-8", "replace")
    return drawn


def caveat(detector):
    """What anyone who reads a verdict must know, in one paragraph, from the model's own record."""
    size = f"{detector.image_size}×{detector.image_size}"
    facts = detector.meta | (detector.meta.get("trained_on") or {})
    data = facts.get("data", "an unnamed data set")
    lines = [
        f"Trained on {data} at {size} pixels. Of other pictures the central square is brought to "
        "that size; how often a verdict on those is right was never measured."
    ]
    if data == "demo":
        lines.append("TRAINED ON THE EMBEDDED DEMO DATA: this detector knows two photographs.")
    unseen = detector.meta.get("unseen") or {}
    recalls = [found["fake_recall"] for found in unseen.values()]
    if recalls:
        lines.append(
            f"Of fakes by {len(unseen)} generators that it never saw, it found "
            f"{min(recalls):.0%} to {max(recalls):.0%}: REAL means only “not of the kind it knows”."
        )
    lines.append("Never the only ground for a decision about a person or a picture.")
    return " ".join(lines)


def command(
    paths,
    model=None,
    json_output=False,
    csv=None,
    explain=None,
    threshold=None,
    batch_size=256,
    recursive=True,
):
    """Run ``realfake predict``: print a table or JSON, write what was asked for.

    Returns
    -------
    int
        Exit code: 0, or 2 where at least one file could not be read (the others are scored).
    """
    # All that can be wrong without a network is found before TensorFlow takes its seconds.
    check_threshold(threshold)
    if batch_size < 1:
        raise UserError(f"--batch-size is {batch_size}, but must be at least 1.")
    path = _form_to_load(model, explain)
    if csv is not None:
        if layout.is_image(str(csv)):
            raise UserError(f"--csv {csv} has the name of a picture.", "End it in .csv.")
        outputs.check_place("--csv", csv)
    if explain is not None:
        outputs.Explanations(explain).check()
    files, left_out = find_images(paths, recursive=recursive)
    if left_out:
        files_left = "1 file" if left_out.total() == 1 else f"{left_out.total():,} files"
        print(
            f"realfake: left out {files_left} of no kind read here: {layout.counted(left_out)}. "
            "Pictures among them need to be saved as JPEG or PNG first.",
            file=sys.stderr,
        )
    if path.suffix != ".onnx":
        console.import_tensorflow()
    detector = load_detector(path)
    if threshold is not None:
        # A threshold of one's own has no calibrated band around it.
        band = (threshold, threshold)
        detector = Detector(**{**vars(detector), "threshold": threshold, "uncertain_band": band})
    with console.progress_bar():
        table = predict(detector, files, batch_size, explain)
    if csv is not None:
        with settings.atomic_file(csv) as temporary:
            table.to_csv(temporary, index=False)
    if json_output:
        print(_as_json(detector, table, left_out))
    else:
        _print_table(detector, table)
    if explain is not None:
        print(f"Explanations are in {explain}", file=sys.stderr)
    return 2 if (table["error"] != "").any() else 0


def _form_to_load(model, explain):
    """Path of the file to load: as named, else the one that starts sooner and can explain."""
    path = find_model(model)
    if explain is not None and path.suffix == ".onnx":
        raise UserError(
            f"--explain needs the gradients of a .keras file, and {path} has none.",
            "Name the .keras file that it was made from, or leave --explain out.",
        )
    named = model is not None and path == Path(model)
    return path if named or explain is not None else quick_form(path)


def check_threshold(threshold):
    """Raise UserError unless a threshold on p(fake) is None or lies in [0, 1]."""
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise UserError(f"--threshold is {threshold}, but a probability lies between 0 and 1.")


def _as_json(detector, table, left_out):
    results = [
        {**row, "p_fake": None if np.isnan(row["p_fake"]) else row["p_fake"]}
        for row in table.to_dict("records")
    ]
    record = {
        "model": str(detector.path),
        "threshold": detector.threshold,
        "uncertain_band": list(detector.uncertain_band),
        "caveat": caveat(detector),
        "left_out": dict(left_out),
        "results": results,
    }
    return json.dumps(record, indent=2, ensure_ascii=False)


def _print_table(detector, table):
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Piped output keeps each row on one line; a terminal gets its own width.
    console = Console(width=None if sys.stdout.isatty() else 200)
    view = Table(box=None, pad_edge=False)
    view.add_column("picture", overflow="fold")
    view.add_column("size", justify="right")
    view.add_column("p(fake)", justify="right")
    view.add_column("verdict")
    colours = {"FAKE": "red", "REAL": "green"}
    for row in table.itertuples():
        if row.error:
            view.add_row(Text(row.path), "", "", Text(f"not read: {row.error}", style="yellow"))
            continue
        style = "yellow" if "uncertain" in row.verdict else colours[row.verdict]
        size = f"{row.width}×{row.height}"
        view.add_row(Text(row.path), size, f"{row.p_fake:.3f}", Text(row.verdict, style=style))
    console.print(view)
    console.print(Text(f"\nFAKE from p(fake) = {detector.threshold:.3f} on. {caveat(detector)}"))
