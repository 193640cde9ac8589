"""Ask both verifiers about changed proofs and odd evidence, and print where they differ.

``python -m tests.interop.fuzz_second_verifier [SEED [COUNT]]``; exits with 1 if they ever do. The
same seed asks the same questions, but for keys, which are made afresh.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.evidence import whole_case
from tests.parts.odd_blocks import odd_block
from tests.parts.odd_tokens import odd_token
from tests.parts.odd_trees import odd_tree
from tests.parts.proof_mutations import mutated
from tests.parts.second_verifier import SecondVerifier, ask_first, summary
from tests.vectors.verdict_vectors import FOLDER

Difference = tuple[int, dict[str, Any], dict[str, Any]]


def differences(seed: int, count: int, words: Counter[str]) -> list[Difference]:
    """Return the questions that the two verifiers answer differently, with both answers."""
    vectors = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    case = whole_case()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        second = SecondVerifier(Path(folder))
        for number in range(count):
            rng = random.Random(f"{seed} {number}")
            make = (None, None, None, odd_token, odd_block, odd_tree)[number % 6]
            question = make(case, rng) if make else mutated(rng.choice(vectors), rng)
            one, other = summary(ask_first(question)), summary(second.ask(question))
            words[one.get("status", "not read")] += 1
            if one != other:
                found.append((number, one, other))
        second.close()
    return found


def _print_difference(name: str, one: Any, other: Any) -> None:
    """Print what differs, row by row where both are lists of one length."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for position, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            _print_difference(f"{name}[{position}]", mine, theirs)
    elif one != other:
        print(f"  {name}: {str(one)[:400]}\n  {' ' * len(name)}  {str(other)[:400]}")


def main(arguments: list[str]) -> int:
    """Run, print and return the exit status."""
    seed, count = (int(argument) for argument in [*arguments, *("0", "4000")[len(arguments) :]])
    words: Counter[str] = Counter()
    found = differences(seed, count, words)
    for number, one, other in found:
        print(f"question {number} of seed {seed}")
        for name in sorted({*one, *other}):
            _print_difference(name, one.get(name), other.get(name))
    counts = ", ".join(f"{word} {number}" for word, number in sorted(words.items()))
    print(f"{count} questions ({counts}), {len(found)} answered differently")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
