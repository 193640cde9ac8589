"""What ``verify.html`` costs in Chromium: the first verdict on one proof, and an exhibit.

The page is opened from disk with the network off. The clock starts when the browser hands the
chosen files to the page, and stops when the sentence stands in the document; each run is a fresh
page, so that nothing was compiled or kept before. The proof is the one of ``bench.verify``: two
tokens, three proofs of an EVM block, two inclusions. The yardstick is a worker made from a blob in
the same browser that hashes as many bytes and answers.

    python -m bench.verifier_page
    python -m bench.verifier_page --exhibit NAME.exhibit.zip --policy policy.json
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench.verify import make_proofs

_FILE = b"a file of the benchmark"
_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_WATCH = """() => {
  window.done = new Promise((resolve) => {
    document.addEventListener("change", () => { window.began = performance.now(); }, true);
    new MutationObserver((_, watcher) => {
      if (!document.querySelector("h1.sentence")) return;
      watcher.disconnect();
      resolve(performance.now() - window.began);
    }).observe(document.body, { childList: true, subtree: true });
  });
}"""
_YARDSTICK = """async (n) => {
  const text = `onmessage = async (e) =>
    postMessage(await crypto.subtle.digest("SHA-256", e.data))`;
  const began = performance.now();
  const worker = new Worker(URL.createObjectURL(new Blob([text])));
  await new Promise((resolve) => {
    worker.onmessage = resolve;
    worker.postMessage(new Uint8Array(n));
  });
  return performance.now() - began;
}"""


def first_verdict(
    browser: Browser, page_file: Path, chosen: list[Path], timeout_s: float
) -> tuple[float, str]:
    """Return milliseconds from the files to the sentence, in a fresh page, and the sentence."""
    context = browser.new_context(offline=True, locale="en-GB")
    try:
        page = context.new_page()
        page.set_default_timeout(timeout_s * 1000)
        page.goto(page_file.as_uri())
        page.evaluate(_WATCH)
        page.set_input_files("#files", [str(path) for path in chosen])
        took = page.evaluate("window.done")
        return float(took), page.locator("h1").inner_text()
    finally:
        context.close()


def yardstick(browser: Browser, page_file: Path, n_bytes: int) -> float:
    """Return milliseconds that a fresh worker takes to hash so many bytes."""
    page = browser.new_page()
    try:
        page.goto(page_file.as_uri())
        return float(page.evaluate(_YARDSTICK, n_bytes))
    finally:
        page.close()


def shown(name: str, times: list[float]) -> None:
    """Print the median and the range."""
    median, least, most = statistics.median(times), min(times), max(times)
    print(f"{name:<34} {median:8.0f} ms   ({least:.0f} to {most:.0f}, {len(times)} runs)")


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--exhibit", type=Path)
    parser.add_argument("--policy", type=Path)
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    page_file = Path(str(files("anchor_api").joinpath("static", "verify.html")))
    print(f"verify.html: {page_file.stat().st_size / 1000:.0f} kB")
    with tempfile.TemporaryDirectory() as scratch:
        if options.exhibit is None:
            chosen = one_proof(Path(scratch))
        else:
            chosen = [options.exhibit, *([options.policy] if options.policy else [])]
        n_bytes = min(sum(path.stat().st_size for path in chosen), 64 << 20)
        times, idle, sentence = [], [], ""
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
            for _ in range(options.runs):
                took, sentence = first_verdict(browser, page_file, chosen, 300)
                times.append(took)
                idle.append(yardstick(browser, page_file, n_bytes))
            browser.close()
    print(sentence)
    shown("from the files to the sentence", times)
    shown("a worker that only hashes", idle)


def one_proof(folder: Path) -> list[Path]:
    """Write a file, its proof and the policy."""
    (folder / "service").mkdir()
    proofs, _, policy = make_proofs(folder / "service", 1)
    files_of = {"cat.png": _FILE, "cat.png.proof": proofs[0], "policy.json": policy}
    for name, data in files_of.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files_of]


if __name__ == "__main__":
    main()
