"""An event camera before moving images, in whole numbers: the same events on every machine.

Each pixel keeps the brightness I at its last event and sends an event when log I has changed by the contrast log(5/4):
ON where 4 (I + e) >= 5 (I_last + e), OFF where 5 (I + e) <= 4 (I_last + e); it then keeps the new I. A pixel sends at
most one event a step, as one with a refractory period does; e stands for dark current. (Lichtsteiner, Posch and
Delbruck, "A 128 x 128 120 dB 15 us latency asynchronous temporal contrast vision sensor", IEEE JSSC 43(2), 2008, has
the pixel.) There is no noise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Fractions of a pixel that positions are counted in.
SUBPIXEL = 32

#: Sensor pixels to a pixel of the image.
SCALE = 2

#: The contrast 5/4 of brightness that makes an event.
RISE, BASE = 5, 4

_UNIT = SUBPIXEL * SCALE  # of positions, to a pixel of the image


def render(
    image: npt.NDArray[np.integer], side: int, x: npt.NDArray[np.int64], y: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return what a sensor of ``side`` x ``side`` pixels sees of an image whose centre is off its own, bilinearly.

    ``image`` [height, width] is not negative; ``x`` and ``y`` [...] are offsets to the right and down in 1/32 of a
    pixel. The answer, [..., side, side], is brightness times 4096; outside the image it is dark.
    """
    rows = _weights(image.shape[0], side, y)
    columns = _weights(image.shape[1], side, x)
    return np.asarray((rows @ image.astype(np.float64) @ columns.swapaxes(-1, -2)).astype(np.int64))


def _weights(extent: int, side: int, offset: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return how much of each image row a sensor row sees, [..., side, extent] of 0 to 64.

    Whole numbers below 2^53 in floats: sums of their products are exact, in whatever order a library takes them.
    """
    # Twice the position, so that centres between two pixels are whole numbers too.
    centred = (2 * np.arange(side) - (side - 1)) * SUBPIXEL - 2 * offset[..., np.newaxis]
    pixels = (2 * np.arange(extent) - (extent - 1)) * _UNIT
    distance = np.abs(centred[..., np.newaxis] - pixels)
    return np.asarray(np.maximum(_UNIT - distance / 2, 0.0))  # distances are even


def events(brightness: npt.NDArray[np.int64], dark: int) -> npt.NDArray[np.bool_]:
    """Return the events that ``brightness`` [steps + 1, ..., height, width] causes, [steps, ..., 2, height, width].

    Channel 0 is OFF, channel 1 is ON. ``dark`` is the camera's e in the unit of brightness, above 0. The first frame is
    what every pixel starts from.
    """
    last = brightness[0] + dark
    fired = np.zeros((len(brightness) - 1, *brightness.shape[1:-2], 2, *brightness.shape[-2:]), np.bool_)
    for step, frame in enumerate(brightness[1:]):
        now = frame + dark
        fired[step, ..., 1, :, :] = now * BASE >= last * RISE
        fired[step, ..., 0, :, :] = now * RISE <= last * BASE
        last = np.where(fired[step].any(axis=-3), now, last)
    return fired
