"""Test settings that must hold before numba is imported."""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _source_digest() -> str:
    # numba's cache key does not see an edited callee in another file, nor NUMBA_BOUNDSCHECK
    digest = hashlib.sha256()
    for package in ("graphs", "problems", "bcd", "planning"):
        for source in sorted((ROOT / package).rglob("*.py")):
            digest.update(source.read_bytes())
    for name in sorted(name for name in os.environ if name.startswith("NUMBA_")):
        if name != "NUMBA_CACHE_DIR":
            digest.update(f"{name}={os.environ[name]}".encode())
    return digest.hexdigest()[:16]


os.environ["NUMBA_CACHE_DIR"] = str(ROOT / ".numba_cache" / _source_digest())
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")

SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data sets and maps; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data not found at {SHARED_DATA}")
    return SHARED_DATA
