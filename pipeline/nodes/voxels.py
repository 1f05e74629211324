"""Reads cell densities by voxel from NRRD files (needs the extra ``voxel``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import ConfigError, Problem, ToolError
from pipeline.nodes.shapes import VoxelShape

_HINT = "save the densities as one volume, with voxcell or pynrrd"


def read_voxels(path: Path) -> VoxelShape:
    """Reads a density volume.

    Args:
        path: NRRD file with one number per voxel.

    Returns:
        The voxels that may hold cells.

    Raises:
        ToolError: If voxcell is not installed.
        ConfigError: If the file is no three-dimensional volume of non-negative numbers.
    """
    try:
        from voxcell import VoxelData
        from voxcell.exceptions import VoxcellError
    except ImportError:
        hint = "install the extra: pip install 'sonatina[voxel]'"
        raise ToolError(Problem(str(path), "voxel regions need voxcell", hint)) from None
    try:
        volume = VoxelData.load_nrrd(str(path))
    except (OSError, ValueError, KeyError, VoxcellError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(Problem(str(path), f"cannot be read as NRRD ({text})", _HINT)) from None
    values = np.asarray(volume.raw)
    if values.ndim != 3 or values.dtype.kind not in "iuf":
        message = f"holds {values.dtype} of shape {values.shape}"
        raise ConfigError(Problem(str(path), message, "expected one number per voxel of a volume"))
    values = values.astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0 or not values.any():
        message = "densities must be finite, not negative, and not all 0"
        raise ConfigError(Problem(str(path), message, _HINT))
    step = np.asarray(volume.voxel_dimensions, np.float64)
    cells = np.argwhere(values > 0)
    return VoxelShape(cells * step + np.asarray(volume.offset), step, values[values > 0])
