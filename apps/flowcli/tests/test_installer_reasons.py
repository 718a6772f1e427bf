"""What uv and pip say when they fail, turned into cause and remedy. The texts are theirs."""

import pytest
from flowcli.installer.reasons import explain, reason_of
from flowcli.installer.tools import ToolFailed

NOT_FOUND = """Using Python 3.11.7 environment at: /somewhere
error: No solution found when resolving dependencies
  cause: Because all versions of a depend on b>=9 and you require a, we can conclude that you require b>=9.
         And because you require b==0.1.0, we can conclude that your requirements are unsatisfiable.

hint: Something else.
"""
CLASSIC = """  × No solution found when resolving dependencies:
  ╰─▶ Because a was not found in the package registry and you require a, we can conclude that your
      requirements are unsatisfiable.
"""


def test_the_reason_is_one_line_without_chatter_and_of_a_proof_the_first_step() -> None:
    assert (
        reason_of(ToolFailed(NOT_FOUND))
        == "Because all versions of a depend on b>=9 and you require a, we can conclude that you require b>=9."
    )
    assert reason_of(ToolFailed(CLASSIC)).startswith("Because a was not found in the package registry and you")
    assert "\n" not in reason_of(ToolFailed(CLASSIC))
    assert len(reason_of(ToolFailed("error: " + "very long " * 1000))) < 600


@pytest.mark.parametrize(
    ("said", "code", "remedy"),
    [
        (CLASSIC, "install.not_found", "Check the name"),
        (NOT_FOUND, "install.conflict", "other versions"),
        (
            (
                "ERROR: Could not find a version that satisfies the requirement a (from versions: none)\n"
                "ERROR: No matching distribution found for a"
            ),
            "install.not_found",
            "Check the name",
        ),
        (
            "error: The interpreter at /usr is externally managed, and indicates the following:",
            "install.managed",
            "virtual environment",
        ),
        ("error: externally-managed-environment", "install.managed", "virtual environment"),
        (
            "error: Failed to copy to `/x/y`\n  cause: No space left on device (os error 28)",
            "install.disk_full",
            "doctor",
        ),
        (
            "error: failed to create directory `/usr/lib/x`: Permission denied (os error 13)",
            "install.unwritable",
            "belongs to you",
        ),
        (
            "error: Failed to build `a @ file:///a`\n  Caused by: The build backend returned an error",
            "install.build",
            "wheel",
        ),
        (
            "error: Failed to fetch: `https://example.org/simple/a/`\n  Caused by: dns error",
            "install.network",
            "--offline --find-links",
        ),
        ("error: Failed to read `a-1.0-py3-none-any.whl`", "install.bad_file", "anew"),
        ("error: the moon is in the wrong house", "install.failed", "uv says"),
        ("", "install.failed", "uv says"),
    ],
)
def test_each_kind_of_failure_has_its_code_and_remedy(said: str, code: str, remedy: str) -> None:
    error = explain(ToolFailed(said), "a cannot be installed", "uv")
    assert error.code == code
    assert remedy in error.remedy
    assert error.message.startswith("a cannot be installed: ")


def test_of_a_tool_that_breaks_the_last_line_is_the_reason() -> None:
    said = (
        "Collecting a\nERROR: Exception:\nTraceback (most recent call last):\n  File x, line 1\nValueError: odd name\n"
    )
    assert reason_of(ToolFailed(said)) == "ValueError: odd name"
