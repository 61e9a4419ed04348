"""What the README prints is what happens."""

import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def test_examples_run_as_printed():
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    outcome = doctest.testfile(str(README), module_relative=False, optionflags=flags)
    assert outcome.attempted > 10
    assert outcome.failed == 0


def test_commands_and_files_that_it_names_exist():
    text = README.read_text()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    commands = "\n".join(re.findall(r"```sh\n(.*?)```|`(make [^`]*)`", text, re.DOTALL)[0])
    named = set(re.findall(r"^make (\w+)", commands, flags=re.MULTILINE))
    assert {"demo", "test"} <= named <= targets
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("http") or (ROOT / link).exists(), link
