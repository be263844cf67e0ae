/**
 * What differs between Deno, Node and Bun. Outside of `src/isolation/`, which
 * needs Deno, no other module uses Deno's global object.
 *
 * @module
 */

import { writeSync } from "node:fs";
import process from "node:process";

/** What this program runs on. */
export const RUNTIME: "Deno" | "Node" | "Bun" = process.versions.deno
  ? "Deno"
  : process.versions.bun
  ? "Bun"
  : "Node";

/** Deno's own object, on Deno. */
export const deno: typeof Deno | undefined = RUNTIME === "Deno"
  ? Deno
  : undefined;

const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes all bytes to a file descriptor, such as 1 for standard output.
 *
 * @throws {Error} If the system refuses them.
 */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EAGAIN") throw error;
      // The pipe is non-blocking, and full.
      Atomics.wait(PAUSE, 0, 0, 1);
    }
  }
}
