"""Verdicts from the workers of a Dask cluster, the same ones as on one machine.

Workers need this library and the extra ``cluster``, no TensorFlow, and read the images themselves
from a file system that all machines share. The detector travels to them.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import uuid
import warnings
from collections import deque
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from realfake_lib import cluster, model_metadata, onnx_files, prediction, progress
from realfake_lib.data import layout
from realfake_lib.detector import Detector
from realfake_lib.errors import UserError

TASK = 64
"""Images in a task: some seconds of work for photographs, far more than a task costs for small."""

PATIENCE = 60.0
"""Seconds without any worker after which the work is given up."""

_PER_THREAD = 4  # tasks on their way for each thread of a worker, so that none has to wait
_AGAIN = "Nothing was written. Look at the logs of the workers, and run it again."
_LOOK = 1.0  # seconds between two looks at the workers


def predict(
    files: list[Path], detector: Detector, address: str, batch_size: int = 32
) -> list[prediction.Prediction]:
    """Judge image files on a cluster; see :func:`realfake_lib.predict`.

    A task whose worker is lost is done again by another one. A file that is being read each time
    that a worker is lost gets a record that says so. A UserError tells what is wrong with the
    cluster, or that the detector has no ONNX file.
    """
    parcel = _packed(detector)
    tasks = [files[at : at + TASK] for at in range(0, len(files), TASK)]
    with _quiet(), cluster.connect(address) as client, client.as_current():
        from distributed import CancelledError
        from distributed.comm import CommClosedError

        try:
            cluster.check_workers(client, environment)
            _check_files_are_shared(client, files[:1])
            records = _judged(client, parcel, tasks, batch_size)
        except (CancelledError, CommClosedError):
            raise UserError(
                f"--cluster {address}: the connection to the scheduler was lost", _AGAIN
            ) from None
    return [
        replace(record, path=layout.as_text(str(file)))
        for file, record in zip(files, records, strict=True)
    ]


@functools.lru_cache(maxsize=1)
def environment() -> dict:
    """What a verdict depends on besides the image and the detector: code and versions."""
    from realfake_lib import code_hash, detector
    from realfake_lib.data import images

    code = code_hash.code_hash(prediction, images, detector, onnx_files)
    packages = ("numpy", "pillow", "pillow-heif", "onnxruntime")
    return {"code": code} | {name: version(name) for name in packages}


@dataclass(frozen=True)
class _Parcel:
    """A detector as it travels: all but its network, and the file that holds this."""

    sha256: str
    detector: Detector = field(compare=False)
    content: bytes = field(compare=False, repr=False)


def _packed(detector):
    if detector.has_gradients:
        raise UserError(
            f"--cluster needs an .onnx file, and {detector.path} is none.",
            f"Make one: realfake export --model {detector.path} --output FILE.onnx",
        )
    content = detector.path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    model_metadata.check_hash(detector.path, found, detector.meta["onnx"]["sha256"])
    return _Parcel(found, replace(detector, model=None), content)


@functools.lru_cache(maxsize=1)
def _unpacked(parcel):
    name = parcel.detector.path
    session = onnx_files.session(parcel.content, name)
    return replace(parcel.detector, model=onnx_files.OnnxNetwork(session, name))


def _judge(parcel, paths, batch_size):
    return prediction.predict(map(Path, paths), _unpacked(parcel), batch_size=batch_size)


def _same(value):
    return value


def _missing(paths):
    return [path for path in paths if not os.path.lexists(path)]


def _check_files_are_shared(client, files):
    for worker, missing in cluster.ask_workers(client, _missing, _absolute(files)).items():
        if missing:
            raise UserError(
                f"the worker {worker} does not find {layout.as_text(str(files[0]))}",
                "The images have to lie on a file system that all machines share, under the same "
                "path.",
            )


def _absolute(files):
    return [os.path.abspath(file) for file in files]


def _judged(client, parcel, tasks, batch_size):
    """The record of each file, in the order of the tasks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its size
        # A task, not scattered data: these are gone for good with the worker that has them.
        parcel = client.submit(_same, parcel, key=f"realfake-{uuid.uuid4().hex}")
    total, done, found = sum(map(len, tasks)), 0, {}
    for at, records in _outcomes(client, parcel, tasks, batch_size):
        # One file after the other, so that only one can be the reason for what happens then.
        alone = [[file] for file in tasks[at]] if records is None else []
        found[at] = records or []
        for _, one in _outcomes(client, parcel, alone, batch_size, at_once=1):
            lost = "cannot be read: its workers were lost while they read it"
            found[at] += one or [prediction.Prediction("", error=lost)]
        done += len(tasks[at])
        progress.report("Predicting", done, total, "images")
    return [record for at in range(len(tasks)) for record in found[at]]


def _outcomes(client, parcel, tasks, batch_size, at_once=None):
    """Yield each task's number and its records, or None where no worker survived it."""
    from distributed import KilledWorker, wait
    from distributed import TimeoutError as TooLong

    waiting, running = deque(enumerate(tasks)), {}
    while waiting or running:
        threads = sum(client.nthreads().values())
        while waiting and len(running) < (at_once or _PER_THREAD * max(1, threads)):
            at, files = waiting.popleft()
            future = client.submit(_judge, parcel, _absolute(files), batch_size, pure=False)
            running[future] = at
        ended = ()
        with contextlib.suppress(TooLong):
            ended = wait(list(running), timeout=_LOOK, return_when="FIRST_COMPLETED").done
        if not ended and not threads:
            _wait_for_a_worker(client, [tasks[at][0] for at in running.values()])
        for future in ended:
            try:
                records = future.result(timeout=_LOOK)
            except TooLong:  # lost with its worker before it came here: it is done again
                continue
            except KilledWorker:
                records = None
            yield running.pop(future), records


def _wait_for_a_worker(client, running):
    """Raise UserError where workers are gone for good; ``running`` are files being judged."""
    from distributed import TimeoutError as TooLong

    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TooLong:
        names = ", ".join(layout.as_text(str(file)) for file in running[:3])
        raise UserError(
            f"the cluster has lost all its workers, and for {PATIENCE:.0f} seconds no new one "
            f"came. Being judged were {names} and the files after each",
            _AGAIN,
        ) from None


@contextlib.contextmanager
def _quiet():
    """Keep Dask's own log off the terminal: what matters of it is said in words."""
    logs = {log: log.level for log in map(logging.getLogger, ("distributed", "asyncio"))}
    for log in logs:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in logs.items():
            log.setLevel(level)
