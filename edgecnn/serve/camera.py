"""A camera's frames: a Raspberry Pi's camera by picamera2, any other by OpenCV. Neither can be had with edgecnn."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from edgecnn.errors import EdgecnnError, MissingDependencyError, first_line
from edgecnn.serve.lines import Emit
from edgecnn.serve.notify import Notifier, pause
from edgecnn.serve.stopping import Stopping

SIZE = (640, 480)    # width and height that are asked for: every camera has it, and networks need less
_GET = (
    "sudo apt install python3-picamera2 (Raspberry Pi camera), or sudo apt install python3-opencv, or "
    "pip install opencv-python-headless (USB camera)"
)


class Camera(Protocol):
    """A source of frames."""

    def read(self) -> np.ndarray | None:
        """The next frame, ``uint8 [H, W, 3]`` in RGB; None when there will be no more."""

    def close(self) -> None:
        """Let it go."""


class PiCamera:
    """The camera at a Raspberry Pi's ribbon cable."""

    def __init__(self, module: Any) -> None:
        self._camera = module.Picamera2()
        # libcamera names formats by the order in a word: "BGR888" is red, green, blue in memory.
        self._camera.configure(self._camera.create_video_configuration(main={"size": SIZE, "format": "BGR888"}))
        self._camera.start()

    def read(self) -> np.ndarray | None:
        """The newest frame; see ``Camera``."""
        frame: np.ndarray = self._camera.capture_array("main")
        return frame

    def close(self) -> None:
        """See ``Camera``."""
        self._camera.close()


class OpenCvCamera:
    """A USB camera by its number, or what else OpenCV opens: a stream's address, a video file."""

    def __init__(self, module: Any, device: str) -> None:
        self._cv2 = module
        self._capture = module.VideoCapture(int(device) if device.isdecimal() else device)
        if not self._capture.isOpened():
            self._capture.release()
            raise EdgecnnError(
                f"OpenCV cannot open the camera {device!r}. Is it plugged in (ls /dev/video*), and may this user read "
                "it (group video)? Another one: --camera-device NUMBER"
            )
        self._capture.set(module.CAP_PROP_FRAME_WIDTH, SIZE[0])
        self._capture.set(module.CAP_PROP_FRAME_HEIGHT, SIZE[1])
        self._capture.set(module.CAP_PROP_BUFFERSIZE, 1)    # the newest frame, not one of a second ago

    def read(self) -> np.ndarray | None:
        """The next frame; see ``Camera``."""
        there, frame = self._capture.read()
        return np.ascontiguousarray(self._cv2.cvtColor(frame, self._cv2.COLOR_BGR2RGB)) if there else None

    def close(self) -> None:
        """See ``Camera``."""
        self._capture.release()


def open_camera(device: str | None) -> Camera:
    """The Raspberry Pi's camera where picamera2 is there, otherwise the first one that OpenCV knows.

    Args:
        device: For OpenCV: a number, an address or a file; None to choose.

    Raises:
        MissingDependencyError: Neither package is there.
        EdgecnnError: There is no such camera, or it does not start.
    """
    if device is None and (picamera := _imported("picamera2")) is not None:
        try:
            return PiCamera(picamera)
        except Exception as error:    # libcamera's errors are of several kinds
            raise EdgecnnError(
                f"the camera does not start: {first_line(error)}. Is it connected (rpicam-hello --list-cameras), and "
                "used by no other program? A USB camera: --camera-device 0"
            ) from error
    cv2 = _imported("cv2")
    if cv2 is None:
        raise MissingDependencyError("picamera2 or OpenCV", None, "--camera", _GET)
    return OpenCvCamera(cv2, device or "0")


def _imported(name: str) -> Any:
    """A module, or None where it is not there.

    Raises:
        EdgecnnError: It is there and does not start, as one built for another NumPy.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None
    except Exception as error:
        raise EdgecnnError(f"{name} is installed but does not start: {first_line(error)}. Install it again.") from error


def serve_camera(
    camera: Camera,
    per_second: float,
    answer: Callable[[np.ndarray], dict[str, Any]],
    emit: Emit,
    stop: Stopping,
    notifier: Notifier,
) -> None:
    """Predict frames until there are no more: a line each, with the frame's number from 0 and the time.

    Args:
        camera: Open; closed at the end.
        per_second: Frames that are predicted, at most; where prediction takes longer, the next one is the newest then.
        answer: Gives the prediction of a frame, or its error.
        emit: Takes the lines.
        stop: Ends the service between two frames.
        notifier: Told that the service lives.

    Raises:
        StopServingError: See ``stop``.
    """
    try:
        number, due = 0, time.monotonic()
        while (frame := camera.read()) is not None:
            emit({"frame": number, "time": round(time.time(), 3), **answer(frame)})
            number, due = number + 1, max(due + 1 / per_second, time.monotonic())
            pause(due - time.monotonic(), stop, notifier)
    finally:
        camera.close()
