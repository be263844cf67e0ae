/**
 * Numbers, counts and ages as people read them.
 *
 * @module
 */

import { numberText } from "./text.ts";

// Slow to make: a list of failed messages has two numbers a line.
const numbers = new Intl.NumberFormat("en-US");

/** A number with its thousands apart: `10,000`. */
export function plainNumber(value: number): string {
  return numberText(value, numbers.format);
}

/** A number of things: `1 job`, `10,000 jobs`, `unknown jobs`. */
export function counted(count: number, noun: string): string {
  return `${plainNumber(count)} ${noun}${count === 1 ? "" : "s"}`;
}

const UNITS = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]] as const;

/** A length of time in its largest unit: `3 min`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${plainNumber(Math.floor(seconds / size))} ${unit}`;
}
