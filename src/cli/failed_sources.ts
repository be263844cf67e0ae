/**
 * The source queues that failed messages name themselves: before a redrive asks
 * whether to follow them, it lists them.
 *
 * @module
 */

import type { OpenQueue } from "../connect/open_queue.ts";
import { counted } from "../numbers.ts";
import { FailedWork, type FailedWorkOptions } from "../operate/failed_work.ts";
import type { Redrive } from "../operate/redrive.ts";
import { type Output, Progress } from "./screen.ts";

/** The most queues that are listed, and followed. */
const MAX_SOURCES = 20;

const HEADING =
  "The messages name the queues to send them to, as any sender could:";

interface SourcesOptions extends Pick<FailedWorkOptions, "selects" | "signal"> {
  readonly io: Output;
  readonly open: OpenQueue;
  readonly redrive: Redrive;
}

/**
 * Lists the source queues that the selected messages name themselves, and lets
 * the redrive follow them.
 *
 * @returns Whether it saw all messages.
 */
export async function listSources(options: SourcesOptions): Promise<boolean> {
  const { open, selects, io, redrive, signal } = options;
  const named = new Map<string, number>();
  using progress = new Progress(
    io,
    open.clock,
    (seen) => `Looked at ${counted(seen, "message")}`,
  );
  const work = new FailedWork(open, {
    action: "list",
    ...{ selects, signal, redrive },
    warn: (text) => progress.above(() => io.stderr(text)),
    onMessage(message) {
      const source = redrive.sourceOf(message);
      if (source === undefined || source.isProven) return;
      const { name } = source;
      if (named.size === MAX_SOURCES && !named.has(name)) return;
      named.set(name, (named.get(name) ?? 0) + 1);
    },
    onBatch: () => progress.update(work.sweep.seen, undefined),
  });
  await work.run();
  if (named.size > 0 && !signal.aborted) {
    progress.above(() => io.stderr(HEADING));
    for (const [name, count] of named) {
      io.stderr(`  ${name} (${counted(count, "message")})`);
    }
  }
  redrive.trust(new Set(named.keys()));
  return !signal.aborted;
}
