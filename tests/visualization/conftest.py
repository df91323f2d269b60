"""A browser that loads what was written, where one is installed."""

import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")


@pytest.fixture
def in_chromium(tmp_path):
    """in_chromium(url, *options) -> the page's document after its scripts, as text."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")

    def load(url, *options):
        return subprocess.run(
            [
                CHROMIUM,
                "--headless",
                "--no-sandbox",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-sync",
                f"--user-data-dir={tmp_path / 'profile'}",
                "--virtual-time-budget=20000",
                *options,
                "--dump-dom",
                url,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        ).stdout

    return load
