"""Lets Ctrl-C reach the programs that tests start: whoever runs the tests in the background has them ignore it."""

import signal


def pytest_configure() -> None:
    """What is ignored here would be ignored by every process that is started here."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
