/**
 * Printing that ends no work: a full disk or a closed stream loses lines, not
 * jobs.
 *
 * @module
 */

import process from "node:process";
import { RUNTIME } from "../runtime.ts";

const ignore = () => {};

/**
 * Outlives standard streams that fail on Node. For good: an error may arrive
 * after the container's end.
 */
export function outliveStreams(): void {
  if (RUNTIME === "Deno") return;
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
  }
}

/** The console as it was before {@linkcode outlivePrinting}, by method. */
const originals = new Map<string, Console["log"]>();

/** The console's methods that print a line. */
export type ConsoleMethod = "log" | "debug" | "info" | "warn" | "error";

/**
 * Prints a line.
 *
 * @throws {Error} If the system refuses it, as far as Deno reports that.
 */
export function print(name: ConsoleMethod, line: string): void {
  (originals.get(name) ?? console[name]).call(console, line);
}

/**
 * Keeps Deno's console from throwing if the system refuses its output, in a
 * process that only runs containers. A full disk is not the fault of a job that
 * prints. The log keeps the former methods, as a job may replace the console's.
 */
export function outlivePrinting(): void {
  if (RUNTIME !== "Deno") return;
  const methods = console as unknown as Record<string, unknown>;
  for (const [name, method] of Object.entries(methods)) {
    if (typeof method !== "function") continue;
    const printing = (...args: unknown[]) => {
      try {
        return Reflect.apply(method, console, args);
      } catch (error) {
        if (!(error instanceof Error) || !("code" in error)) throw error;
      }
    };
    originals.set(name, method as Console["log"]);
    methods[name] = printing;
  }
}
