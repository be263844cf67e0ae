/**
 * A Lambda function: it makes its worker once, and runs the jobs of each event.
 *
 * @module
 */

import { loadTelemetry, timeAndChance } from "../connect/open_queue.ts";
import { jobContext, runInScope } from "../job/current_job.ts";
import { loadHooks } from "../job/hooks.ts";
import { logStrayErrors } from "../job/stray_errors.ts";
import { watchExit } from "../job/stray_exit.ts";
import { loadWorker } from "../job/worker.ts";
import { createLoggers } from "../logging/loggers.ts";
import { outliveStreams } from "../logging/printing.ts";
import { firstJobs } from "../job/runner.ts";
import { printable } from "../text.ts";
import { Deadline } from "./deadline.ts";
import {
  type LambdaContext,
  readEvent,
  type SourceRecord,
  type SqsBatchResponse,
} from "./event.ts";
import { once } from "./once.ts";
import { type FunctionParts, QueueJobs } from "./queue_jobs.ts";
import { inLambda, inLambdaWords, type LambdaSettings } from "./settings.ts";

/** A function has a trigger or two: events of more queues are made up. */
const MAX_QUEUES = 100;

/** A function, for as long as its process lives. */
export class LambdaFunction {
  readonly #settings: LambdaSettings;
  readonly #queues = new Map<string, QueueJobs>();

  constructor(settings: LambdaSettings) {
    this.#settings = settings;
  }

  /**
   * Runs the jobs of an event.
   *
   * @throws {TypeError} If the event is not from SQS.
   * @throws {ConfigError} If the worker cannot be made: the next event tries
   * again.
   */
  async run(
    event: unknown,
    context: Partial<LambdaContext> | undefined,
  ): Promise<SqsBatchResponse> {
    const leftMs = Number(context?.getRemainingTimeInMillis?.());
    using deadline = new Deadline(timeAndChance().clock, leftMs);
    const records = readEvent(event);
    const loggers = await this.#loggers();
    using _exit = watchExit({ loggers, whose: "own" });
    const parts = await deadline.orOver(this.#parts());
    if (parts === undefined) {
      loggers.get("zsqs").warn(
        `No job starts, as the worker was not made in time: raise the timeout of the function`,
      );
      return this.#answer(records, records);
    }
    const byQueue = Map.groupBy(records, ({ queueArn }) => queueArn);
    const queues = [...byQueue].map(([arn, records]) => ({
      jobs: this.#queue(arn, parts),
      records,
    }));
    const left = await Promise.all(
      queues.map(({ jobs, records }) => jobs.run(records, deadline)),
    );
    return this.#answer(left.flat(), records);
  }

  readonly #loggers = once(() => {
    const { loggers: config, loggersWhere: where } = this.#settings
      .configFor("");
    outliveStreams();
    const loggers = inLambda(() =>
      createLoggers(config, { where, context: jobContext })
    );
    // For good: an error may come after its invocation.
    logStrayErrors({ loggers, whose: "own" });
    return Promise.resolve(loggers);
  });

  readonly #hooks = once(async () => {
    const make = await loadHooks(this.#settings.configFor(""));
    return await make?.();
  });

  readonly #worker = once(async () => {
    const make = await loadWorker(this.#settings.configFor(""));
    return await make();
  });

  readonly #parts = once(async (): Promise<FunctionParts> => {
    const loggers = await this.#loggers();
    try {
      return await runInScope({ loggers }, async () => {
        const hooks = await this.#hooks();
        const { handling } = await this.#worker();
        const telemetry = await loadTelemetry();
        return { handling, loggers, hooks, telemetry };
      });
    } catch (error) {
      throw inLambdaWords(error);
    }
  });

  #queue(arn: string, parts: FunctionParts): QueueJobs {
    const known = this.#queues.get(arn);
    if (known !== undefined) return known;
    const made = new QueueJobs(this.#settings.configFor(arn), parts);
    if (this.#queues.size >= MAX_QUEUES) this.#queues.clear();
    this.#queues.set(arn, made);
    return made;
  }

  #answer(
    left: readonly SourceRecord[],
    records: readonly SourceRecord[],
  ): SqsBatchResponse {
    const ids = [...new Set(left.map(({ id }) => id))];
    if (this.#settings.reporting === "list" || ids.length === 0) {
      // An empty id, which no message has, returns all of them.
      return {
        batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
      };
    }
    const first = firstJobs(ids).map(printable).join(", ");
    const more = ids.length > 5 ? ", ..." : "";
    throw new Error(
      `Returning all ${records.length} messages of the event, as ${ids.length} of them must come again: ${first}${more}`,
    );
  }
}
