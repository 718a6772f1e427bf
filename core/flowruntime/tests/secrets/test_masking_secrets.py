"""The net: revealed secrets are masked in texts, in the forms in which programs write them."""

import html
import json
import re
import threading
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus, urlencode

import pytest
from flowruntime.secrets import Net
from hypothesis import given
from hypothesis import strategies as st

CANARY = "s3cr3t/ Canäry???>>>value?&=\"'\\"

#: Texts as secrets are: long enough to be looked for.
secrets = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="*"), min_size=6, max_size=40)


def net_with(*texts: str) -> Net:
    net = Net()
    for text in texts:
        net.add(text)
    return net


@pytest.mark.parametrize(
    "written",
    [
        CANARY,
        json.dumps(CANARY)[1:-1],
        json.dumps(CANARY, ensure_ascii=False)[1:-1],
        repr(CANARY)[1:-1],
        quote(CANARY),
        quote(CANARY, safe=""),
        re.sub("%..", lambda found: found[0].lower(), quote(CANARY, safe="")),
        quote_plus(CANARY),
        b64encode(CANARY.encode()).decode(),
        b64encode(CANARY.encode()).decode().rstrip("="),
        urlsafe_b64encode(CANARY.encode()).decode(),
        repr(CANARY.encode())[2:-1],
        json.dumps(CANARY)[1:-1].replace("/", "\\/"),
        json.dumps(CANARY, ensure_ascii=False)[1:-1].replace("&", "\\u0026").replace(">", "\\u003e"),
        html.escape(CANARY),
        html.escape(CANARY).replace("&#x27;", "&#39;"),
        html.escape(CANARY, quote=False),
    ],
)
def test_a_secret_is_masked_however_it_is_written(written: str) -> None:
    masked = net_with(CANARY).mask(f"GET /?q={written} failed")
    assert masked == "GET /?q=*** failed"
    assert Net().mask(written) == written, "without the net it is there"


@given(secrets, st.binary(max_size=8), st.binary(max_size=8))
def test_a_secret_inside_of_something_encoded_is_masked(secret: str, before: bytes, after: bytes) -> None:
    encoded = b64encode(before + secret.encode() + after).decode()
    masked = net_with(secret).mask(f"Basic {encoded}")
    assert "***" in masked
    # What is left of it are the letters that it shares with its neighbours.
    left = len(encoded) - (len(masked) - len("Basic ***"))
    assert left >= len(secret.encode()) * 8 // 6 - 2


@given(secrets, st.text(max_size=20), st.text(max_size=20))
def test_no_text_holds_a_secret_after_it(secret: str, before: str, after: str) -> None:
    masked = net_with(secret).mask(before + secret + after)
    assert secret not in masked
    assert urlencode({"q": secret}).removeprefix("q=") not in net_with(secret).mask(urlencode({"q": secret}))


@given(st.text("abc12", min_size=6, max_size=40), st.integers(min_value=6))
def test_the_beginning_of_a_secret_at_the_end_of_a_text_is_masked(secret: str, cut: int) -> None:
    told = f"no: {secret[: max(cut % len(secret), 6)]}"
    assert net_with(secret).mask(told) == "no: ***"


def test_a_secret_that_begins_with_another_is_masked_whole() -> None:
    assert net_with("hunter22", "hunter22-long").mask("hunter22-long, hunter22") == "***, ***"


def test_lines_of_a_key_are_masked_one_by_one_and_what_all_keys_have_stays() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----\n"
    net = net_with(key)
    assert net.mask("line 2: MIIEvQIBADANBg") == "line 2: ***"
    assert net.mask("no -----END PRIVATE KEY----- found") == "no -----END PRIVATE KEY----- found"


def test_the_password_of_a_url_is_masked_by_itself_too() -> None:
    net = net_with("postgresql://ada:p%40ssw0rd@db.example.org/sales")
    assert (
        net.mask("as ada with p@ssw0rd or p%40ssw0rd at db.example.org") == "as ada with *** or *** at db.example.org"
    )
    assert net_with("http://[half").mask("http://[half, half") == "***, half"


def test_of_very_many_lines_the_first_are_looked_for() -> None:
    net = net_with("\n".join(f"line-{number:04}" for number in range(5000)))
    assert net.mask("line-0000 line-0099 line-0100 line-4999") == "*** *** line-0100 line-4999"


def test_short_texts_are_left_alone() -> None:
    net = net_with("5", "abcde", "")
    assert net.is_empty
    assert net.mask("5 abcde") == "5 abcde"


def test_values_are_masked_in_depth_and_stay_the_same_object_without_a_secret() -> None:
    net = net_with(CANARY)
    clean = {"a": [1, None, {"b": "text"}], "c": 2.5}
    assert net.mask_value(clean) is clean
    assert net.mask_value({"a": [1, {CANARY: f"x {CANARY}"}], "b": True}) == {"a": [1, {"***": "x ***"}], "b": True}


def test_the_net_is_bounded_and_keeps_what_was_revealed_last() -> None:
    net = Net()
    for number in range(1000):
        net.add(f"secret-number-{number:05}")
        net.add("used-all-the-time")
    for kept in ("secret-number-00999", "secret-number-00800", "used-all-the-time"):
        assert net.mask(kept) == "***"
    assert net.mask("secret-number-00000") == "secret-number-00000"


def test_threads_may_reveal_and_mask_at_the_same_time() -> None:
    net = net_with(CANARY)
    told: list[str] = []

    def work(number: int) -> None:
        for count in range(50):
            net.add(f"secret-{number}-{count}")
            told.append(net.mask(f"{CANARY} secret-{number}-{count}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["*** ***"] * 200


def test_a_long_secret_is_found_by_its_beginning() -> None:
    long = "".join(f"{number:06}-" for number in range(2000))
    assert long[:4096] not in net_with(long).mask(long)
