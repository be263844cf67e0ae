/**
 * An engine that really polls, on a queue of the double and a clock that stands
 * still, with calls that a test can make fail.
 *
 * @module
 */

import type { Connection, OutgoingMessage } from "../../src/sqs/connection.ts";
import { connectTo } from "../../src/double/connection.ts";
import { TestServer } from "../../src/double/server.ts";
import type { DoubleQueue } from "../../src/double/queue.ts";
import type { EngineContext, EngineOptions } from "../../src/engine/context.ts";
import { Engine, type EngineParts } from "../../src/engine/engine.ts";
import { Visibility } from "../../src/engine/visibility.ts";
import { type Handler, LocalRunner } from "../../src/job/run_job.ts";
import type { Logger } from "../../src/logging/loggers.ts";
import {
  type ContainerSummary,
  Counters,
} from "../../src/telemetry/counters.ts";
import { VirtualClock } from "../../src/double/virtual_clock.ts";

/** What a test may set; the rest is as a container has it by default. */
export type EngineSettings =
  & Partial<EngineOptions>
  & Partial<Omit<EngineParts, "runner">>
  & { readonly visibility?: Visibility };

/** What an engine of a test stands on. */
export type EngineGround = Pick<
  EngineContext,
  "connection" | "url" | "queue" | "fifo" | "loggers" | "clock" | "random"
>;

/** An engine that runs a handler, and what it counted. */
export function makeEngine(
  handler: Handler,
  ground: EngineGround,
  settings: EngineSettings,
): { readonly engine: Engine; readonly counters: Counters } {
  const {
    visibility = new Visibility(30),
    failures = "delete",
    isUnseen = false,
    ...options
  } = settings;
  const { concurrency = 1 } = options;
  const counters = new Counters();
  const engine = new Engine({
    ...ground,
    options: {
      concurrency,
      prefetch: concurrency === 1 ? 0 : Math.min(10, concurrency),
      waitTimeSeconds: 20,
      deleteDelaySeconds: 1,
      ...options,
    },
    visibility,
    events: counters,
  }, {
    runner: new LocalRunner({ ...ground, handler }),
    failures,
    isUnseen,
  });
  return { engine, counters };
}

/** What a test of the double's queue may set beside. */
export type HarnessOptions = EngineSettings & {
  readonly fifo?: boolean;
  readonly visibilityTimeoutSeconds?: number;
};

/** Calls of a connection that a test replaces; `real` is the double's. */
export type Faults = {
  [K in "receive" | "delete" | "changeVisibility"]?: (
    real: Connection,
    ...args: Parameters<Connection[K]>
  ) => ReturnType<Connection[K]>;
};

/** An engine on a queue of the double. */
export class Harness {
  readonly clock = new VirtualClock(0);
  readonly queue: DoubleQueue;
  readonly engine: Engine;
  /** What was logged: level, then message and errors. */
  readonly log: string[] = [];
  /** Calls that are replaced from now on. */
  faults: Faults = {};
  readonly #counters: Counters;
  readonly #stop = new AbortController();
  readonly #force = new AbortController();
  #end: Promise<void> | undefined;
  /** Whether the run has ended. */
  ended = false;

  constructor(handler: Handler, options: HarnessOptions = {}) {
    const { fifo = false, visibilityTimeoutSeconds = 30, ...engine } = options;
    const name = fifo ? "adder.fifo" : "adder";
    const server = new TestServer({ clock: this.clock, queues: [] });
    this.queue = server.create({ name, visibilityTimeoutSeconds });
    const { url } = this.queue;
    const made = makeEngine(handler, {
      connection: this.#connection(connectTo(server, "us-east-1"), url),
      url,
      queue: name,
      fifo,
      loggers: { get: (name) => this.#logger(name) },
      clock: this.clock,
      random: server.random,
    }, { visibility: new Visibility(visibilityTimeoutSeconds), ...engine });
    this.engine = made.engine;
    this.#counters = made.counters;
  }

  /** What it has done so far. */
  get summary(): ContainerSummary {
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
    this.#end = this.engine.run({
      signal: this.#stop.signal,
      forceSignal: this.#force.signal,
      drain,
    }).then(() => {
      this.ended = true;
    });
    await this.advance(0);
  }

  /** Moves the clock. */
  async advance(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000, turn);
  }

  /** Asks it to stop. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await turn();
  }

  /** Asks it to stop at once. */
  async force(): Promise<void> {
    this.#stop.abort();
    this.#force.abort();
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

  #connection(real: Connection, url: string): Connection {
    return {
      region: real.region,
      queueUrl: () => Promise.resolve(url),
      attributes: (...args) => real.attributes(...args),
      send: (...args) => real.send(...args),
      receive: (...args) =>
        this.faults.receive?.(real, ...args) ?? real.receive(...args),
      delete: (...args) =>
        this.faults.delete?.(real, ...args) ?? real.delete(...args),
      changeVisibility: (...args) =>
        this.faults.changeVisibility?.(real, ...args) ??
          real.changeVisibility(...args),
      close: () => {},
    };
  }

  #logger(name: string): Logger {
    const write = (level: string) => (...values: unknown[]) => {
      this.log.push(`${level} ${name} ${values.map(String).join(" ")}`);
    };
    return {
      debug: () => {},
      info: write("INFO"),
      warn: write("WARNING"),
      error: write("ERROR"),
      critical: write("CRITICAL"),
    };
  }
}

/** Lets all go on that can without time passing. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits on a harness's clock, as a job that takes its time. */
export function pass(clock: VirtualClock, seconds: number): Promise<void> {
  return new Promise((resolve) => {
    clock.timer(seconds * 1000, resolve);
  });
}
