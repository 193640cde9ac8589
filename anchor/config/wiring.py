"""Build the service from settings: the one place that names concrete adapters.

The data folder holds ``log/`` (entries, index, checkpoints), ``rounds.sqlite`` (the anchorer's
memory) and ``log.key``. A backend that is not set up is not built; the adapters of chains and of
IPFS are imported only where they are.

A caller that brings its own backends (the demo, a test) passes them, and none of the settings about
outside parties is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from anchor.config.backends import Outside, build_outside
from anchor.config.beacons import Beacons
from anchor.config.kept_checkpoint import KeptCheckpoint
from anchor.config.service import EventFan, Parts, Service
from anchor.config.settings import Settings
from anchor.errors import ConfigError, FormatError
from anchor.formats.merkle import EMPTY_ROOT
from anchor.limits import MAX_POLICY_BYTES
from anchor.ports import AnchorBackend, LogStore, RoundPublisher
from anchor.proof.codec import proof_from_json
from anchor.proof.policy import Policy, parse_policy
from anchor.service.anchorer import Anchorer
from anchor.service.anchorer_settings import AnchorerSettings
from anchor.service.calendar_protocol import CalendarProtocol
from anchor.service.proofs import ProofAssembler
from anchor.service.sequencer import Sequencer
from anchor.service.signer import LogSigner
from anchor.stores.packed import PackedLog
from anchor.stores.round_store import SqliteRoundStore

_TOKEN_SUBMIT_S = 60.0


def build_service(
    settings: Settings,
    *,
    backends: Sequence[AnchorBackend] | None = None,
    publisher: RoundPublisher | None = None,
    policy: Policy | None = None,
    beacons: Beacons | None = None,
    anchorer_settings: AnchorerSettings | None = None,
    public_url: str | None = None,
) -> Service:
    """Open the log and build everything around it; nothing runs and nobody is asked yet.

    Args:
        settings: what the operator said.
        backends: instead of those that the settings name.
        publisher: of final rounds; with ``backends``.
        policy: instead of the one that the settings name.
        beacons: with ``backends``.
        anchorer_settings: waits and limits.
        public_url: the service's own address, where the settings name none.

    Raises:
        ConfigError: a setting, key or file cannot be used.
        StoreConflictError: another process writes to the data folder.
        StoreError: the data folder cannot be opened.
        LogIntegrityError: the log on disk contradicts itself.
    """
    with ExitStack() as opened:
        _make_data_folder(settings.data)
        signer = LogSigner.load_or_create(
            settings.log.key_file or settings.data / "log.key", settings.log.origin
        )
        store = PackedLog(settings.data / "log", reserve_bytes=settings.log.disk_reserve_mb << 20)
        opened.callback(store.close)
        rounds = SqliteRoundStore(settings.data / "rounds.sqlite")
        opened.callback(rounds.close)
        sequencer = Sequencer(
            store,
            signer,
            max_pending_bytes=settings.http.inflight_mb << 20,
            slice_digests=settings.log.max_batch_digests,
        )
        opened.callback(sequencer.close)
        if backends is None:
            outside = build_outside(settings, store, rounds)
        else:
            outside = Outside(tuple(backends), publisher, beacons or Beacons({}))
        for close in outside.closes:
            opened.callback(close)
        events = EventFan()
        anchorer = Anchorer(
            lambda: store.committed,
            rounds,
            outside.backends,
            on_event=events,
            submit_digest=_token_submitter(sequencer),
            publisher=outside.publisher,
            settings=anchorer_settings,
        )
        parts = Parts(
            settings=settings,
            store=store,
            rounds=rounds,
            signer=signer,
            sequencer=sequencer,
            anchorer=anchorer,
            policy=policy or _policy(settings.policy),
            outside=outside,
            calendar=_calendar(
                settings, ProofAssembler(store, rounds, anchorer.expectations), public_url
            ),
            kept=_kept_checkpoint(settings, signer, store, own_backends=backends is not None),
        )
        opened.pop_all()
    return Service(parts, events)


def _make_data_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise ConfigError(
            f"data: {path} cannot be made: {exc.strerror}", code="config.data"
        ) from exc


def _token_submitter(sequencer: Sequencer) -> Callable[[bytes], int]:
    def submit(digest: bytes) -> int:
        submission = sequencer.submit_blocking(digest, timeout_s=_TOKEN_SUBMIT_S)
        return int(submission.leaf_indices[0])

    return submit


def _policy(path: Path | None) -> Policy:
    if path is None:
        from anchor.policies import load_default_policy

        return load_default_policy()
    try:
        with path.open("rb") as file:
            data = file.read(MAX_POLICY_BYTES + 1)
        return parse_policy(data)
    except OSError as exc:
        raise ConfigError(
            f"policy: {path} cannot be read: {exc.strerror}", code="config.policy"
        ) from exc
    except FormatError as exc:
        raise ConfigError(f"policy: {path}: {exc.message}", code="config.policy") from exc


def _calendar(
    settings: Settings, proofs: ProofAssembler, public_url: str | None
) -> CalendarProtocol | None:
    if not settings.calendar_endpoint.enabled:
        return None
    uri = settings.public_url or public_url
    if uri is None:
        raise ConfigError(
            "public_url: the calendar protocol writes it into promises, so it must be set",
            code="config.public_url",
        )
    try:
        return CalendarProtocol(
            uri.rstrip("/"), lambda digest: proof_from_json(proofs.assemble(digest))
        )
    except FormatError as exc:
        raise ConfigError(f"public_url: {exc.message}", code="config.public_url") from exc


def _kept_checkpoint(
    settings: Settings, signer: LogSigner, store: LogStore, *, own_backends: bool
) -> KeptCheckpoint | None:
    """Return the copy that tells of a restored backup; none for a service made for an occasion."""
    path = settings.log.kept_checkpoint_file
    if path is None and own_backends:
        return None
    if path is None:
        path = _state_folder() / f"{signer.note_key.key_id.hex()}.checkpoint"
    named = settings.log.known_checkpoint_file
    return KeptCheckpoint(
        path,
        lambda: store.committed,
        signer.sign(0, EMPTY_ROOT),
        () if named is None else (named,),
    )


def _state_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    try:
        return Path(state) / "vestige" if state else Path.home() / ".local" / "state" / "vestige"
    except RuntimeError as exc:
        raise ConfigError(
            "log.kept_checkpoint_file: there is no home folder to keep it in",
            code="config.home",
            hint="name a file outside the data folder",
        ) from exc
