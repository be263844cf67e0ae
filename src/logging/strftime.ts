/**
 * Local time as Python's `time.strftime` writes it in the C locale.
 *
 * @module
 */

import { quote } from "../text.ts";

/** Writes a time, as local time. */
export type DateFormatter = (date: Date) => string;

/** Directives that are short for others. */
const SHORT: ReadonlyMap<string, string> = new Map([
  ["c", "%a %b %e %H:%M:%S %Y"],
  ["D", "%m/%d/%y"],
  ["F", "%Y-%m-%d"],
  ["R", "%H:%M"],
  ["T", "%H:%M:%S"],
  ["x", "%m/%d/%y"],
  ["X", "%H:%M:%S"],
]);

const DIRECTIVES: ReadonlyMap<string, DateFormatter> = new Map([
  ["a", english({ weekday: "short" })],
  ["A", english({ weekday: "long" })],
  ["b", english({ month: "short" })],
  ["B", english({ month: "long" })],
  ["d", (date) => zeros(date.getDate(), 2)],
  ["e", (date) => String(date.getDate()).padStart(2)],
  ["H", (date) => zeros(date.getHours(), 2)],
  ["I", (date) => zeros((date.getHours() + 11) % 12 + 1, 2)],
  ["j", (date) => zeros(dayOfYear(date) + 1, 3)],
  ["m", (date) => zeros(date.getMonth() + 1, 2)],
  ["M", (date) => zeros(date.getMinutes(), 2)],
  ["p", (date) => date.getHours() < 12 ? "AM" : "PM"],
  ["S", (date) => zeros(date.getSeconds(), 2)],
  ["U", (date) => weekOfYear(date, date.getDay())],
  ["w", (date) => String(date.getDay())],
  ["W", (date) => weekOfYear(date, (date.getDay() + 6) % 7)],
  ["y", (date) => zeros(date.getFullYear() % 100, 2)],
  ["Y", (date) => String(date.getFullYear())],
  ["z", offset],
  ["Z", zoneName],
  ["%", () => "%"],
]);

/**
 * Makes a date format of a text with `strftime` directives.
 *
 * @param text The text, such as `%Y-%m-%dT%H:%M:%S`.
 * @param problems Gets its problems: clauses with their subject.
 * @returns The format.
 */
export function compileDateFormat(
  text: string,
  problems: string[],
): DateFormatter {
  const long = text.replace(/%(.)/gsu, (all, name) => SHORT.get(name) ?? all);
  const parts = long.match(/%.?|[^%]+/gsu)?.map((part): DateFormatter => {
    const directive = DIRECTIVES.get(part.slice(1));
    if (!part.startsWith("%")) return () => part;
    if (directive !== undefined) return directive;
    problems.push(`${quote(part)} is no directive of strftime, such as %Y`);
    return () => "";
  }) ?? [];
  return (date) => parts.map((part) => part(date)).join("");
}

function zeros(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

function english(options: Intl.DateTimeFormatOptions): DateFormatter {
  return (date) => date.toLocaleString("en-US", options);
}

/** Days since the first of January. */
function dayOfYear(date: Date): number {
  const year = date.getFullYear();
  const day = Date.UTC(year, date.getMonth(), date.getDate());
  return (day - Date.UTC(year, 0, 1)) / 86_400_000;
}

/** The week's number, the first starting with the first day 0 of the year. */
function weekOfYear(date: Date, dayOfWeek: number): string {
  return zeros(Math.floor((dayOfYear(date) + 7 - dayOfWeek) / 7), 2);
}

function offset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return (minutes < 0 ? "-" : "+") +
    zeros(Math.floor(size / 60), 2) + zeros(size % 60, 2);
}

/** The abbreviation that English-speaking countries use, or the offset. */
function zoneName(date: Date): string {
  for (const locale of ["en-US", "en-GB"]) {
    const name = new Intl.DateTimeFormat(locale, { timeZoneName: "short" })
      .formatToParts(date)
      .find(({ type }) => type === "timeZoneName")?.value;
    if (name !== undefined && !/\d/.test(name)) return name;
  }
  return offset(date);
}
