"""The program of the inspecting subprocess: imports a package and leaves its catalog in a file.

`python -m flowruntime.registry.inspect REQUEST`, with REQUEST as JSON: `package`, `namespace`, `pack`, `path`
(where modules are searched first), `answer` (the file), `limit_seconds`. The answer is `{"catalog": TEXT}` or
`{"error": {code, message, remedy}}`. Never through stdout, which belongs to whatever the package prints.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from pathlib import Path

from flowcore.errors import PackError

from flowruntime.limited import run_limited
from flowruntime.registry.catalogs import catalog_text
from flowruntime.registry.collecting import catalog_of

__all__ = ["main"]


def main(request: str) -> None:
    """Answer one request and end the process at once, whatever threads and exit handlers the package left."""
    asked = json.loads(request)
    # Should whoever asked be gone, nobody else ends a package that hangs.
    signal.setitimer(signal.ITIMER_REAL, asked["limit_seconds"])
    sys.path[:] = [*asked["path"], *(entry for entry in sys.path if entry not in asked["path"])]
    answer: dict[str, object]
    try:
        # On a thread, as nodes are imported where they run: what only goes on the main one is found here.
        catalog = run_limited(
            functools.partial(catalog_of, asked["package"], asked["namespace"], pack=asked["pack"]),
            limit_seconds=2 * asked["limit_seconds"],
        )
        answer = {"catalog": catalog_text(catalog)}
    except PackError as error:
        answer = {"error": error.to_json()}
    file = Path(asked["answer"])
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(answer), encoding="utf-8")
    unfinished.replace(file)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
