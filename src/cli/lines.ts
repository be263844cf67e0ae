/**
 * Lines of bytes, read in bounded memory.
 *
 * @module
 */

import { Buffer } from "node:buffer";

const NEWLINE = 10;

/** A line with its line end; one that is too long comes in parts. */
export interface LinePart {
  readonly bytes: Uint8Array;
  /** Whether the line is too long and continues. */
  readonly more: boolean;
}

/**
 * Splits bytes into lines, which together hold every byte of the source.
 *
 * @param maxBytes The size from which a line comes in parts.
 */
export async function* readLines(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<LinePart, void, void> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  const take = () => {
    const taken = pieces;
    pieces = [];
    size = 0;
    return taken;
  };
  let isLong = false;
  for await (const chunk of source) {
    for (let start = 0; start < chunk.length;) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline < 0 ? chunk.length : newline + 1;
      pieces.push(chunk.subarray(start, end));
      size += end - start;
      start = end;
      if (newline >= 0) {
        yield { bytes: Buffer.concat(take()), more: false };
        isLong = false;
      } else if (isLong || size > maxBytes) {
        // Not joined: however long a line is, it takes no more memory.
        for (const bytes of take()) yield { bytes, more: true };
        isLong = true;
      }
    }
  }
  if (size > 0) yield { bytes: Buffer.concat(take()), more: false };
}
