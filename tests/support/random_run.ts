/**
 * A random test of producer and engine on the testing double: jobs, outcomes,
 * scripted faults, stops, kills and clock moves, all from one seed.
 *
 * @module
 */

import { TransientError } from "../../src/job_errors.ts";
import { assert, assertEquals } from "@std/assert";
import { testMode } from "../../src/connect/test_mode.ts";
import { setImmediate } from "node:timers";
import type { Clock, Random } from "../../src/clock.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import type { Connection } from "../../src/sqs/connection.ts";
import type { DoubleConnection } from "../../src/double/connection.ts";
import { FailureQueue } from "../../src/engine/failure_queue.ts";
import type { Logger } from "../../src/logging/loggers.ts";
import { randomOf } from "../../src/double/random.ts";
import { currentJob, type Job } from "../../src/job/current_job.ts";
import { PartialBatchError } from "../../src/job/partial_batch.ts";
import { Visibility } from "../../src/engine/visibility.ts";
import type { VirtualClock } from "../../src/double/virtual_clock.ts";
import { Queue, SendError, type SendResult } from "../../producer.ts";
import { type InjectedFault, setUp } from "../../testing.ts";
import { makeEngine } from "./engine_rig.ts";
import { anyFault } from "./any_fault.ts";
import { type Cause, type Holder, Ledger, nameOf } from "./ledger.ts";

/** What a round brought about. */
export interface Round {
  /** What was wrong, or nothing. */
  readonly wrong: readonly string[];
  /** All that happened. */
  readonly trace: readonly string[];
  /** Why jobs were done twice. */
  readonly duplicates: readonly Cause[];
  /** Jobs that were accepted. */
  readonly accepted: number;
  /** The kinds of faults that hit, and their targets. */
  readonly hits: readonly string[];
}

/** Plays one round. */
export async function play(seed: number): Promise<Round> {
  const game = new Game(seed);
  const onReject = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    game.ledger.bad(`unhandled rejection: ${event.reason?.stack}`);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    game.ledger.bad(`uncaught error: ${event.error?.stack ?? event.error}`);
  };
  addEventListener("unhandledrejection", onReject);
  addEventListener("error", onError);
  try {
    await game.play();
    await turn();
  } finally {
    game[Symbol.dispose]();
    removeEventListener("unhandledrejection", onReject);
    removeEventListener("error", onError);
  }
  const { wrong, trace, duplicates, accepted } = game.ledger;
  return {
    wrong,
    trace,
    duplicates,
    accepted: accepted.size,
    hits: game.hits,
  };
}

/** What rounds must bring about to be worth something. */
const EXPECTED = [
  "container killed",
  "given up at a forced stop",
  "lease lost",
  "delete failed",
  "handle expired",
  "delivered twice",
  "sent twice",
  "behind in its group",
  "error SendMessage",
  "lostAnswer ReceiveMessage",
  "partialFailure DeleteMessage",
  "throttle ChangeMessageVisibility",
  "lateAnswer ReceiveMessage",
  "expiredHandle DeleteMessage",
  "reordering ReceiveMessage",
];

/** Plays the rounds of some seeds: nothing may be wrong in any of them. */
export async function playAll(first: number, last: number): Promise<void> {
  const seen = new Set<string>();
  let accepted = 0;
  for (let seed = first; seed <= last; seed++) {
    const round = await play(seed);
    assertEquals(round.wrong, [], `ZSQS_SEED=${seed} plays this round again`);
    for (const each of [...round.duplicates, ...round.hits]) seen.add(each);
    accepted += round.accepted;
  }
  for (const each of EXPECTED) {
    assert(seen.has(each), `"${each}" never happened`);
  }
  assert(accepted > (last - first) * 20, `${accepted} jobs are few`);
}

const NEVER = new Promise<never>(() => {});

