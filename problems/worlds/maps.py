"""Map files: ROS map_server (yaml and image, read and written) and Moving AI (read)."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from problems.worlds._validate import check_file

FREE_SHADE, UNKNOWN_SHADE, OCCUPIED_SHADE = 254, 205, 0  # what map_saver writes
UNREADABLE = (
    UnidentifiedImageError,
    Image.DecompressionBombError,  # a header that claims hundreds of megapixels
    OSError,
    SyntaxError,
    ValueError,
)
MODES = ("trinary", "scale", "raw")
MOVINGAI_FREE, MOVINGAI_BLOCKED = ".GS", "@OTW"


class RosMap(NamedTuple):
    """A map as ``nav_msgs/OccupancyGrid`` carries it.

    Attributes
    ----------
    values : ndarray of shape (rows, cols), int8
        -1 unknown, 0..100 per cent; row 0 at the lowest y.
    resolution : float
        Side of a cell, metres.
    origin : (float, float)
        Lower left corner of cell (0, 0), metres.
    yaw : float, default=0
        By how much the grid is turned about that corner, radians, counterclockwise.
    """

    values: NDArray[np.int8]
    resolution: float
    origin: tuple[float, float]
    yaw: float = 0.0


def read_ros(file: str | PathLike) -> RosMap:
    """Read a map_server yaml file and the image that it names.

    Shades become occupancies as nav2_map_server does it: with occ = 1 - shade/255 (shade/255 when
    ``negate``), ``trinary`` gives 100 above occupied_thresh, 0 below free_thresh and -1 between;
    ``scale`` gives 0..100 between the thresholds instead; ``raw`` takes shades 0..100 as they are.
    Pixels that are not opaque are unknown in trinary and scale mode.

    Raises
    ------
    FileNotFoundError
        If the yaml file or the image that it names is missing; both are named.
    ValueError
        If the yaml or the image cannot be read, or a field is missing or out of range; the file
        and field are named.
    """
    path = check_file("file", file)
    fields = _read_yaml(path)
    image = Path(str(_field(path, fields, "image")))
    image = image if image.is_absolute() else path.parent / image
    resolution = _number(path, fields, "resolution")
    if not resolution > 0:
        raise ValueError(f"{path}: resolution must be positive, got {resolution}.")
    x, y, yaw = _origin(path, fields)
    negate = fields.get("negate", 0)
    if negate not in (0, 1):
        raise ValueError(f"{path}: negate must be 0 or 1, got {negate!r}.")
    occupied = _number(path, fields, "occupied_thresh", 0.65)
    free = _number(path, fields, "free_thresh", 0.196)
    if not 0 <= free <= occupied <= 1:
        raise ValueError(
            f"{path}: thresholds must satisfy 0 <= free_thresh <= occupied_thresh <= 1, "
            f"got {free} and {occupied}."
        )
    mode = str(fields.get("mode", "trinary")).lower()
    if mode not in MODES:
        raise ValueError(f"{path}: mode must be one of {', '.join(MODES)}, got {mode!r}.")
    if not image.is_file():
        raise FileNotFoundError(f"{path}: image must name an existing file, got {image}.")
    shade, opaque = _read_image(image)
    values = _occupancy(shade, opaque, mode, bool(negate), free, occupied)
    return RosMap(np.ascontiguousarray(values[::-1]), resolution, (x, y), yaw)


def _occupancy(shade, opaque, mode, negate, free, occupied) -> NDArray[np.int8]:
    if mode == "raw":
        whole = np.rint(shade)
        return np.where(whole <= 100, whole, -1).astype(np.int8)
    occupancy = shade / 255.0 if negate else 1.0 - shade / 255.0
    between = np.full(shade.shape, -1.0)
    if mode == "scale" and occupied > free:
        between = np.rint((occupancy - free) / (occupied - free) * 100.0)
    values = np.where(occupancy > occupied, 100.0, np.where(occupancy < free, 0.0, between))
    return np.where(opaque, values, -1).astype(np.int8)


def _read_yaml(path: Path) -> dict:
    if not path.is_file():
        raise FileNotFoundError(f"file must name an existing map yaml, got {path}.")
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a yaml file: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError(f"{path}: a map must be a table of fields, got {type(fields).__name__}.")
    return fields


def _field(path: Path, fields: dict, name: str):
    if name not in fields:
        raise ValueError(f"{path}: field {name} is missing; found {', '.join(map(str, fields))}.")
    return fields[name]


def _number(path: Path, fields: dict, name: str, default: float | None = None) -> float:
    value = fields.get(name, default) if default is not None else _field(path, fields, name)
    try:
        number = np.nan if isinstance(value, bool) else float(value)  # yaml reads 5e-2 as text
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(f"{path}: {name} must be a finite number, got {value!r}.")
    return number


def _origin(path: Path, fields: dict) -> tuple[float, float, float]:
    given = _field(path, fields, "origin")
    try:
        flags = any(isinstance(number, bool) for number in given)
        origin = np.empty(0) if flags else np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        origin = np.empty(0)
    if origin.shape not in ((2,), (3,)) or not np.isfinite(origin).all():
        raise ValueError(f"{path}: origin must be [x, y, yaw], finite numbers, got {given!r}.")
    return float(origin[0]), float(origin[1]), float(origin[2]) if len(origin) == 3 else 0.0


def _read_image(path: Path):
    try:
        with Image.open(path) as image:
            opaque = np.ones((image.height, image.width), dtype=np.bool_)
            if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
                pixels = np.asarray(image.convert("RGBA"), dtype=np.float64)
                return pixels[..., :3].mean(axis=2), pixels[..., 3] == 255
            if image.mode in ("I", "I;16", "F"):
                raise ValueError(f"8 bits a channel are read, got mode {image.mode}")
            grey = image.mode in ("L", "1")
            pixels = np.asarray(image.convert("L" if grey else "RGB"), dtype=np.float64)
            return (pixels if grey else pixels.mean(axis=2)), opaque
    except UNREADABLE as error:
        raise ValueError(f"{path}: the image cannot be read: {error}") from error


def write_ros(file: str | PathLike, ros_map: RosMap) -> Path:
    """Write a map as a map_server yaml file and a pgm image beside it, in trinary mode.

    Occupancies from 65 become occupied, below 25 free, the rest unknown.

    Returns
    -------
    Path
        The yaml file.
    """
    path = check_file("file", file).with_suffix(".yaml")
    values = np.asarray(ros_map.values)
    shade = np.full(values.shape, UNKNOWN_SHADE, dtype=np.uint8)
    shade[(values >= 0) & (values < 25)] = FREE_SHADE
    shade[values >= 65] = OCCUPIED_SHADE
    image = path.with_suffix(".pgm")
    Image.fromarray(shade[::-1]).save(image)
    fields = {
        "image": image.name,
        "mode": "trinary",
        "resolution": float(ros_map.resolution),
        "origin": [float(ros_map.origin[0]), float(ros_map.origin[1]), float(ros_map.yaw)],
        "negate": 0,
        "occupied_thresh": 0.65,
        "free_thresh": 0.196,
    }
    path.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
    return path


def read_movingai(file: str | PathLike) -> NDArray[np.int8]:
    """Read a Moving AI map of ``type octile``.

    ``.``, ``G`` and ``S`` are free, ``@``, ``O``, ``T`` and ``W`` blocked.

    Returns
    -------
    values : ndarray of shape (height, width), int8
        0 free, 100 occupied; the file's last line is row 0, so that the map is seen as drawn.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the header is malformed or its size is not that of the map; file and line are named.
    """
    path = check_file("file", file)
    if not path.is_file():
        raise FileNotFoundError(f"file must name an existing Moving AI map, got {path}.")
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    height, width = _movingai_header(path, lines)
    body = lines[4:]
    while len(body) > height and not body[-1].strip():
        body.pop()
    if len(body) != height:
        raise ValueError(f"{path}: height must be the number of rows, {len(body)}, got {height}.")
    for number, line in enumerate(body, start=5):
        if len(line) != width:
            raise ValueError(
                f"{path}, line {number}: width must be the number of cells, {len(line)}, "
                f"got {width}."
            )
    cells = np.array([list(line) for line in body], dtype="U1").reshape(height, width)
    values = np.full(cells.shape, -2, dtype=np.int8)
    values[np.isin(cells, list(MOVINGAI_FREE))] = 0
    values[np.isin(cells, list(MOVINGAI_BLOCKED))] = 100
    bad = np.argwhere(values == -2)
    if len(bad):
        row, col = bad[0]
        raise ValueError(
            f"{path}, line {row + 5}: cells must be one of "
            f"{MOVINGAI_FREE}{MOVINGAI_BLOCKED}, got {str(cells[row, col])!r} in column {col + 1}."
        )
    return np.ascontiguousarray(values[::-1])


def _movingai_header(path: Path, lines: list[str]) -> tuple[int, int]:
    words = [line.split() for line in (*lines[:4], *[""] * 4)][:4]
    if words[0] != ["type", "octile"]:
        raise ValueError(f"{path}, line 1: must be 'type octile', got {' '.join(words[0])!r}.")
    sizes = []
    for number, name in ((2, "height"), (3, "width")):
        found = words[number - 1]
        if len(found) != 2 or found[0] != name or not found[1].isdigit() or int(found[1]) == 0:
            raise ValueError(
                f"{path}, line {number}: must be '{name}' and a positive number, "
                f"got {' '.join(found)!r}."
            )
        sizes.append(int(found[1]))
    if words[3] != ["map"]:
        raise ValueError(f"{path}, line 4: must be 'map', got {' '.join(words[3])!r}.")
    return sizes[0], sizes[1]
