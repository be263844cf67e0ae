/**
 * Marks: what a child process says about its jobs before it does it. They arrive
 * even if a job keeps the thread busy from then on.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { writeSync } from "node:fs";
import process from "node:process";
import type { Readable } from "node:stream";

/** The pipe of the marks, in a child process. */
const FD = 4;

/** A longer line is no mark. */
const MAX_LINE_BYTES = 1024;

/** Whether marks have a pipe. On Windows they travel as other frames do. */
export const HAS_PIPE: boolean = process.platform !== "win32";

// A job may replace what all code of its process shares.
const { from } = Buffer;
const { wait } = Atomics;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes a mark in a child process.
 *
 * @throws {Error} If the pipe is closed.
 */
export function writeMark(text: string): void {
  const bytes = from(`${text}\n`);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(FD, bytes, at);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EAGAIN") throw error;
      wait(PAUSE, 0, 0, 1); // A job made the pipe non-blocking, and it is full.
    }
  }
}

/** Reads the marks of a child process; resolves when there are no more. */
export function readMarks(
  stream: Readable,
  take: (text: string) => void,
): Promise<void> {
  let rest = "";
  stream.setEncoding("utf8");
  // It was cut off with its process.
  stream.on("error", () => {});
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line);
    if (rest.length <= MAX_LINE_BYTES) return;
    take(rest);
    rest = "";
  });
  return new Promise((resolve) => stream.on("close", resolve));
}
