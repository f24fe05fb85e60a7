"""The camera loop. A camera is no part of a test machine; OpenCV, where it is there, plays a video as one."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.serve.camera import serve_camera
from edgecnn.serve.notify import Notifier
from edgecnn.serve.samples import SampleReader
from edgecnn.serve.stopping import Stopping, StopServingError
from tests.edgecnn.serve.serving import model_file, predictor_of, serving
from tests.support import Cli


class Frames:
    """So many frames, as a camera gives them, that remembers whether it was closed."""

    def __init__(self, frames: list[np.ndarray]) -> None:
        self._frames = iter(frames)
        self.closed = False

    def read(self) -> np.ndarray | None:
        return next(self._frames, None)

    def close(self) -> None:
        self.closed = True


def frames(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), np.uint8))


def test_each_frame_is_predicted_and_the_camera_closed() -> None:
    predictor = predictor_of(model_file("horses_or_humans"))
    reader = SampleReader(predictor.contract, 1 << 20)
    camera, found = Frames(frames(4)), []

    def answer(frame: np.ndarray) -> dict[str, Any]:
        return {"label": predictor.predict(reader.from_frame(frame)).label}

    with Stopping() as stop:
        serve_camera(camera, 200.0, answer, found.append, stop, Notifier())
    assert [one["frame"] for one in found] == [0, 1, 2, 3]
    assert {one["label"] for one in found} <= set(predictor.contract.labels)
    assert camera.closed


def test_it_is_closed_when_the_service_ends() -> None:
    camera, found = Frames(frames(4)), []

    def emit(document: dict[str, Any]) -> None:
        found.append(document)
        os.kill(os.getpid(), signal.SIGTERM)    # in the middle of a frame: it is answered, the next one is not begun

    with Stopping() as stop, pytest.raises(StopServingError):
        serve_camera(camera, 200.0, lambda frame: {"shape": frame.shape}, emit, stop, Notifier())
    assert len(found) == 1 and camera.closed


def test_without_a_package_for_cameras(cli: Cli) -> None:
    try:
        import cv2
    except ImportError:
        said = cli("serve", model_file("lenet5"), "--camera", code=1).stderr
        for way in ("sudo apt install python3-picamera2", "python3-opencv", "pip install opencv-python-headless"):
            assert way in " ".join(said.split())
    else:
        del cv2
        said = cli("serve", model_file("lenet5"), "--camera", "--camera-device", "77", code=1).stderr
        assert "cannot open the camera '77'" in " ".join(said.split())


def test_a_video_by_opencv(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for frame in frames(5):
        writer.write(frame)
    writer.release()
    with serving(tmp_path, model_file("lenet5"), "--camera", "--camera-device", "v.avi", "--fps", "200") as served:
        found = [served.line() for _ in range(5)]
        assert served.process.wait(timeout=120) == 0
    assert [one["frame"] for one in found] == list(range(5))
    assert all("label" in one for one in found), json.dumps(found)
