"""The style of a project's page: a document, not a dashboard; light, dark, narrow and printed."""

from __future__ import annotations

from typing import Final

#: Written into the page, whose policy names its digest.
STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1b19; --paper: #fdfcfa; --soft: #6d6a64;
  --line: #dcd8d0; --accent: #1f5f8b; --verified: #1d7a3e; --failed: #b3261e; --pending: #946200;
  --in: #dff2e3; --out: #f9dedb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e6df; --paper: #191817; --soft: #a19c92;
  --line: #3a3834; --accent: #8cc0e4; --verified: #6fcf8f; --failed: #ff8a80; --pending: #e3b341;
  --in: #1d3b26; --out: #4a211e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 48rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.05rem; font-weight: 600; line-height: 1.5; margin: 0; display: flex;
  flex-wrap: wrap; align-items: baseline; gap: 0 .75rem; }
h2 .number { color: var(--soft); font-weight: 400; font-variant-numeric: tabular-nums; }
h2 time, h2 .word { font-weight: 400; font-size: .9rem; } h2 .word { margin-left: auto; }
.soft, dt, time { color: var(--soft); } .soft { font-size: .92rem; }
time { font-variant-numeric: tabular-nums; white-space: nowrap; }
code, .mono { font-family: ui-monospace, monospace; font-size: .86em; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: .15em; }
:target { scroll-margin-top: 1rem; } :target h2, :target figcaption { color: var(--accent); }
article, section { border-top: 1px solid var(--line); padding: 1.2rem 0; }
article > p, section > p { margin: .35rem 0; white-space: pre-wrap; }
.verified { color: var(--verified); } .failed { color: var(--failed); }
.pending { color: var(--pending); } .not_checked { color: var(--soft); }
.files, .sheet { display: grid; gap: 1rem; margin: .7rem 0 .5rem;
  grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); align-items: end; }
.sheet { align-items: start; } .sheet article { border: 0; padding: 0; }
figure { margin: 0; } figure.file { max-width: 15rem; }
figure.chosen img { outline: 3px solid var(--accent); outline-offset: 2px; }
img { display: block; max-width: 100%; max-height: 15rem; border: 1px solid var(--line); }
.sheet .frame, .choice .frame { height: 9.5rem; display: flex; align-items: end; }
.sheet img, .choice img { max-height: 9.5rem; }
figcaption { font-size: .82rem; line-height: 1.45; color: var(--soft); margin-top: .35rem; }
ins { background: var(--in); text-decoration: none; } del { background: var(--out); }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .1rem 1rem;
  margin: .5rem 0; } dd { margin: 0; white-space: pre-wrap; }
.sheet dl { grid-template-columns: 1fr; font-size: .82rem; } .sheet dt { margin-top: .3rem; }
summary { cursor: pointer; color: var(--soft); font-size: .92rem; }
.sheet summary, .under { font-size: .82rem; line-height: 1.45; }
header { padding-bottom: 1.4rem; }
@media print { body { max-width: none; padding: 0; } article { break-inside: avoid; } }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dt { margin-top: .3rem; }
  h2 .word { margin-left: 0; flex-basis: 100%; }
  .files, .sheet { grid-template-columns: repeat(2, 1fr); gap: .8rem; } }
"""