/** A shorter turn than that of other tests: there are millions of them. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The clock of one container: it counts timers, and dies with it. */
class ContainerClock implements Clock {
  readonly #clock: Clock;
  active = 0;
  dead = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  timer(ms: number, callback: () => void): () => void {
    if (Number.isNaN(ms)) throw new Error("A timer of NaN milliseconds");
    let open = true;
    this.active++;
    const close = () => {
      if (open) this.active--;
      open = false;
    };
    const cancel = this.#clock.timer(ms, () => {
      close();
      if (!this.dead) callback();
    });
    return () => {
      close();
      cancel();
    };
  }
}

/** A container that polls. */
interface Runner extends Holder {
  readonly clock: ContainerClock;
  readonly stop: AbortController;
  readonly force: AbortController;
  ended: boolean;
}

class Game implements Disposable {
  readonly #random: Random;
  readonly #queues;
  readonly #clock: VirtualClock;
  readonly #name: string;
  readonly #fifo: boolean;
  readonly #visibility: number;
  readonly #concurrency: number;
  readonly #prefetch: number;
  readonly #groups: number;
  readonly #failures: "delete" | "keep" | "queue";
  readonly #transientRate: number;
  /** The most jobs of a batch; absent for single jobs. */
  readonly #batch: number | undefined;
  readonly #sends = new Set<Promise<void>>();
  readonly #injected: InjectedFault[] = [];
  /** What was accepted of each producer's groups, by the order of sending. */
  readonly #sequences = new Map<string, Map<number, string>>();
  readonly #groupOf = new Map<string, string>();
  #ledger: Ledger | undefined;
  #calm = false;
  #jobs = 0;
  #producers = 0;
  #containers = 0;

