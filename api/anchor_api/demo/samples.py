"""Three small pictures for the demo, painted by this code: nobody's work but the program's.

Each is 480 × 300, eight bits a channel, a few kilobytes as PNG (RFC 2083). The same code gives the
same pixels.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 480
HEIGHT: Final = 300

_Picture = NDArray[np.uint8]


def sample_images() -> dict[str, bytes]:
    """Return the pictures as PNG files, by name."""
    painters: dict[str, Callable[[], _Picture]] = {
        "ridges-at-dusk.png": _ridges_at_dusk,
        "pebbles.png": _pebbles,
        "windows-at-night.png": _windows_at_night,
    }
    return {name: _png(paint()) for name, paint in painters.items()}


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    return x, y


def _mix(stops: list[tuple[int, int, int]], place: NDArray[np.float64]) -> _Picture:
    """Return the colours at places from 0 (first stop) to 1 (last)."""
    table = np.array(stops, dtype=np.float64)
    at = np.clip(place, 0, 1) * (len(stops) - 1)
    channels = [np.interp(at, np.arange(len(stops)), table[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _ridges_at_dusk() -> _Picture:
    x, y = _grid()
    sky = [(38, 32, 84), (124, 58, 118), (226, 110, 98), (252, 186, 120), (255, 224, 168)]
    picture = _mix(sky, np.floor(y / 190 * 24) / 24)
    picture[(x - 332) ** 2 + (y - 138) ** 2 < 34**2] = (255, 240, 206)
    ridges = [(150, 74, 112), (104, 54, 102), (66, 40, 84), (34, 26, 58)]
    for number, colour in enumerate(ridges):
        base = 168 + 34 * number
        phase, pace = 1.9 * number + 0.6, 0.011 + 0.004 * number
        edge = base - 22 * np.sin(x * pace + phase) - 9 * np.sin(x * pace * 2.7 + 2 * phase)
        picture[y > edge] = colour
    return picture


def _pebbles() -> _Picture:
    x, y = _grid()
    random = np.random.default_rng(8460)
    columns, rows = 12, 8
    nearest = np.full((HEIGHT, WIDTH), np.inf)
    second = nearest.copy()
    tone = np.zeros((HEIGHT, WIDTH))
    for row in range(rows):
        for column in range(columns):
            jitter = random.random(3)
            centre_x = (column + 0.15 + 0.7 * jitter[0]) * WIDTH / columns
            centre_y = (row + 0.15 + 0.7 * jitter[1]) * HEIGHT / rows
            distance = np.hypot(x - centre_x, y - centre_y)
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            tone = np.where(closer, round(jitter[2] * 7) / 7, tone)
            nearest = np.minimum(nearest, distance)
    stones = [(22, 66, 82), (40, 112, 122), (94, 160, 150), (190, 206, 170), (236, 226, 194)]
    picture = _mix(stones, tone)
    picture[second - nearest < 5] = (12, 32, 44)
    return picture


def _windows_at_night() -> _Picture:
    x, y = _grid()
    random = np.random.default_rng(1999)
    picture = _mix([(10, 14, 34), (22, 30, 62), (52, 52, 92)], np.floor(y / HEIGHT * 16) / 16)
    for star_x, star_y in zip(
        random.integers(0, WIDTH, 60), random.integers(0, 150, 60), strict=True
    ):
        picture[star_y, star_x] = (214, 220, 240)
    left = 0
    while left < WIDTH:
        broad, top = int(random.integers(38, 74)), int(random.integers(70, 200))
        house = (slice(top, HEIGHT), slice(left, min(left + broad, WIDTH)))
        picture[house] = (16, 18, 30) if random.random() < 0.5 else (24, 26, 42)
        for window_y in range(top + 8, HEIGHT - 8, 14):
            for window_x in range(left + 6, min(left + broad, WIDTH) - 8, 11):
                if random.random() < 0.42:
                    warm = (255, 208, 118) if random.random() < 0.8 else (170, 206, 255)
                    picture[window_y : window_y + 8, window_x : window_x + 6] = warm
        left += broad + int(random.integers(-4, 10))
    moon = (x - 388) ** 2 + (y - 52) ** 2 < 22**2
    shadow = (x - 397) ** 2 + (y - 46) ** 2 < 20**2
    picture[moon & ~shadow] = (240, 236, 214)
    return picture


def _png(picture: _Picture) -> bytes:
    # Filter 0 before each row: flat colours compress best as they are.
    rows = b"".join(b"\x00" + row.tobytes() for row in picture)
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(rows, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
