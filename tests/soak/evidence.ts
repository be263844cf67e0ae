/**
 * What the notes of a run show.
 *
 * @module
 */

import { join } from "node:path";
import {
  type DoneLine,
  type EndLine,
  FILES,
  JournalReader,
  type OutageLine,
  type RequestLine,
  type SentLine,
} from "./journal.ts";

/** What a verdict is made of. */
export interface Evidence {
  /** How long a receive hides a message, in milliseconds. */
  readonly leaseMs: number;
  readonly sent: readonly SentLine[];
  /** In the order in which they were noted. */
  readonly done: readonly DoneLine[];
  readonly requests: readonly RequestLine[];
  readonly ends: readonly EndLine[];
  readonly outages: readonly OutageLine[];
  /** The log of each container, by its process's name. */
  readonly logs: ReadonlyMap<string, string>;
}

/** Reads the notes of a run. */
export function readEvidence(folder: string, leaseMs: number): Evidence {
  return {
    leaseMs,
    sent: readAll<SentLine>(folder, FILES.sent),
    done: readAll<DoneLine>(folder, FILES.done),
    requests: readAll<RequestLine>(folder, FILES.requests),
    ends: readAll<EndLine>(folder, FILES.ends),
    outages: readAll<OutageLine>(folder, FILES.outages),
    logs: new Map(
      [...Deno.readDirSync(folder)]
        .filter(({ name }) => name.endsWith(".log"))
        .map(({ name }) => [name, Deno.readTextFileSync(join(folder, name))]),
    ),
  };
}

/** All lines of a journal. */
export function readAll<T>(folder: string, file: string): T[] {
  return new JournalReader<T>(join(folder, file)).read();
}
