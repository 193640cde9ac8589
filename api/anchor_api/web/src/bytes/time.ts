/**
 * Times: bigint microseconds since 1970 UTC, so that the fraction of a token's time is not lost and
 * every year of the calendar can be held.
 */
import { FormatError } from "../errors.ts";

/** Microseconds since 1970-01-01T00:00:00Z. */
export type Micros = bigint;

export const SECOND: Micros = 1_000_000n;

const UTC = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?Z$/;

/** Return whole seconds as microseconds. */
export function seconds(count: number | bigint): Micros {
  return BigInt(count) * SECOND;
}

/** Round up to a whole second: a bound may be late, never early. */
export function ceilSecond(time: Micros): Micros {
  const rest = ((time % SECOND) + SECOND) % SECOND;
  return rest === 0n ? time : time - rest + SECOND;
}

/** Return the time of a date of the Gregorian calendar, or null where it has no such date. */
export function calendarTime(
  year: number, month: number, day: number, hour: number, minute: number, second: number,
): Micros | null {
  if (year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  return BigInt(date.getTime()) * 1000n;
}

/** Read `2026-11-23T10:02:08Z`, with up to six digits of fraction that do not end in zero. */
export function parseUtc(text: string, what = "time"): Micros {
  const match = UTC.exec(text);
  const parts = match?.slice(1, 7).map(Number) as [number, number, number, number, number, number] | undefined;
  const time = parts ? calendarTime(...parts) : null;
  if (!match || time === null) throw new FormatError(`${what} is not a UTC time such as 2026-11-23T10:02:08Z`);
  const fraction = match[7] ?? "";
  if (fraction.endsWith("0")) throw new FormatError(`${what} has a fraction that ends in zero`);
  return time + BigInt(fraction.padEnd(6, "0"));
}

/** Write a time in UTC, with a fraction only where there is one. */
export function utcText(time: Micros): string {
  const rest = ((time % SECOND) + SECOND) % SECOND;
  const text = new Date(Number((time - rest) / 1000n)).toISOString().slice(0, 19);
  const fraction = rest === 0n ? "" : `.${rest.toString().padStart(6, "0").replace(/0+$/, "")}`;
  return `${text}${fraction}Z`;
}

/** Write the day alone. */
export function dayText(time: Micros): string {
  return utcText(time).slice(0, 10);
}
