"""Whatever a client sends, on every route of the description: never a 500."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import zipfile
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DOCUMENT = json.loads(
    (Path(__file__).resolve().parents[3] / "api" / "openapi.json").read_text(encoding="utf-8")
)
OPERATIONS = sorted(
    (path, method) for path, methods in DOCUMENT["paths"].items() for method in methods
)
FILE = b"a file"
DIGEST = hashlib.sha256(FILE).digest()

TIMES = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
    "0000-00-00T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-11-23T10:02:60Z",
    "2026-11-23T10:02:08Z",
    "2026-11-23",
    "-2026-11-23T10:02:08Z",
)
ODD = (
    "",
    "0",
    "-1",
    "1",
    "01",
    "1e400",
    "nan",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551616",
    "9" * 5000,
    "\0",
    "\ud7ff",
    "\N{RIGHT-TO-LEFT OVERRIDE}",
    "../../etc/passwd",
    "%00",
    "true",
    "null",
    "0/000",
    "0/x001/234.p/256",
    "63/000",
    "entries/000",
    "9" * 400 + "/000",
)
LENGTHS = (0, 1, 19, 20, 21, 31, 32, 33, 63, 64, 65)

hexes = st.sampled_from(LENGTHS).flatmap(lambda n: st.binary(min_size=n, max_size=n)).map(bytes.hex)
texts = st.one_of(
    st.just(DIGEST.hex()),
    hexes,
    hexes.map(str.upper),
    st.sampled_from(TIMES),
    st.datetimes().map(lambda when: when.isoformat() + "Z"),
    st.sampled_from(ODD),
    st.integers().map(str),
    st.text(max_size=40),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


def places(value, way=()):
    """Yield the way to each member of a JSON value."""
    if way:
        yield way
    if isinstance(value, dict | list):
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(member, (*way, name))


@st.composite
def spoiled(draw, genuine):
    """Return a genuine JSON document with up to three members changed, moved or removed."""
    value = copy.deepcopy(genuine)
    for _ in range(draw(st.integers(1, 3))):
        if not value:
            break
        way = draw(st.sampled_from(list(places(value))))
        holder = value
        for name in way[:-1]:
            holder = holder[name]
        if draw(st.booleans()):
            holder[way[-1]] = draw(values)
        else:
            del holder[way[-1]]
    return json.dumps(value).encode()


@st.composite
def flipped(draw, genuine):
    """Return bytes with some of them changed, perhaps cut short."""
    data = bytearray(genuine)
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.sampled_from((len(data), len(data) // 2, 40)))])


def zipped(proof):
    """Return a zip file that looks like an exhibit and is none."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("x.exhibit/bagit.txt", "BagIt-Version: 1.0\n")
        archive.writestr("x.exhibit/manifest-sha256.txt", f"{DIGEST.hex()}  data/a\n")
        archive.writestr("x.exhibit/data/a", FILE)
        archive.writestr("x.exhibit/data/proofs/1.proof", json.dumps(proof))
    return made.getvalue()


def bodies(proof, ots):
    """Return what may be sent as a body."""
    exhibit = zipped(proof)
    submission = {"digests": [DIGEST.hex(), "00" * 32]}
    return st.one_of(
        st.sampled_from([json.dumps(proof).encode(), ots, DIGEST, DIGEST * 2]),
        spoiled(proof),
        spoiled(submission),
        flipped(ots),
        st.just(exhibit),
        flipped(exhibit),
        flipped(json.dumps(proof).encode()),
        values.map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=200),
    )


@st.composite
def requests(draw, path, method, genuine):
    """Return method, address, headers and body of one request to a route."""
    operation = DOCUMENT["paths"][path][method]
    query: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    address = path
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "path":
            address = address.replace(f"{{{name}}}", quote(draw(texts), safe="/"))
        elif parameter["in"] == "query":
            query += [(name, text) for text in draw(st.lists(texts, max_size=2))]
        else:
            headers[name] = quote(draw(texts), safe=" ")[:300]
    body = b""
    if "requestBody" in operation:
        body = draw(bodies(*genuine))
        types = [*operation["requestBody"]["content"], "text/plain", "", "application/json;x=y"]
        headers["content-type"] = draw(st.sampled_from(types))
    headers["accept"] = draw(
        st.sampled_from(["*/*", "", "text/x-tlog-proof", "a/b;q=x, */*;q=nan"])
    )
    if query:
        address += "?" + urlencode(query)
    return method.upper(), address, headers, body


@pytest.fixture(scope="module")
def genuine(anchored_module):
    client = anchored_module.client
    assert client.submit(DIGEST).status_code == 200
    anchored_module.wait_pending(1)
    anchored_module.calendar.mine()
    anchored_module.calendar.chain.mine(7)
    anchored_module.wait_final(1)
    at = f"/v1/digests/{DIGEST.hex()}/proof"
    ots = client.get(at, headers={"accept": "application/vnd.opentimestamps.ots"})
    return client.get(at).json(), ots.content


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_input_makes_the_service_fail(anchored_module, genuine, path, method):
    operation = DOCUMENT["paths"][path][method]
    takes_something = "requestBody" in operation or operation.get("parameters")

    @settings(
        max_examples=300 if takes_something else 3,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(path, method, genuine))
    def answered(request):
        how, address, headers, body = request
        response = anchored_module.client.request(how, address, headers=headers, content=body)
        assert response.status_code != 500, response.text
        assert response.status_code < 500 or response.status_code == 503, response.text

    answered()


@pytest.mark.parametrize("before", TIMES)
def test_any_time_may_be_asked_about(anchored_module, genuine, before):
    client = anchored_module.client
    at = urlencode({"before": before})
    proof = json.dumps(genuine[0])
    for response in (
        client.get(f"/v1/digests/{DIGEST.hex()}?{at}"),
        client.post(f"/v1/verify?{at}", content=proof),
        client.post(f"/v1/verify?{at}", content=genuine[1]),
    ):
        assert response.status_code in (200, 400), response.text


@pytest.mark.parametrize("length", LENGTHS)
def test_a_digest_of_the_file_has_the_length_that_the_evidence_says(
    anchored_module, genuine, length
):
    client = anchored_module.client
    for content in (json.dumps(genuine[0]), genuine[1]):
        response = client.post(f"/v1/verify?file_digest={'00' * length}", content=content)
        if length == 32:
            assert response.status_code == 200
            assert response.json()["status"] == "failed"
        elif length > 64:
            assert response.status_code == 413
        else:
            assert response.status_code == 400, response.text
            assert response.json()["code"] == "usage.file_digest"
