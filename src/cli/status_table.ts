/**
 * The status of queues as a table.
 *
 * @module
 */

import type { QueueStatus } from "../operate/queue_status.ts";
import { orDash, type Styled } from "./screen.ts";

type Row = readonly string[];

/** The columns before the dead letters, which may be of any width. */
const HEADER: Row = ["QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED"];

/** The table's lines: the header, then a line for each queue. */
export function tableOf(found: readonly QueueStatus[]): Styled[][] {
  const rows: Row[] = found.map(({ queue, visible, inFlight, delayed }) =>
    [queue, visible, inFlight, delayed].map(orDash)
  );
  const widths = HEADER.map((title, i) =>
    Math.max(
      ...[title, ...rows.map((row) => row[i]!)].map((cell) => cell.length),
    )
  );
  const line = (row: Row) =>
    row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)
    ).join("  ");
  return [
    [{ text: `${line(HEADER)}  DEAD LETTERS`, style: "bold" }],
    ...rows.map((row, i) => [
      { text: `${line(row)}  ` },
      deadLetterCell(found[i]!),
    ]),
  ];
}

function deadLetterCell({ deadLetter }: QueueStatus): Styled {
  if (deadLetter === null) return { text: orDash(undefined) };
  const { queue } = deadLetter;
  if ("error" in deadLetter) return { text: `unknown, in ${queue}` };
  const { visible, inFlight, delayed } = deadLetter;
  const known = [visible, inFlight, delayed].filter((count) => count !== null);
  if (known.length === 0) return { text: `${orDash(undefined)} in ${queue}` };
  const count = known.reduce((sum, each) => sum + each);
  const text = `${orDash(count)} in ${queue}`;
  return count > 0 ? { text, style: "red" } : { text };
}
