"""Ask the calendars of a policy, without any service, for what they promised.

A pending attestation names its calendar; it is asked only if the policy lists that calendar. When a
calendar answers with a Bitcoin attestation, the block's header and the six after it are fetched
from the policy's sources and kept with the proof, where there are sources.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from anchor.backends.calendar_client import CalendarClient
from anchor.client.online_facts import bitcoin_source_of, fetch_header_run
from anchor.errors import BackendError
from anchor.fact_sources import BitcoinHeaderSource
from anchor.formats.ots.attestation import BitcoinAttestation
from anchor.formats.ots.codec import parse_tree, serialize_tree
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.policy import Policy
from anchor.proof.proof import HeaderRun, OpenTimestampsAttestation, Proof


class CalendarAnswers:
    """Asks the policy's calendars.

    Args:
        policy: whose calendars and Bitcoin sources are asked.
        bitcoin: stands in for the policy's Bitcoin sources in tests.
    """

    def __init__(self, policy: Policy, *, bitcoin: BitcoinHeaderSource | None = None) -> None:
        self._policy = policy
        self._given = bitcoin

    # Made when first asked: each client loads the machine's root certificates.
    @cached_property
    def _clients(self) -> list[CalendarClient]:
        return [CalendarClient(uri) for uri in self._policy.calendars]

    @cached_property
    def _bitcoin(self) -> BitcoinHeaderSource | None:
        return self._given or bitcoin_source_of(self._policy)

    def ask(self, proof: Proof) -> tuple[Proof, bool]:
        """Return the proof with what calendars added, and whether any calendar answered."""
        attestations = []
        answered = False
        for attestation in proof.attestations:
            if isinstance(attestation, OpenTimestampsAttestation):
                tree = parse_tree(attestation.tree, attestation.root_hash)
                if self._continue(tree):
                    answered = True
                    attestation = self._with_headers(attestation, tree)  # noqa: PLW2901
            attestations.append(attestation)
        return replace(proof, attestations=tuple(attestations)), answered

    def _continue(self, tree: Timestamp) -> bool:
        """Merge into the tree what calendars answer; return whether one did answer."""
        answered = False
        for client in self._clients:
            for node, uri in client.promises(tree):
                try:
                    answer = client.fetch_upgrade(uri, node.message)
                except BackendError:
                    continue
                answered = True
                if isinstance(answer, Timestamp):
                    node.merge(answer)
        return answered

    def _with_headers(
        self, attestation: OpenTimestampsAttestation, tree: Timestamp
    ) -> OpenTimestampsAttestation:
        runs = {run.height: run for run in attestation.headers}
        for path in tree.paths():
            if isinstance(path.attestation, BitcoinAttestation):
                run = self._fetch_run(path.attestation.height)
                if run is not None:
                    runs[run.height] = run
        ordered = tuple(runs[height] for height in sorted(runs))
        return replace(attestation, tree=serialize_tree(tree), headers=ordered)

    def _fetch_run(self, height: int) -> HeaderRun | None:
        if self._bitcoin is None:
            return None
        try:
            return fetch_header_run(self._bitcoin, height)
        except BackendError:
            return None
