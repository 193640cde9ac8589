"""The demo's creative process: a vault with a handful of records, and the exhibit made of it.

The keys are made for the occasion, in the demo's own folder; nobody's keyring is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

from anchor.client.known_logs import KnownLogs
from anchor.client.local_file import load_bytes
from anchor.client.service_client import ServiceClient
from anchor.exhibit.choice import Choice
from anchor.exhibit.export import Exported, RenderPdf, seal, staging_folder
from anchor.exhibit.staging import Party, stage
from anchor.limits import MAX_PROOF_BYTES
from anchor.proof.codec import parse_proof
from anchor.proof.policy import Policy, parse_policy
from anchor.proof.proof import Proof
from anchor.vault.draft import Attachment, Draft
from anchor.vault.genesis import begin_project
from anchor.vault.key_store import KeyStore
from anchor.vault.recorder import Recorder
from anchor.vault.sender import Sender
from anchor.vault.signer import Signer
from anchor.vault.vault import Vault
from anchor.verify import Judge

NAME: Final = "demo"
_PASSPHRASE: Final = b"vestige demo"


class DemoProject:
    """A vault below the demo's folder, and the key that signs in it.

    Args:
        folder: of the demo.
        paths: the images that the process is about.

    Attributes:
        records: how many there are.
    """

    def __init__(self, folder: Path, paths: Sequence[Path]) -> None:
        self._folder = folder
        self._work = folder / "project"
        self._work.mkdir()
        store = KeyStore(folder / "keys", place="file", ask=lambda _which: _PASSPHRASE)
        recovery = Signer.generate()
        with Vault.init(self._work, state=self._state) as vault:
            begun = begin_project(
                vault,
                store,
                fields={"title": "vestige demo", "work": "three small pictures"},
                recovery=recovery.thumbprint,
                state=self._state,
            )
            self._signer = begun.signer
            recorder = Recorder(vault, self._signer)
            recorder.append(Draft("prompt", {"positive": "hills at dusk, few colours"}))
            # What holds no byte can be stamped, and is no output of anything.
            outputs = tuple(Attachment("output", path) for path in paths if path.stat().st_size)
            run = recorder.append(Draft("generation", {"tool": "vestige demo"}, outputs))
            made = [f"{run.seq}.{number}" for number in range(len(outputs))]
            if made:
                why = {"chosen": made[:1], "rejected": made[1:], "why": "the quietest of them"}
                recorder.append(Draft("selection", why))
            recorder.append(Draft("final", {"human": "the choice"}, outputs[:1]))
            self.records = vault.size

    @property
    def _state(self) -> Path:
        return self._folder / "state"

    def open(self) -> Vault:
        """Open the vault."""
        return Vault.open(self._work, state=self._state)

    def send(self, client: ServiceClient, policy: Policy, logs: KnownLogs) -> None:
        """Send every record that has no proof.

        Raises:
            VestigeError: one could not be sent.
        """
        with self.open() as vault:
            self._raise(Sender(vault, client, policy, logs, _now).send().failures)

    def upgrade(self, client: ServiceClient, policy: Policy, logs: KnownLogs) -> list[Proof]:
        """Fetch what was added to the proofs; return them. Errors as :meth:`send`."""
        with self.open() as vault:
            self._raise(Sender(vault, client, policy, logs, _now).upgrade().failures)
            paths = [vault.layout.proof(seq) for seq in range(vault.size)]
        return [
            parse_proof(load_bytes(path, max_bytes=MAX_PROOF_BYTES, what="proof")) for path in paths
        ]

    def export(self, policy_path: Path) -> Exported:
        """Make the exhibit of all of it in the demo's folder, printed if the typesetter is here."""
        data = policy_path.read_bytes()
        judge = Judge(parse_policy(data), now=_now())
        party = Party(NAME, None, ("en",), f"vestige {version('vestige')}")
        with self.open() as vault, staging_folder(self._folder) as folder:
            staged = stage(
                vault,
                Choice(),
                party,
                folder / "data",
                judge=judge,
                policy_bytes=data,
                signed_by=self._signer.public_key,
                page=files("anchor_api").joinpath("static", "verify.html").read_bytes(),
            )
            return seal(
                folder / "data",
                staged.listing,
                self._folder,
                signer=self._signer,
                render_pdf=_printer(),
            )

    @staticmethod
    def _raise(failures: Sequence[tuple[int | None, Exception]]) -> None:
        for _, error in failures:
            raise error


def _printer() -> RenderPdf | None:
    """Return what prints the exhibit, None where the extra ``exhibit`` is not installed."""
    try:
        from anchor.exhibit.pdf import FilePictures, render_pdf
    except ImportError:
        return None

    def render(payload: Path, target: Path, bundle: bytes) -> None:
        with FilePictures() as draws:
            render_pdf(payload, target, bundle=bundle, signed=True, draws=draws)

    return render


def make_tampered_exhibit(path: Path, folder: Path) -> tuple[Path, str]:
    """Make a copy with one bit of a record flipped; return it and what was changed."""
    data = bytearray(path.read_bytes())
    # The directory at the end names every entry too; the first one is before the entry's bytes.
    name = b"/data/records/00000001.sdjwt"
    place = data.index(name) + len(name) + 200
    data[place] ^= 1
    changed = folder / path.name
    changed.write_bytes(bytes(data))
    return changed, "the exhibit, one bit of a record"


def _now() -> datetime:
    return datetime.now(UTC)
