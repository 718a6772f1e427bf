"""The node type `shelf.compress`: makes bytes smaller, however many there are."""

import zlib
from typing import Annotated, Final

from flowruntime.authoring import Blob, BlobWriter, Context, node
from msgspec import Meta

__all__ = ["compress"]

_PART_BYTES: Final = 64 * 1024
#: A gzip header, without a time: the same bytes give the same file.
_GZIP: Final = 31


@node(
    "shelf.compress",
    title="Compress",
    category="Shelf",
    effects="pure",
    blocking=True,
    examples=[{"title": "As small as can be", "config": {"level": 9}, "needs": "a Blob"}],
)
def compress(
    content: Annotated[Blob, "What is compressed."],
    ctx: Context,
    *,
    level: Annotated[Annotated[int, Meta(ge=1, le=9)], "How hard to try, from 1 to 9."] = 6,
) -> Annotated[Blob, "A gzip file."]:
    """Compresses a Blob with gzip, part by part: only one part of it is in memory."""
    compressor = zlib.compressobj(level, wbits=_GZIP)
    with content.open() as source, BlobWriter(media_type="application/gzip") as target:
        # A thread cannot be ended: it stops by itself when nobody wants the result any more.
        while not ctx.cancelled and (part := source.read(_PART_BYTES)):
            target.write(compressor.compress(part))
        target.write(compressor.flush())
        return target.finish()
