"""Values: what travels between nodes and stands in documents (JSON as the contract limits it, and Blobs)."""

from flowcore.values.blobs import BLOB_KEY, Blob, BlobSource, BytesSource, resolve_blobs
from flowcore.values.checks import MAX_DEPTH, MAX_INTEGER, MIN_INTEGER, Json, NotAValue, Value, check_value
from flowcore.values.frozen import FrozenDict, FrozenList, freeze, thaw
from flowcore.values.reading import REQUIRED, ObjectReader, did_you_mean, kind_of, show
from flowcore.values.strict_json import MAX_DOCUMENT_BYTES, ParsedJson, pointer_of, read_json, write_json
from flowcore.values.tagged import TAGS, is_tagged, untag, untag_object

__all__ = [
    "BLOB_KEY",
    "MAX_DEPTH",
    "MAX_DOCUMENT_BYTES",
    "MAX_INTEGER",
    "MIN_INTEGER",
    "REQUIRED",
    "TAGS",
    "Blob",
    "BlobSource",
    "BytesSource",
    "FrozenDict",
    "FrozenList",
    "Json",
    "NotAValue",
    "ObjectReader",
    "ParsedJson",
    "Value",
    "check_value",
    "did_you_mean",
    "freeze",
    "is_tagged",
    "kind_of",
    "pointer_of",
    "read_json",
    "resolve_blobs",
    "show",
    "thaw",
    "untag",
    "untag_object",
    "write_json",
]
