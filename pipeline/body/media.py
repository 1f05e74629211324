"""Drag of the medium: slender-body theory and the published line from water to agar."""

from __future__ import annotations

import numpy as np

WATER = (3.3, 5.2)
AGAR = (3200.0, 128000.0)
"""Tangential and normal drag of a 1 mm worm, nN ms/um (Boyle et al. 2012: kg/s times 1e6)."""


def medium_drag(medium: float) -> tuple[float, float]:
    """Returns tangential and normal drag (nN ms/um) of a 1 mm worm; 0 is water, 1 agar.

    Raises:
        ValueError: If ``medium`` is not from 0 to 1.
    """
    if not 0 <= medium <= 1:
        raise ValueError(f"medium is {medium:g}; expected 0 (water) to 1 (agar)")
    return tuple(w + medium * (a - w) for w, a in zip(WATER, AGAR, strict=True))


def slender_drag(
    length: float, radius: float, wavelength: float, viscosity: float
) -> tuple[float, float]:
    """Drag of an undulating filament by resistive force theory (Lighthill 1976, SIAM Rev 18:161).

    Args:
        length, radius: um.
        wavelength: um; local forces reach q = 0.09 wavelength.
        viscosity: mPa s (water 1), equal to nN ms/um2 times 1e3.

    Returns:
        Tangential and normal drag, nN ms/um.
    """
    reach = np.log(2 * 0.09 * wavelength / radius)
    return (
        2 * np.pi * viscosity * 1e-3 * length / reach,
        4 * np.pi * viscosity * 1e-3 * length / (reach + 0.5),
    )
