/**
 * The jobs of one queue in a Lambda function. The engine of containers runs them,
 * with the records of an event in place of receives.
 *
 * @module
 */

import { connectOptions } from "../config/config.ts";
import type { ContainerConfig } from "../config/options.ts";
import { openQueue, timeAndChance } from "../connect/open_queue.ts";
import { fateText } from "../container/failed_jobs_text.ts";
import { openFailures } from "../container/open_failures.ts";
import type { EngineContext, Requesting } from "../engine/context.ts";
import { BatchJobs } from "../engine/batch_jobs.ts";
import { Engine, type EngineParts } from "../engine/engine.ts";
import { Visibility } from "../engine/visibility.ts";
import type { Hooks } from "../job/hooks.ts";
import { type Handling, localRunner } from "../job/run_batch.ts";
import type { BatchRunner, Runner } from "../job/runner.ts";
import type { Loggers } from "../logging/loggers.ts";
import { readingOf } from "../message/reading.ts";
import { MAX_VISIBILITY_SECONDS } from "../sqs/connection.ts";
import { awsDomain } from "../sqs/partitions.ts";
import type { QueueRef } from "../sqs/queue_ref.ts";
import { type ContainerEvents, fanOut } from "../telemetry/events.ts";
import { HookCalls } from "../telemetry/hook_calls.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Deadline } from "./deadline.ts";
import { Delays } from "./delays.ts";
import type { SourceRecord } from "./event.ts";
import { once } from "./once.ts";
import { RecordSource } from "./record_source.ts";

/** What the queues of a function share. */
export interface FunctionParts {
  readonly handling: Handling;
  readonly loggers: Loggers;
  readonly hooks: Hooks | undefined;
  readonly telemetry: Telemetry | undefined;
}

/** Without OpenTelemetry, nobody counts what a function does. */
const NOBODY: ContainerEvents = {
  requested() {},
  received() {},
  started() {},
  moved() {},
  ended() {},
};

/** Runs the jobs of one queue, invocation by invocation. */
export class QueueJobs {
  readonly #config: ContainerConfig;
  readonly #parts: FunctionParts;
  readonly #ref: QueueRef;
  readonly #url: string;
  readonly #runner: Runner | BatchRunner;
  readonly #events: ContainerEvents;
  /** Hears of the requests to the queue. */
  readonly #requests: ContainerEvents;
  readonly #hooks: HookCalls | undefined;
  readonly #failures: EngineParts["failures"];
  readonly #denied = { isLogged: false };

  constructor(config: ContainerConfig, parts: FunctionParts) {
    const { loggers, handling, telemetry, hooks } = parts;
    this.#config = config;
    this.#parts = parts;
    this.#ref = config.queue;
    this.#url = urlOf(config.queue);
    const queue = config.queue.name;
    const reading = readingOf(config);
    const runner = localRunner(handling, { queue, reading, loggers });
    const traced = telemetry
      ?.container({ name: queue, url: this.#url }, config);
    this.#runner = traced?.trace(runner) ?? runner;
    const { clock } = timeAndChance();
    this.#hooks = hooks &&
      new HookCalls({ hooks, loggers, clock, queue, reading });
    this.#requests = traced?.events ?? NOBODY;
    this.#events = fanOut([
      NOBODY,
      withoutRequests(this.#requests),
      this.#hooks,
    ]);
    this.#failures = this.#openFailures();
    this.#logger.info(
      `Running jobs of ${queue} on Lambda; failed jobs ${fateText(config)}`,
    );
  }

  get #logger() {
    return this.#parts.loggers.get("zsqs");
  }

  /**
   * Runs the jobs of records.
   *
   * @returns The records that return to the queue.
   */
  async run(
    records: readonly SourceRecord[],
    deadline: Deadline,
  ): Promise<SourceRecord[]> {
    const { clock, random } = timeAndChance();
    const delays = new Delays({
      queue: this.#ref.name,
      fifo: this.#ref.fifo,
      clock,
      logger: this.#logger,
      connect: this.#connect,
      denied: this.#denied,
    });
    const source = new RecordSource(
      records,
      (record, seconds) => delays.note(record, seconds),
    );
    const context: EngineContext = {
      connection: source,
      url: this.#url,
      queue: this.#ref.name,
      fifo: this.#ref.fifo,
      clock,
      random,
      loggers: this.#parts.loggers,
      options: { ...this.#config, deleteDelaySeconds: 0 },
      // No lease ends before the invocation does.
      visibility: new Visibility(MAX_VISIBILITY_SECONDS),
      events: this.#events,
      isGuest: true,
    };
    const engine = new Engine(context, {
      runner: this.#runner,
      BatchJobs,
      failures: this.#failures,
    });
    if (deadline.near.aborted) {
      this.#logger.warn(
        `No job of ${this.#ref.name} starts, as the function has less than 1 s left: raise its timeout`,
      );
    }
    using _near = deadline.whenNear(() => {
      this.#logNear(engine);
      engine.abortJobs();
    });
    await deadline.orOver(engine.runVisible());
    if (deadline.over.aborted) engine.forceStop();
    engine.end();
    const { left } = source;
    await delays.apply(left, deadline);
    await deadline.orOver(this.#hooks?.wait() ?? Promise.resolve());
    return left;
  }

  /** Connects to the queue, without a request. */
  readonly #connect = once(async (): Promise<Requesting> => {
    const { region, accountId } = this.#ref;
    if (region === undefined || accountId === undefined) {
      throw new Error("the event does not name its queue");
    }
    const server = { ...connectOptions(this.#config), region, probe: false };
    const ref = { ...this.#ref, url: this.#url };
    const { connection, url } = await openQueue(ref, server);
    return { connection, url, events: this.#requests };
  });

  #openFailures(): EngineParts["failures"] {
    const { failures } = this.#config;
    if (typeof failures !== "object") return failures;
    const options = { ...connectOptions(this.#config), probe: false };
    const open = once(() => openQueue(failures, options));
    return openFailures(
      {
        ref: failures,
        url: failures.url ?? "",
        connection: {
          send: async (_url, ...rest) => {
            const { connection, url } = await open();
            return await connection.send(url, ...rest);
          },
        },
        ...timeAndChance(),
      },
      this.#ref.name,
      this.#logger,
      this.#parts.telemetry,
    );
  }

  #logNear(engine: Engine): void {
    const { waiting, remaining: { running } } = engine;
    if (running.length + waiting === 0) return;
    this.#logger.warn(
      `The time of the function is nearly over: aborting ${running.length} running jobs of ${this.#ref.name}, and returning ${waiting} that have not started. Raise its timeout, or lower the trigger's batch size`,
    );
  }
}

/** Lambda receives and deletes: an engine's requests here are none. */
function withoutRequests(events: ContainerEvents): Partial<ContainerEvents> {
  return {
    received: (messages) => messages > 0 && events.received(messages),
    started: (...args) => events.started(...args),
    moved: (...args) => events.moved(...args),
    ended: (outcome) => events.ended(outcome),
  };
}

/** A queue's URL, by its ARN: looking it up would need another right. */
function urlOf({ region = "", accountId, name }: QueueRef): string {
  const domain = awsDomain(region, { dualStack: false });
  return `https://sqs.${region}.${domain}/${accountId}/${name}`;
}
