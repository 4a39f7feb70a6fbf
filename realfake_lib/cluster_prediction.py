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
import time
import uuid
import warnings
from collections import deque
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from realfake_lib import cluster, model_metadata, onnx_files, parallel, prediction, progress
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
    that a worker is lost gets a record that says so.

    Parameters
    ----------
    files : list of pathlib.Path
        Workers have to find them under the same absolute paths.
    detector : Detector
        Of an ONNX file.
    address : str
        The scheduler's, e.g. ``"tcp://127.0.0.1:8786"``.
    batch_size : int
        Images that a worker takes at a time, at most, of the :data:`TASK` that a task has.

    Returns
    -------
    list of Prediction
        One per file, in order.

    Raises
    ------
    UserError
        If the cluster cannot be reached, has no workers or loses them all, if a worker has another
        version of the code or does not find the files, or if the detector has no ONNX file.
    """
    parcel = _packed(detector)
    tasks = [files[at : at + TASK] for at in range(0, len(files), TASK)]
    with _quiet(), cluster.connect(address) as client, client.as_current():
        try:
            cluster.check_workers(client, environment)
            _check_files_are_shared(client, files[:1])
            found = _Work(client, parcel, batch_size, len(files)).judged(tasks)
        except _lost_connection():
            raise UserError(
                f"--cluster {address}: the connection to the scheduler was lost", _AGAIN
            ) from None
    records = [record for batch in found for record in batch]
    return [
        replace(record, path=layout.as_text(str(file)))
        for file, record in zip(files, records, strict=True)
    ]


def _lost_connection():
    from distributed import CancelledError
    from distributed.comm import CommClosedError

    return CancelledError, CommClosedError


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
    with parallel.one_core():  # a worker runs as many tasks at once as it was given cores
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


class _Work:
    """The batches of one call on their way to the workers and back."""

    def __init__(self, client, parcel, batch_size, total):
        self.client, self.batch_size, self.total = client, batch_size, total
        self.name = f"realfake-{uuid.uuid4().hex}"
        self.done = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its size
            # A task, not scattered data: these are gone for good with the worker that has them.
            self.parcel = client.submit(_same, parcel, key=f"{self.name}-detector")

    def judged(self, tasks):
        """The records of each task's files, in order."""
        found, lost = self._run(tasks)
        # One file after the other, so that only one can be the reason for what happens then.
        for at in sorted(lost):
            ones, fatal = self._run([[file] for file in tasks[at]], at_once=1)
            found[at] = [
                prediction.Prediction("", error=fatal[one]) if one in fatal else ones[one][0]
                for one in range(len(tasks[at]))
            ]
        return [found[at] for at in range(len(tasks))]

    def _run(self, tasks, at_once=None):
        """Records by the task's number; and for tasks that no worker survived, what happened."""
        from distributed import KilledWorker, wait
        from distributed import TimeoutError as TooLong

        found, lost, running = {}, {}, {}
        waiting = deque(range(len(tasks)))
        workers = _Workers(self.client)
        while waiting or running:
            room = at_once or _PER_THREAD * max(1, workers.threads)
            while waiting and len(running) < room:
                at = waiting.popleft()
                running[self._submit(tasks[at])] = at
            ended = ()
            with contextlib.suppress(TooLong):
                ended = wait(list(running), timeout=_LOOK, return_when="FIRST_COMPLETED").done
            for future in ended:
                at = running[future]
                try:
                    found[at] = future.result(timeout=_LOOK)
                except TooLong:  # lost with its worker before it came here: it is done again
                    continue
                except KilledWorker as error:
                    times = error.allowed_failures + 1
                    lost[at] = f"cannot be read: {times} workers were lost while they read it"
                else:
                    self.done += len(tasks[at])
                    progress.report("Predicting", self.done, self.total, "images")
                del running[future]
            workers.check([tasks[at][0] for at in running.values()])
        return found, lost

    def _submit(self, files):
        key = f"{self.name}-{uuid.uuid4().hex}"
        return self.client.submit(_judge, self.parcel, _absolute(files), self.batch_size, key=key)


class _Workers:
    """How many threads the cluster has, and since when it has none."""

    def __init__(self, client):
        self.client = client
        self.threads, self.seen, self.looked = 1, time.monotonic(), 0.0

    def check(self, running):
        """Raise UserError where workers are gone for good; ``running`` are files being judged."""
        if time.monotonic() - self.looked < _LOOK:
            return
        self.looked = time.monotonic()
        self.threads = sum(self.client.nthreads().values())
        if self.threads:
            self.seen = self.looked
        elif self.looked - self.seen > PATIENCE:
            names = ", ".join(layout.as_text(str(file)) for file in running[:3])
            raise UserError(
                f"the cluster has lost all its workers, and for {PATIENCE:.0f} seconds no new one "
                f"came. Being judged were {names} and the files after each",
                _AGAIN,
            )


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
