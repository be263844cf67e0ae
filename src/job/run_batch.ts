/**
 * A batch of jobs in this process: their messages are read, the handler runs
 * once for all of them, and its end is returned.
 *
 * In a child process, a job may replace the methods of arrays. That must not make
 * another job done, so the loops here use none.
 *
 * @module
 */

import type { BatchHandler } from "./batch_handler.ts";
import { type ReadMessage, readMessage } from "../message/reading.ts";
import type { JobMessage } from "../sqs/connection.ts";
import { type Job, runInScope } from "./current_job.ts";
import type { Outcome } from "./decide.ts";
import { failuresOf, PartialBatchError, type Placed } from "./partial_batch.ts";
import { checkJob } from "./schema.ts";
import {
  DONE,
  type Handler,
  type JobContext,
  LocalRunner,
  outcomeOfError,
  outcomeOfValue,
  plain,
  runningJob,
  unreadOutcome,
} from "./run_job.ts";
import type {
  BatchOutcome,
  BatchRunner,
  JobControl,
  OwnOutcome,
  Runner,
} from "./runner.ts";

// A job may replace it, or give all objects a `then`.
const { isArray } = Array;

/** A worker's handler, of single jobs or of batches. */
export type Handling =
  & ({ readonly handler: Handler } | { readonly handleBatch: BatchHandler })
  & Pick<JobContext, "schema">;

/** The handler of a queue's batches, and the loggers that they use. */
interface BatchContext extends Omit<JobContext, "handler"> {
  readonly handleBatch: BatchHandler;
}

/** A message of a batch, as it was read. */
interface Entry extends Placed {
  readonly message: JobMessage;
  readonly read: ReadMessage;
}

/** Runs the batches of a worker in this process. */
class LocalBatchRunner implements BatchRunner {
  readonly #context: BatchContext;

  constructor(context: BatchContext) {
    this.#context = context;
  }

  async runBatch(
    messages: readonly JobMessage[],
    control: JobControl,
  ): Promise<BatchOutcome> {
    const { handleBatch, queue, loggers } = this.#context;
    const scope = { loggers, batch: { queue } };
    const own: OwnOutcome[] = [];
    const entries = this.#read(messages, own);
    if (entries.length === 0) return plain({ outcome: DONE, own });
    const options = {
      get signal() {
        return control.signal;
      },
    };
    control.started();
    let fit: readonly Entry[] = [];
    try {
      const checked = runInScope(scope, () => this.#check(entries, own));
      // What a batch does before it awaits anything is told from the rest.
      fit = isArray(checked) ? checked : await checked;
      if (fit.length === 0) return plain({ outcome: DONE, own });
      // The checks may have taken the batch's time, or its leases.
      if (control.aborted) control.signal.throwIfAborted();
      const jobs: Job[] = [];
      for (let i = 0; i < fit.length; i++) {
        const { message, read } = fit[i]!;
        jobs[i] = runningJob(message, queue, read, control);
      }
      const result = runInScope(scope, () => handleBatch(jobs, options));
      return plain({ outcome: await outcomeOfValue(await result), own });
    } catch (error) {
      const isPartial = error instanceof PartialBatchError && !control.aborted;
      if (!isPartial) return plain({ outcome: outcomeOfError(error), own });
      return plain({ outcome: takeFailures(error, fit, own) ?? DONE, own });
    }
  }

  /** Reads messages; an unreadable one has its own outcome. */
  #read(messages: readonly JobMessage[], own: OwnOutcome[]): Entry[] {
    const entries: Entry[] = [];
    for (let position = 0; position < messages.length; position++) {
      const message = messages[position]!;
      try {
        const read = readMessage(message, this.#context.reading);
        entries[entries.length] = { position, message, read };
      } catch (error) {
        own[own.length] = { position, outcome: unreadOutcome(error) };
      }
    }
    return entries;
  }

  /** Checks jobs by the worker's schema, if it has one, side by side. */
  #check(
    entries: readonly Entry[],
    own: OwnOutcome[],
  ): readonly Entry[] | Promise<readonly Entry[]> {
    if (this.#context.schema === undefined) return entries;
    const checks: (Checked | Promise<Checked>)[] = [];
    let isAsync = false;
    for (let i = 0; i < entries.length; i++) {
      const check = checks[i] = this.#checkOne(entries[i]!);
      isAsync ||= !("args" in check || "kind" in check);
    }
    return isAsync
      ? awaited(checks).then((results) => fitting(entries, results, own))
      : fitting(entries, checks as Checked[], own);
  }

  #checkOne(entry: Entry): Checked | Promise<Checked> {
    const { schema, reading } = this.#context;
    try {
      const options = { ...reading, subject: "Job" };
      const checked = checkJob(schema!, entry.read, options);
      return isArray(checked)
        ? { args: checked }
        : (checked as Promise<readonly unknown[]>)
          .then((args) => ({ args }), outcomeOfError);
    } catch (error) {
      return outcomeOfError(error);
    }
  }
}

/** What a schema says of a job: its arguments, or how it ended. */
type Checked = Outcome | { readonly args: readonly unknown[] };

async function awaited<T>(values: readonly (T | Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < values.length; i++) results[i] = await values[i]!;
  return results;
}

/** The jobs that fit, with the schema's output. */
function fitting(
  entries: readonly Entry[],
  checks: readonly Checked[],
  own: OwnOutcome[],
): Entry[] {
  const fit: Entry[] = [];
  for (let i = 0; i < entries.length; i++) {
    const check = checks[i]!;
    const { position, message, read } = entries[i]!;
    if ("kind" in check) own[own.length] = { position, outcome: check };
    else {
      const args = check.args as unknown[];
      fit[fit.length] = {
        position,
        message,
        read: { ...read, args, kwargs: {} },
      };
    }
  }
  return fit;
}

/**
 * Adds the outcomes of the jobs that a `PartialBatchError` names.
 *
 * @returns How all jobs ended, if the error is wrong.
 */
function takeFailures(
  error: PartialBatchError,
  entries: readonly Entry[],
  own: OwnOutcome[],
): Outcome | undefined {
  try {
    const failures = failuresOf(error, entries);
    for (let i = 0; i < failures.length; i++) {
      const { position, error } = failures[i]!;
      own[own.length] = { position, outcome: outcomeOfError(error) };
    }
  } catch (wrong) {
    return { kind: "workerError", error: wrong };
  }
}

/** Runs a worker's jobs, one by one or in batches. */
export function localRunner(
  handling: Handling,
  context: Omit<JobContext, "handler">,
): Runner | BatchRunner {
  return "handler" in handling
    ? new LocalRunner({ ...context, ...handling })
    : new LocalBatchRunner({ ...context, ...handling });
}
