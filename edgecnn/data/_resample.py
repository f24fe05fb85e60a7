"""Another number of samples a second: a rational change of rate by a polyphase filter.

Crochiere and Rabiner (1983), Multirate Digital Signal Processing, section 2.3: raise the rate by ``up``, keep what lies
below both Nyquist frequencies, take every ``down``-th sample. Of the filter's taps only those are used that meet a
sample; of the outputs only those are computed that are kept. The filter is a sinc under a Kaiser window, designed as in
Oppenheim and Schafer (2010), Discrete-Time Signal Processing, section 7.5.3.
"""

from __future__ import annotations

import functools
import math

import numpy as np

ATTENUATION = 60.0
"""Of what would be heard at a wrong frequency, in dB."""

TRANSITION = 0.15
"""Width of the band between what is kept and what is gone, as a fraction of the lower Nyquist frequency, at which it
ends."""


@functools.lru_cache(maxsize=8)
def _filter(up: int, down: int) -> np.ndarray:
    """Low-pass taps at ``up`` times the old rate, float64, of odd number and symmetric; they sum to ``up``."""
    most = max(up, down)
    half = math.ceil((ATTENUATION - 7.95) / (2.285 * TRANSITION * math.pi) * most / 2)
    time = np.arange(-half, half + 1)
    cutoff = (1 - TRANSITION / 2) / most
    taps = np.sinc(time * cutoff) * np.kaiser(2 * half + 1, 0.1102 * (ATTENUATION - 8.7))
    scaled: np.ndarray = taps * (up / taps.sum())
    return scaled


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """A signal at another rate, in step with the old one: sample 0 stays where it is.

    Args:
        samples: ``[N]`` real values; before and after them there is silence.
        rate: Samples a second, Hz.
        wanted: The same of the result.

    Returns:
        float64 ``[ceil(N * wanted / rate)]``.
    """
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    if up == down:
        return samples.astype(np.float64)
    taps = _filter(up, down)
    half = len(taps) // 2
    count = -(-len(samples) * up // down)
    reach = -(-len(taps) // up)    # taps of one phase, at most
    padded = np.concatenate([np.zeros(reach), samples, np.zeros(reach + down)])
    result = np.empty(count)
    for phase in range(min(up, count)):
        # Output n lies at n * down of the raised rate, where sample i lies at i * up: y[n] = sum x[i] h[n down - i up].
        position = phase * down + half
        newest = position // up
        chosen = taps[position % up :: up]
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(chosen))
        first = newest - len(chosen) + 1 + reach
        outputs = len(result[phase::up])
        result[phase::up] = windows[first : first + outputs * down : down][:outputs] @ chosen[::-1]
    return result
