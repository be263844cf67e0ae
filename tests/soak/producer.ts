/**
 * A producer of a soak: sends its jobs until `Queue` has accepted each, and notes
 * the answers. If it was killed, the next one continues where its notes end, as a
 * program with a list of jobs does.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { join } from "node:path";
import { Queue } from "../../producer.ts";
import { groupOf, JSON_QUEUE, type SoakArgs, textOf } from "./jobs.ts";
import { FILES, Journal, JournalReader, type SentLine } from "./journal.ts";

/** What a producer is told. */
export interface ProducerTask {
  readonly folder: string;
  readonly endpoint: string;
  readonly queue: string;
  /** The process's name. */
  readonly by: string;
  /** Its jobs: from the first to before the last. */
  readonly from: number;
  readonly to: number;
  /** How many jobs are handed to `Queue` at a time. */
  readonly wave: number;
  /** How long it waits between them, in milliseconds. */
  readonly pauseMs: number;
}

/** How long it waits if the server seems to be away, in milliseconds. */
const AGAIN_MS = 500;

if (import.meta.main) await produce(JSON.parse(Deno.args[0]!));

async function produce(task: ProducerTask): Promise<void> {
  const { folder, queue: name, by, from, to } = task;
  const path = join(folder, FILES.sent);
  const tried = new Set<number>();
  const accepted = new Set<number>();
  for (const { job, id } of new JournalReader<SentLine>(path).read()) {
    tried.add(job);
    if (id !== undefined) accepted.add(job);
  }
  const journal = new Journal<SentLine>(path);
  const isFifo = name.endsWith(".fifo");
  const isJson = name === JSON_QUEUE;
  const isFirst = by.endsWith("-1");
  await using queue = await open(task);
  const jobs = Array.from({ length: to - from }, (_, i) => from + i);
  const note = (job: number, line: Partial<SentLine>) => {
    // What a killed process sent, it may not have noted.
    journal.add({ job, by, fresh: isFirst && !tried.has(job), ...line });
    tried.add(job);
    if (line.id !== undefined) accepted.add(job);
  };
  const rest = jobs.filter((job) => !accepted.has(job));
  for (let i = 0; i < rest.length; i += task.wave) {
    let wave = rest.slice(i, i + task.wave);
    while (wave.length > 0) {
      await (isFifo ? sendEach(wave) : sendAll(wave));
      const rejected = wave.filter((job) => !accepted.has(job));
      if (rejected.length === wave.length) await setTimeout(AGAIN_MS);
      wave = rejected;
    }
    await setTimeout(task.pauseMs);
  }

  /** One call each, at the same time. */
  async function sendEach(wave: readonly number[]): Promise<void> {
    await Promise.all(wave.map(async (job) => {
      const options = { groupId: groupOf(job), deduplicationId: `job-${job}` };
      try {
        const sent = await queue.send([job, by, textOf(job)], options);
        note(job, {
          id: sent.messageId,
          group: options.groupId,
          sequence: sent.sequenceNumber!,
        });
      } catch (error) {
        note(job, { error: String(error) });
      }
    }));
  }

  async function sendAll(wave: readonly number[]): Promise<void> {
    const jobs = wave.map((job): SoakArgs | [SoakArgs] => {
      const args: SoakArgs = [job, by, textOf(job)];
      return isJson ? [args] : args;
    });
    await queue.sendAll(jobs, {
      onResult: (result) =>
        note(
          wave[result.index]!,
          result.status === "failed"
            ? { error: String(result.error) }
            : { id: result.messageId },
        ),
    });
  }
}

/** Opens a queue, as often as it takes: the server may be away. */
async function open(
  { queue, endpoint }: ProducerTask,
): Promise<Queue<SoakArgs | [SoakArgs]>> {
  const body = queue === JSON_QUEUE ? "json" : "job";
  for (;;) {
    try {
      return await Queue(queue, { endpoint, region: "us-east-1", body });
    } catch (error) {
      console.error(error);
    }
    await setTimeout(AGAIN_MS);
  }
}
