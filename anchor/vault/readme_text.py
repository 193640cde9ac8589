"""The text of ``README.txt`` in every vault: how to read it without Vestige. A test runs it."""

from __future__ import annotations

from typing import Final

README: Final = """\
This folder is a vault of Vestige: the records of a creative process, made while it went on.
Everything in it can be read with tools that any system has. Do not change anything in here.

  project.json      the id of the project
  records/          one file a step, numbered from 0 without a gap; never changed
  objects/          the files recorded, byte for byte; each is named by its SHA-256
                    (the first two digits are the folder)
  proofs/           what shows since when a record exists; they grow by "vestige upgrade"
  instance.json     which copy of the vault may be written to
  index.sqlite, cache/, tmp/, *.lock    derived or passing; can be deleted

A record is text: a signed part (a JWT: header.payload.signature), then its fields, each after a
tilde (SD-JWT, RFC 9901). The signed part lists the SHA-256 of each field, so that a field can be
held back without breaking the signature. Handing out a file of records/ hands out ALL its fields;
"vestige export" leaves out what you choose.

Show the signed part of record 0:

  cut -d'~' -f1 records/00000000.sdjwt | cut -d. -f2 | tr '_-' '/+' |
    awk '{ while (length($0) % 4) $0 = $0 "="; print }' | base64 -d | jq .

Show its fields, each as [salt, name, value]:

  tr '~' '\\n' < records/00000000.sdjwt | sed 1d | tr '_-' '/+' |
    awk 'NF { while (length($0) % 4) $0 = $0 "="; print }' |
    while read -r field; do echo "$field" | base64 -d; echo; done

The digest of record 0, which stands in the public log and in record 1 as "prev":

  cut -d'~' -f1 records/00000000.sdjwt | tr -d '\\n' | sha256sum

The digest that its proof is about:

  jq -r .digest proofs/00000000.proof

Are the originals what they are named after?

  find objects -type f | while read -r path; do
    name=$(echo "$path" | cut -d/ -f2,3 | tr -d /)
    echo "$name  $path" | sha256sum -c --quiet
  done

Who signed: the payload of record 0 has "public_key", an Ed25519 key in hexadecimal.
What a proof shows, step by step: vestige inspect proofs/00000000.proof
"""
