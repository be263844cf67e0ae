/**
 * Local time as Python's `time.strftime` writes it in the C locale.
 *
 * @module
 */

import { quote } from "../text.ts";

/** A date format, ready to use. */
export interface DateFormat {
  /** Writes a time, as local time. */
  readonly format: (date: Date) => string;
  /** What is wrong with the format: clauses without a subject. */
  readonly problems: readonly string[];
}

const DAYS = [
  "Sunday",
  "Monday",
  "Tuesday",
  "Wednesday",
  "Thursday",
  "Friday",
  "Saturday",
] as const;

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
] as const;

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

const DIRECTIVES: ReadonlyMap<string, (date: Date) => string> = new Map([
  ["a", (date) => dayName(date).slice(0, 3)],
  ["A", dayName],
  ["b", (date) => monthName(date).slice(0, 3)],
  ["B", monthName],
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
 * @returns The format and its problems.
 */
export function compileDateFormat(text: string): DateFormat {
  const parts: ((date: Date) => string)[] = [];
  const problems: string[] = [];
  const long = text.replace(/%(.)/gsu, (all, name) => SHORT.get(name) ?? all);
  for (const [part] of long.matchAll(/%.?|[^%]+/gsu)) {
    const directive = DIRECTIVES.get(part.slice(1));
    if (!part.startsWith("%")) parts.push(() => part);
    else if (directive !== undefined) parts.push(directive);
    else {
      problems.push(
        `${quote(part)} is no directive of strftime, such as %Y`,
      );
    }
  }
  return {
    format: (date) => parts.map((part) => part(date)).join(""),
    problems,
  };
}

function zeros(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

function dayName(date: Date): string {
  return DAYS[date.getDay()] ?? "";
}

function monthName(date: Date): string {
  return MONTHS[date.getMonth()] ?? "";
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
