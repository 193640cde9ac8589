/** How times and counts are written; the same in every part of the page. */

/** `2026-11-23T10:02:08Z` as `2026-11-23 10:02:08 UTC`. */
export function shownTime(utc: string): string {
  return `${utc.slice(0, 10)} ${utc.slice(11, -1)} UTC`;
}

/** `1 record`, `1,204 records`. */
export function count(n: number, what: string): string {
  return `${n.toLocaleString("en-US")} ${what}${n === 1 ? "" : "s"}`;
}

/** The first 8 hexadecimal digits and an ellipsis. */
export function shortHex(hex: string): string {
  return `${hex.slice(0, 8)}…`;
}
