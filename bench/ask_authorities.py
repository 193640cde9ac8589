"""Ask each known authority for one token and say whether it verifies under the roots we know.

Needs the network; sends the SHA-256 of random bytes. Run it before proposing an authority, and when
one changes its certificates:

    python bench/ask_authorities.py [NAME…]
"""

from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime

from anchor.backends.bounded_http import BoundedHttp
from anchor.backends.tsa_client import TsaClient, TsaSettings
from anchor.errors import VestigeError
from anchor.formats.tsp import parse_token
from anchor.formats.x509_certificate import parse_certificate
from anchor.policies.known_authority import KnownAuthority, find_authority, load_known_authorities


def ask(authority: KnownAuthority, http: BoundedHttp) -> str:
    settings = TsaSettings(
        authority.name, authority.url, authority.roots, policy_oid=authority.policy_oid
    )
    client = TsaClient(settings, http, lambda: datetime.now(UTC))
    try:
        der, verified = client.fetch_token(secrets.token_bytes(32), secrets.randbits(64))
    except VestigeError as exc:
        return f"{exc.code}: {exc.message}"
    chain = " < ".join(parse_certificate(certificate).name for certificate in verified.chain)
    off = (verified.gen_time - datetime.now(UTC)).total_seconds()
    qualified = "qualified" if parse_token(der).claims_qualified else "not qualified"
    return (
        f"verified; {chain}; ends {verified.chain_not_after:%Y-%m-%d}; accuracy "
        f"{verified.accuracy}; clock {off:+.1f} s; says it is {qualified}; {len(der)} bytes"
    )


def main() -> int:
    names = sys.argv[1:]
    authorities = [find_authority(name) for name in names] or [*load_known_authorities().values()]
    http = BoundedHttp(timeout_s=20)
    answers = {authority.name: ask(authority, http) for authority in authorities}
    for name, answer in answers.items():
        print(f"{name:12} {answer}")
    return 0 if all(answer.startswith("verified") for answer in answers.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
