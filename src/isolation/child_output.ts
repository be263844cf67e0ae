/**
 * Passes the output of child processes on to this process's output.
 *
 * Nothing here blocks: if nobody reads this process's output, its children wait
 * with their output, and the container continues.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";

/** A line longer than this is passed on in parts, in bytes. */
const MAX_LINE_BYTES = 2 * 1_048_576;

/** The unfinished lines of all children; beyond that, lines are cut. */
const MAX_HELD_BYTES = 16 * 1_048_576;

/** What may wait to be written; the rest is dropped and counted. */
const MAX_WAITING_BYTES = 16 * 1_048_576;

/** How long to wait for a full non-blocking pipe, in milliseconds. */
const RETRY_MS = 10;

let heldBytes = 0;

/**
 * Passes output on in whole lines. A pipe takes no more than 64 KiB at a time, so
 * processes would break each other's long lines.
 *
 * @param stream The output of a child process.
 * @param fd 1 for standard output, 2 for standard error.
 * @returns Resolves at the end of the stream.
 */
export async function passLines(stream: Readable, fd: 1 | 2): Promise<void> {
  const output = outputs[fd] ??= new Output(fd);
  let held: Buffer[] = [];
  let size = 0;
  const take = (rest: Buffer): Buffer => {
    const bytes = Buffer.concat([...held, rest]);
    heldBytes -= size;
    held = [];
    size = 0;
    return bytes;
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const isLong = size + chunk.length > MAX_LINE_BYTES ||
        heldBytes + chunk.length > MAX_HELD_BYTES;
      const end = isLong ? chunk.length : chunk.lastIndexOf(10) + 1;
      // While this waits, the child's pipe fills, and then the child waits.
      if (end > 0) await output.write(take(chunk.subarray(0, end)));
      held.push(chunk.subarray(end));
      size += chunk.length - end;
      heldBytes += chunk.length - end;
    }
  } catch {
    // The stream was cut off with its process.
  }
  await output.write(take(Buffer.of()));
}

const outputs: { [fd in 1 | 2]?: Output } = {};

/** One of this process's outputs, shared by all children. */
class Output {
  readonly #fd: 1 | 2;
  #last: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  #lostBytes = 0;

  constructor(fd: 1 | 2) {
    this.#fd = fd;
  }

  /** Writes after all that was given before; ignores errors. */
  write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return this.#last;
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      this.#lostBytes += bytes.length;
      return this.#last;
    }
    this.#waitingBytes += bytes.length;
    return this.#last = this.#last.then(async () => {
      await this.#writeAll(bytes);
      this.#waitingBytes -= bytes.length;
      await this.#reportLoss();
    });
  }

  async #reportLoss(): Promise<void> {
    const lost = this.#lostBytes;
    if (lost === 0) return;
    this.#lostBytes = 0;
    const line =
      `[zsqs dropped ${lost} bytes of output, as nothing read it in time]\n`;
    await this.#writeAll(new TextEncoder().encode(line));
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    const stream = this.#fd === 1 ? Deno.stdout : Deno.stderr;
    for (let at = 0; at < bytes.length;) {
      try {
        at += await stream.write(bytes.subarray(at));
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) return;
        // Another process made the shared pipe non-blocking, and it is full.
        await wait(RETRY_MS);
      }
    }
  }
}