  constructor(seed: number) {
    this.#random = randomOf(Math.imul(seed, 0x85ebca6b) ^ 0x27d4eb2f);
    this.#fifo = this.#chance(0.5);
    const type = this.#fifo ? ".fifo" : "";
    this.#name = `jobs${type}`;
    this.#visibility = this.#pick(2, 5, 10, 30, 30, 120);
    this.#concurrency = this.#int(1, 12);
    this.#prefetch = this.#int(0, 10);
    this.#groups = this.#int(1, 6);
    this.#failures = this.#pick("delete", "keep", "queue");
    this.#transientRate = this.#pick(0, 0.1, 0.4);
    this.#batch = this.#chance(0.4) ? this.#pick(1, 3, 10, 25) : undefined;
    this.#queues = setUp({
      seed,
      silent: true,
      startTime: new Date(0),
      queues: [
        {
          name: this.#name,
          visibilityTimeoutSeconds: this.#visibility,
          ...(this.#chance(0.3)
            ? {
              redrive: {
                deadLetterQueue: `dead${type}`,
                maxReceiveCount: this.#int(1, 8),
              },
            }
            : {}),
        },
        `dead${type}`,
        `failed${type}`,
      ],
    });
    this.#clock = testMode()!.clock as VirtualClock;
  }

  get ledger(): Ledger {
    return this.#ledger!;
  }

  get hits(): string[] {
    return this.#queues.faults.map(({ kind, operation }) =>
      `${kind} ${operation}`
    );
  }

  [Symbol.dispose](): void {
    this.#queues[Symbol.dispose]();
  }

  async play(): Promise<void> {
    const { connection, url } = await openQueue(this.#name);
    const { server } = connection as DoubleConnection;
    const type = this.#fifo ? ".fifo" : "";
    const failed = server.queues.get(`failed${type}`)!;
    const queue = server.queues.get(this.#name)!;
    this.#ledger = new Ledger({
      queues: this.#queues,
      clock: this.#clock,
      queue,
      failed,
      dead: server.queues.get(`dead${type}`)!,
      limit: this.#concurrency * (this.#batch ?? 1),
      keepsFailures: this.#failures === "queue",
    });
    this.#ledger.say(
      `${this.#name} visibility ${this.#visibility} concurrency ${this.#concurrency} prefetch ${this.#prefetch} batch ${this.#batch} groups ${this.#groups} failures ${this.#failures} transient ${this.#transientRate}`,
    );
    const start = (drain = false) =>
      this.#start({ connection, url, failedUrl: failed.url, drain });
    const left = () => queue.messages.length > 0;

    let producer = await Queue(this.#name);
    let runners = [start()];
    if (this.#chance(0.3)) runners.push(start());
    for (let i = this.#pick(0, 0, 1, 3, 8); i > 0; i--) this.#injectAny();
    for (let steps = this.#int(3, 12); steps > 0; steps--) {
      this.#sendAny(producer);
      await this.#advance(
        this.#pick(0, 0.001, this.#upTo(1), this.#upTo(5), this.#upTo(60)),
      );
      if (this.#chance(0.3)) this.#injectAny();
      if (this.#chance(0.2)) this.#injected.shift()?.remove();
      if (this.#chance(0.1)) {
        producer.close();
        this.#producers++;
        producer = await Queue(this.#name);
      }
      if (this.#chance(0.15)) {
        const victim = this.#pick(...runners);
        if (this.#chance(0.4)) this.#kill(victim);
        else await this.#stop(victim);
        runners = [...runners.filter((each) => each !== victim), start()];
      }
    }
    this.#calm = true;
    for (const fault of this.#injected) fault.remove();
    this.#ledger.say("faults cease");
    await this.#until(() => this.#sends.size === 0, 60);
    if (this.#sends.size > 0) this.#ledger.bad("a send does not end");
    if (this.#chance(0.5)) {
      // The same containers must get over it.
      await this.#until(() => !left(), 200);
      if (left()) this.#ledger.bad("the same containers leave jobs");
    }
    for (const runner of runners) await this.#stop(runner);
    // A drain does not wait for hidden messages.
    for (let i = 0; i < 60 && (i === 0 || left()); i++) {
      const last = start(true);
      await this.#until(() => last.ended, 400);
      if (!last.ended) this.#ledger.bad("a drain does not end");
      if (left()) await this.#advance(30);
    }
    for (const { body } of queue.messages) {
      this.#ledger.bad(`${nameOf(body)} is left`);
    }
    this.#ledger.checkAccepted();
    this.#checkSequences();
  }

  #start(
    { connection, url, failedUrl, drain }: {
      connection: Connection;
      url: string;
      failedUrl: string;
      drain: boolean;
    },
  ): Runner {
    const runner: Runner = {
      name: `container ${this.#containers++}`,
      clock: new ContainerClock(this.#clock),
      stop: new AbortController(),
      force: new AbortController(),
      running: new Map(),
      given: new Set(),
      unreported: new Set(),
      reported: new Map(),
      ended: false,
    };
    const logger = this.#logger(runner);
    const own = this.#connectionOf(runner, connection);
    const { engine } = makeEngine(
      (name: string) => this.#handle(runner, name),
      {
        connection: own,
        url,
        queue: this.#name,
        fifo: this.#fifo,
        loggers: { get: () => logger },
        clock: runner.clock,
        random: testMode()!.random,
      },
      {
        listener: {
          started: (_ms, message) => this.ledger.started(runner, message),
          settled: (message, { outcome }) =>
            this.ledger.reported(runner, message, outcome),
        },
        concurrency: this.#concurrency,
        prefetch: this.#prefetch,
        ...(this.#batch === undefined ? {} : {
          batch: this.#batch,
          batchWaitSeconds: this.#pick(0, 1, 1, 20),
          handleBatch: (jobs, { signal }) =>
            this.#handleBatch(runner, jobs, signal),
        }),
        waitTimeSeconds: this.#int(1, 20),
        visibility: this.#learnedLater(),
        deleteDelaySeconds: this.#pick(0, 1, 10),
        failures: this.#failures === "queue"
          ? new FailureQueue({
            connection: own,
            url: failedUrl,
            fifo: this.#fifo,
            source: this.#name,
            logger,
            now: () => this.#clock.now(),
          })
          : this.#failures,
        ...(this.#chance(0.3) ? { timeoutSeconds: this.#int(1, 5) } : {}),
        ...(this.#chance(0.4)
          ? {
            retryDelay: this.#pick(
              { minSeconds: 0, maxSeconds: 0 },
              { minSeconds: 3, maxSeconds: 3 },
              { minSeconds: 1, maxSeconds: 20 },
            ),
          }
          : {}),
      },
    );
    runner.stop.signal.onabort = () => engine.stop();
    runner.force.signal.onabort = () => engine.forceStop();
    engine.run({ drain }).then(() => this.#end(runner));
    return runner;
  }

  /** A container has ended: its process would exit now. */
  #end(runner: Runner): void {
    if (runner.clock.dead) return;
    this.ledger.say(`${runner.name} ended`);
    if (runner.clock.active > 0 && runner.running.size === 0) {
      this.ledger.bad(`${runner.name} left ${runner.clock.active} timers`);
    }
    // What a receive brings after a forced stop is left.
    if (!runner.force.signal.aborted) this.ledger.checkReported(runner);
    runner.ended = true;
    runner.clock.dead = true;
  }

  /** What a container sees of SQS; nothing reaches it when it is dead. */
  /** A visibility timeout that is known immediately, or after some time. */
  #learnedLater(): Visibility {
    if (this.#chance(0.5)) return new Visibility(this.#visibility);
    const visibility = new Visibility();
    this.#clock.timer(this.#int(0, 40) * 1000, () => {
      visibility.seconds = this.#visibility;
    });
    return visibility;
  }

  #connectionOf(runner: Runner, real: Connection): Connection {
    const { ledger } = this;
    const call = async <T>(effect: () => Promise<T>): Promise<T> => {
      if (runner.clock.dead) return await NEVER;
      try {
        const answer = await effect();
        return runner.clock.dead ? await NEVER : answer;
      } catch (error) {
        return runner.clock.dead ? await NEVER : Promise.reject(error);
      } finally {
        ledger.checkDeleted();
      }
    };
    return {
      region: real.region,
      clockAheadMs: real.clockAheadMs,
      queueUrl: (...args) => real.queueUrl(...args),
      attributes: (...args) => real.attributes(...args),
      close: () => {},
      send: (...args) => call(() => real.send(...args)),
      receive: (url, options) =>
        call(async () => {
          const messages = await real.receive(url, options);
          ledger.received(runner, messages);
          return messages;
        }),
      delete: (url, handles) =>
        call(() => {
          for (const handle of handles) ledger.deleting(handle);
          return real.delete(url, handles);
        }),
      changeVisibility: (...args) => call(() => real.changeVisibility(...args)),
    };
  }

  #logger(runner: Runner): Logger {
    const write = (level: string) => (...values: unknown[]) => {
      if (runner.clock.dead) return;
      this.ledger.logged(level, values.map(String).join(" "));
    };
    return {
      debug: () => {},
      info: write("INFO"),
      warn: write("WARNING"),
      error: write("ERROR"),
      critical: write("CRITICAL"),
    };
  }

  async #handle(runner: Runner, name: string): Promise<void> {
    const { messageId, signal } = currentJob();
    const { ledger } = this;
    const run = ledger.begin(
      runner,
      name,
      messageId,
      this.#groupOf.get(name)!,
    );
    let how: "done" | "failed" | "retry" = "retry";
    try {
      const heeds = this.#chance(0.5);
      await this.#pass(runner, heeds ? signal : undefined);
      if (heeds) signal.throwIfAborted();
      if (!this.#calm && this.#chance(this.#transientRate)) {
        throw this.#transient();
      }
      if (!this.#calm && this.#chance(0.1) && !signal.aborted) {
        if (this.#failures !== "keep") how = "failed";
        throw new TypeError("bad input");
      }
      how = "done";
    } finally {
      runner.running.delete(messageId);
      ledger.end(runner, name, run, how);
    }
  }

  /** A batch: it returns, throws, or names jobs that failed. */
  async #handleBatch(
    runner: Runner,
    jobs: readonly Job<[name: string]>[],
    signal: AbortSignal,
  ): Promise<void> {
    const { ledger } = this;
    const ids = jobs.map(({ messageId }) => messageId);
    const runs = jobs.map(({ args: [name], messageId }) =>
      ledger.begin(runner, name, messageId, this.#groupOf.get(name)!, ids)
    );
    const hows: ("done" | "failed" | "held" | "retry")[] = jobs
      .map(() => "retry");
    const failed = this.#failures === "keep" ? "retry" : "failed";
    try {
      const heeds = this.#chance(0.5);
      await this.#pass(runner, heeds ? signal : undefined);
      if (heeds) signal.throwIfAborted();
      if (!this.#calm) {
        if (this.#chance(this.#transientRate)) throw this.#transient();
        if (this.#chance(0.05)) throw new PartialBatchError([]);
        const isDown = this.#chance(0.1);
        const isBad = jobs.some(({ args: [name] }) => /[37]$/.test(name));
        if (isDown || (isBad && this.#chance(0.8))) {
          if (jobs.length === 1 && failed === "failed") hows[0] = "held";
          throw new TypeError("bad input");
        }
        const named = jobs.filter(() => this.#chance(0.2));
        if (named.length > 0 && !signal.aborted && this.#chance(0.5)) {
          hows.fill("done");
          throw new PartialBatchError(named.map((job) => {
            const isTransient = this.#chance(0.5);
            hows[jobs.indexOf(job)] = isTransient ? "retry" : failed;
            const error = isTransient
              ? this.#transient()
              : new TypeError("bad");
            return { job, error };
          }));
        }
      }
      hows.fill("done");
    } finally {
      for (const [i, { args: [name], messageId }] of jobs.entries()) {
        runner.running.delete(messageId);
        ledger.end(runner, name, runs[i]!, hows[i]!);
      }
    }
  }

  /** Lets time pass, as a job that may heed its signal. */
  async #pass(runner: Runner, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.timer(this.#duration() * 1000, resolve);
      signal?.addEventListener("abort", () => {
        cancel();
        resolve();
      }, { once: true });
    });
    // A process that was killed does nothing any more.
    if (runner.clock.dead && !runner.ended) await NEVER;
  }

  #transient(): TransientError {
    return new TransientError(
      "",
      this.#pick<{ delaySeconds?: number }>({}, { delaySeconds: 0 }, {
        delaySeconds: this.#int(1, 40),
      }),
    );
  }

  /** How long a job takes, in seconds. */
  #duration(): number {
    return this.#calm ? 0.1 : this.#pick(
      0,
      0,
      0.01,
      1,
      this.#upTo(8),
      this.#upTo(this.#visibility * 2),
    );
  }

  async #stop(runner: Runner): Promise<void> {
    this.ledger.say(`stop ${runner.name}`);
    runner.stop.abort();
    if (this.#chance(0.4)) {
      await this.#advance(this.#pick(0, this.#upTo(5)));
      this.ledger.say(`force ${runner.name}`);
      runner.force.abort();
      await this.#until(() => runner.ended, 3);
      if (!runner.ended) {
        this.ledger.bad(`${runner.name} has not ended 30 s after a force`);
      }
    }
    // Jobs and leases of up to twice the visibility, an idle poll, retries.
    await this.#until(() => runner.ended, 80);
    if (!runner.ended) this.ledger.bad(`${runner.name} does not stop`);
  }

  #kill(runner: Runner): void {
    this.ledger.say(`kill ${runner.name}`);
    runner.clock.dead = true;
    this.ledger.killed(runner);
  }

  #sendAny(producer: Queue): void {
    const count = this.#pick(0, 1, 3, 10, 15, 25);
    const jobs = Array.from({ length: count }, () => this.#newJob());
    if (this.#chance(0.5)) {
      for (const job of jobs) this.#send(producer, job);
      return;
    }
    const sending = producer.sendAll(
      jobs.map(({ args, options }) => ({ args, ...options })),
      {
        onResult: (result) => {
          const job = jobs[result.index]!;
          if (result.status === "failed") this.#refused(job, result.error);
          else this.#accepted(job, result, false);
        },
      },
    );
    this.#track(sending);
  }

  #newJob(): SentJob {
    const position = this.#jobs++;
    const name = `j${position}`;
    const group = `g${this.#int(0, this.#groups - 1)}`;
    this.#groupOf.set(name, group);
    const options = this.#fifo
      ? { groupId: group }
      : this.#pick<SentJob["options"]>({}, { groupId: group }, {
        delaySeconds: this.#int(0, 20),
      });
    const producer = this.#producers;
    return { name, position, producer, args: [name], options };
  }

  #send(producer: Queue, job: SentJob, again = false): void {
    this.#track(
      producer.send(job.args, job.options).then(
        (result) => this.#accepted(job, result, again),
        (error) => {
          this.#refused(job, error);
          // As a program would that cannot do without it.
          if (this.#chance(0.3)) this.#send(producer, job, true);
        },
      ),
    );
  }

  #track(sending: Promise<unknown>): void {
    const tracked: Promise<void> = sending.then(
      () => {},
      (error) => this.ledger.bad(`a send throws ${error}`),
    ).finally(() => this.#sends.delete(tracked));
    this.#sends.add(tracked);
  }

  #accepted(job: SentJob, result: Partial<SendResult>, again: boolean): void {
    this.ledger.say(`accepted ${job.name}`);
    this.ledger.accepted.add(job.name);
    const { sequenceNumber } = result;
    // What is sent again may be known by an older number.
    if (sequenceNumber === undefined || again) return;
    const lane = `${job.producer} ${job.options.groupId}`;
    const sequence = this.#sequences.get(lane) ?? new Map<number, string>();
    this.#sequences.set(lane, sequence.set(job.position, sequenceNumber));
  }

  /** A producer's jobs of one group are in the queue as they were sent. */
  #checkSequences(): void {
    for (const [lane, sequence] of this.#sequences) {
      const numbers = [...sequence].sort(([a], [b]) => a - b)
        .map(([, number]) => number);
      const sorted = [...numbers].sort();
      if (numbers.join() !== sorted.join()) {
        this.ledger.bad(`jobs of producer and group ${lane} are out of order`);
      }
    }
  }

  #refused(job: SentJob, error: unknown): void {
    this.ledger.say(`refused ${job.name}: ${error}`);
    const expected = error instanceof SendError ||
      (error instanceof TypeError && /queue is closed/.test(error.message));
    if (!expected) this.ledger.bad(`${job.name} is refused with ${error}`);
  }

  #injectAny(): void {
    const fault = anyFault(this.#random, this.#fifo);
    this.ledger.say(`inject ${JSON.stringify(fault)}`);
    this.#injected.push(this.#queues.inject(fault));
  }

  async #advance(seconds: number): Promise<void> {
    await this.#clock.advance(seconds * 1000, async () => {
      await turn();
      await turn();
    });
  }

  /** Moves the clock by 10 s, so many times at most, until something holds. */
  async #until(holds: () => boolean, times: number): Promise<void> {
    for (let i = 0; i < times && !holds(); i++) await this.#advance(10);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #upTo(seconds: number): number {
    return this.#random() * seconds;
  }

  #int(from: number, to: number): number {
    return from + Math.floor(this.#random() * (to - from + 1));
  }

  #pick<T>(...items: T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }
}

interface SentJob {
  readonly name: string;
  /** Its place among all jobs. */
  readonly position: number;
  /** The number of the producer that sends it. */
  readonly producer: number;
  readonly args: readonly [name: string];
  readonly options: {
    readonly groupId?: string;
    readonly delaySeconds?: number;
  };
}
