"""Packaging of southwell; tests and experiments are never installed."""

from setuptools import find_packages, setup

setup(
    packages=find_packages(
        include=[
            f"{name}{tail}"
            for name in ("graphs", "problems", "bcd", "planning")
            for tail in ("", ".*")
        ]
    )
)
