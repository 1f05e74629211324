"""Independent reference of release with short-term plasticity, in NumPy and from the equations.

Three levels: exact moments (site by site the released vesicle is a Bernoulli variable of probability
u x, whatever happened before), a naive Monte Carlo with one boolean per site, and an event by event
replay that draws the numbers of NEURON's Random123 streams by its own Philox.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

MASK = 0xFFFFFFFF


def random123(count: int, id1: int, id2: int, id3: int) -> np.ndarray:
    """The first uniforms of a NEURON stream: Philox 4x32-10, counter (n, id3, id1, id2), key 0."""
    found = []
    for n in range(-(-count // 4)):
        c, k = [n, id3, id1, id2], [0, 0]
        for _ in range(10):
            a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [(b >> 32) ^ c[1] ^ k[0], b & MASK, (a >> 32) ^ c[3] ^ k[1], a & MASK]
            k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
        found += [(word + 1.0) / 4294967297.0 for word in c]
    return np.array(found[:count])


def utilisation(times, U: float, F: float) -> np.ndarray:
    """u at every event."""
    u, last, found = 0.0, 0.0, []
    for time in times:
        u *= np.exp(-(time - last) / F) if F > 0 else 0.0
        u += U * (1 - u)
        last = time
        found.append(u)
    return np.array(found)


def recovery(gaps, D: float) -> np.ndarray:
    """Probability that a site refills within a gap."""
    return 1 - np.exp(-np.asarray(gaps) / D) if D > 0 else np.ones(len(gaps))


def mean_field(times, U: float, D: float, F: float) -> np.ndarray:
    """Expected share of sites that release at every event, u x."""
    u, x, found = utilisation(times, U, F), 1.0, []
    for now, back in zip(u, recovery(np.diff(times, prepend=0.0), D), strict=True):
        x += (1 - x) * back
        found.append(now * x)
        x *= 1 - now
    return np.array(found)


def sites(times, U: float, D: float, F: float, N: int, trials: int, seed: int) -> np.ndarray:
    """Released share [trials, events], each site drawn by itself."""
    rng = np.random.default_rng(seed)
    full = np.ones((trials, N), bool)
    found = np.empty((trials, len(times)))
    back = recovery(np.diff(times, prepend=0.0), D)
    for k, u in enumerate(utilisation(times, U, F)):
        full |= rng.random(full.shape) < back[k]
        released = full & (rng.random(full.shape) < u)
        full &= ~released
        found[:, k] = released.mean(axis=1)
    return found


def replay(times, U: float, D: float, F: float, N: int, ids) -> np.ndarray:
    """Released share at every event of one synapse, with the numbers of its own stream."""
    y = random123(2 * len(times), *ids).reshape(-1, 2)
    full, found = N, []
    back = recovery(np.diff(times, prepend=0.0), D)
    for k, u in enumerate(utilisation(times, U, F)):
        full += int(binom.ppf(y[k, 0], N - full, back[k])) if full < N else 0
        released = int(binom.ppf(y[k, 1], full, u)) if full else 0
        full -= released
        found.append(released / N)
    return np.array(found)


def mini_times(rate: float, stop: float, ids) -> np.ndarray:
    """Times (ms) of the miniature events up to ``stop``."""
    count = int(4 * rate * stop / 1000 + 50)
    times = np.cumsum(-np.log(random123(count, *ids)) * 1000 / rate)
    return times[times < stop]


def conductance(times, steps, rise: float, decay: float, dt: float, samples: int) -> np.ndarray:
    """Sum of dual exponentials of peak ``steps`` at the grid times 0, dt, ...

    An event acts at the grid time nearest to it, as NEURON delivers it.
    """
    peak = np.log(decay / rise) / (1 / rise - 1 / decay)
    top = np.exp(-peak / decay) - np.exp(-peak / rise)
    t = np.arange(samples) * dt
    g = np.zeros(samples)
    for time, step in zip(times, steps, strict=True):
        since = t - np.ceil(time / dt - 0.5) * dt
        on = since > -dt / 2
        g[on] += step / top * (np.exp(-since[on] / decay) - np.exp(-since[on] / rise))
    return g
