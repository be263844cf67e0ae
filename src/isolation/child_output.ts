/**
 * Passes the output of child processes on to this process's output.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { writeSync } from "node:fs";
import type { Readable } from "node:stream";

/** A line longer than this is passed on in parts, in bytes. */
const MAX_LINE_BYTES = 16 * 1_048_576;

/**
 * Passes output on in whole lines. A pipe takes no more than 64 KiB at a time, so
 * processes would break each other's long lines.
 *
 * @param stream The output of a child process.
 * @param fd 1 for standard output, 2 for standard error.
 * @returns Resolves at the end of the stream.
 */
export async function passLines(stream: Readable, fd: 1 | 2): Promise<void> {
  let held: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const isLong = size + chunk.length > MAX_LINE_BYTES;
      const end = isLong ? chunk.length : chunk.lastIndexOf(10) + 1;
      if (end > 0) {
        writeAll(fd, Buffer.concat([...held, chunk.subarray(0, end)]));
        held = [];
        size = 0;
      }
      held.push(chunk.subarray(end));
      size += chunk.length - end;
    }
  } catch {
    // The stream was cut off with its process.
  }
  writeAll(fd, Buffer.concat(held));
}

/** Writes synchronously, as the console does, and ignores errors. */
function writeAll(fd: 1 | 2, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EAGAIN") return;
      // Another process made the shared pipe non-blocking, and it is full.
      Atomics.wait(PAUSE, 0, 0, 1);
    }
  }
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4));
