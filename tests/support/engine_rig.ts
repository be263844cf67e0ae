/**
 * An engine that polls a queue of the double, on a clock that stands still. A
 * test can make its calls fail.
 *
 * @module
 */

import type { Connection, OutgoingMessage } from "../../src/sqs/connection.ts";
import { DoubleConnection } from "../../src/double/connection.ts";
import { TestServer } from "../../src/double/server.ts";
import type { DoubleQueue } from "../../src/double/queue.ts";
import type { EngineContext, EngineOptions } from "../../src/engine/context.ts";
import { BatchJobs } from "../../src/engine/batch_jobs.ts";
import { Engine, type EngineParts } from "../../src/engine/engine.ts";
import { Visibility } from "../../src/engine/visibility.ts";
import type { BatchHandler } from "../../src/job/batch_handler.ts";
import { localRunner } from "../../src/job/run_batch.ts";
import type { Handler } from "../../src/job/run_job.ts";
import type { Logger } from "../../src/logging/loggers.ts";
import { AS_JOBS } from "../../src/message/reading.ts";
import { Counters } from "../../src/telemetry/counters.ts";
import { type ContainerEvents, fanOut } from "../../src/telemetry/events.ts";
import { VirtualClock } from "../../src/double/virtual_clock.ts";
import { type CallFaults, withFaults } from "./call_faults.ts";
import { turn } from "./turn.ts";

/** What a test may set; the rest is as a container has it by default. */
type EngineSettings =
  & Partial<EngineOptions>
  & Partial<EngineParts>
  & {
    readonly listener?: Partial<ContainerEvents>;
    readonly visibility?: Visibility;
    /** Takes the place of the handler of single jobs. */
    readonly handleBatch?: BatchHandler;
  };

/** What an engine of a test stands on. */
type EngineGround = Pick<
  EngineContext,
  "connection" | "url" | "queue" | "fifo" | "loggers" | "clock" | "random"
>;

/** An engine that runs a handler, and its counts. */
export function makeEngine(
  handler: Handler,
  ground: EngineGround,
  settings: EngineSettings,
): { readonly engine: Engine; readonly counters: Counters } {
  const {
    visibility = new Visibility(30),
    failures = "delete",
    isUnseen = false,
    handleBatch,
    runner = localRunner(
      handleBatch === undefined ? { handler } : { handleBatch },
      { ...ground, reading: AS_JOBS },
    ),
    room,
    listener,
    ...options
  } = settings;
  const { concurrency = 1, batch } = options;
  const counters = new Counters();
  const engine = new Engine({
    ...ground,
    options: {
      concurrency,
      prefetch: batch ?? (concurrency === 1 ? 0 : Math.min(10, concurrency)),
      waitTimeSeconds: 20,
      deleteDelaySeconds: 1,
      ...AS_JOBS,
      ...options,
    },
    visibility,
    events: fanOut([counters, listener]),
  }, {
    runner,
    BatchJobs,
    room,
    failures,
    isUnseen,
  });
  return { engine, counters };
}

/** What a test of the double's queue may set beside. */
export type RigOptions = EngineSettings & {
  readonly fifo?: boolean;
  readonly visibilityTimeoutSeconds?: number;
  /** Gives a connection in place of the double's. */
  readonly connect?: (clock: VirtualClock) => Connection;
  /** Whether the log has lines of level DEBUG, too. */
  readonly debug?: boolean;
};

/** A handler of no single jobs. */
export const NO_HANDLER: Handler = () => {};

/** An engine on a queue of the double. */
export class EngineRig {
  readonly clock = new VirtualClock(0);
  readonly queue: DoubleQueue;
  readonly engine: Engine;
  /** What was logged: level, then message and errors. */
  readonly log: string[] = [];
  /** The first argument of each job that was started. */
  readonly jobs: unknown[] = [];
  /** Calls that are replaced from now on. */
  faults: CallFaults = {};
  /** The jobs of each run of a batch. */
  readonly batches: string[] = [];
  readonly #counters: Counters;
  #end: Promise<void> | undefined;
  /** Whether the run has ended. */
  ended = false;

  constructor(handler: Handler, options: RigOptions = {}) {
    const {
      fifo = false,
      visibilityTimeoutSeconds = 30,
      connect,
      debug = false,
      handleBatch,
      ...engine
    } = options;
    const noted = handleBatch === undefined ? {} : {
      handleBatch: ((jobs, batch) => {
        this.batches.push(jobs.map(({ args }) => args[0]).join(" "));
        return handleBatch(jobs, batch);
      }) satisfies BatchHandler,
    };
    const name = fifo ? "adder.fifo" : "adder";
    const server = new TestServer(this.clock, { queues: [] });
    this.queue = server.create({ name, visibilityTimeoutSeconds });
    const { url } = this.queue;
    const noting: Handler = (...args) => {
      this.jobs.push(args[0]);
      return handler(...args);
    };
    const made = makeEngine(noting, {
      connection: withFaults(
        connect?.(this.clock) ?? new DoubleConnection(server, "us-east-1"),
        () => this.faults,
      ),
      url,
      queue: name,
      fifo,
      loggers: { get: (name) => this.#logger(name, debug) },
      clock: this.clock,
      random: () => Math.random(),
    }, {
      visibility: new Visibility(visibilityTimeoutSeconds),
      ...engine,
      ...noted,
    });
    this.engine = made.engine;
    this.#counters = made.counters;
  }

  /** What it has done so far. */
  get summary(): Counters["summary"] {
    return this.#counters.summary;
  }

  /** Sends a job. */
  send(args: readonly unknown[], options: Partial<OutgoingMessage> = {}): void {
    const result = this.queue.send({
      body: JSON.stringify([args, {}]),
      attributes: {},
      ...options,
    });
    if (!result.ok) throw new Error(result.failure.message);
  }

  /** Starts to poll. */
  async start(drain = false): Promise<void> {
    this.run({ drain });
    await this.advance(0);
  }

  /** Polls until the engine ends. */
  run({ drain = false } = {}): Promise<void> {
    this.#end = this.engine.run({ drain }).finally(() => this.ended = true);
    return this.#end;
  }

  /** Moves the clock. */
  async advance(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000, turn);
  }

  /** Asks it to stop. */
  async stop(): Promise<void> {
    this.engine.stop();
    await turn();
  }

  /** Asks it to stop immediately. */
  async force(): Promise<void> {
    this.engine.forceStop();
    await turn();
  }

  /** Stops it, and moves the clock until it has. */
  async end(): Promise<void> {
    await this.stop();
    for (let i = 0; i < 100 && !this.ended; i++) await this.advance(10);
    if (!this.ended) throw new Error("The engine does not stop");
    await this.#end;
  }

  /** The bodies left in the queue, and whether each is visible. */
  get left(): [body: string, visible: boolean][] {
    return this.queue.messages.map((message) => [
      message.body,
      message.visibleAtMs <= this.clock.now(),
    ]);
  }

  #logger(name: string, debug: boolean): Logger {
    const write = (level: string) => (...values: unknown[]) => {
      this.log.push(`${level} ${name} ${values.map(String).join(" ")}`);
    };
    return {
      debug: debug ? write("DEBUG") : () => {},
      info: write("INFO"),
      warn: write("WARNING"),
      error: write("ERROR"),
      critical: write("CRITICAL"),
    };
  }
}

/** Waits on a rig's clock, as a job that takes its time. */
export function pass(clock: VirtualClock, seconds: number): Promise<void> {
  return new Promise((resolve) => {
    clock.timer(seconds * 1000, resolve);
  });
}
