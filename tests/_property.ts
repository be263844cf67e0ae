/**
 * A random test of the engine on the double: whatever fails, each job is done
 * at least once, none is deleted that was not done, and FIFO groups keep their
 * order.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock } from "../_clock.ts";
import {
  type Connection,
  ConnectionError,
  type EntryResult,
  type ReceivedMessage,
} from "../_connection.ts";
import { DoubleConnection, DoubleQueue } from "../_double.ts";
import { Engine } from "../_engine.ts";
import { TransientError } from "../_errors.ts";
import type { Logger } from "../_loggers.ts";
import { currentJob } from "../_scope.ts";
import { Visibility } from "../_visibility.ts";
import { VirtualClock } from "../_virtual_clock.ts";
import { ownVisibility } from "./_harness.ts";

/** Numbers from 0 to below 1 that a seed makes (mulberry32). */
export function randomOf(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Counts the timers that are still to fire. */
class CountingClock implements Clock {
  active = 0;
  readonly #clock: Clock;
  constructor(clock: Clock) {
    this.#clock = clock;
  }
  now(): number {
    return this.#clock.now();
  }
  timer(ms: number, callback: () => void): () => void {
    if (Number.isNaN(ms)) throw new Error("NaN timer");
    let open = true;
    this.active++;
    const close = () => {
      if (open) this.active--;
      open = false;
    };
    const cancel = this.#clock.timer(ms, () => {
      close();
      callback();
    });
    return () => {
      close();
      cancel();
    };
  }
}

interface Runner {
  readonly engine: Engine;
  readonly clock: CountingClock;
  readonly stop: AbortController;
  readonly force: AbortController;
  readonly running: Map<string, string>;
  readonly name: string;
  active: number;
  ended: boolean;
  forced: boolean;
}

/** What a round may be told; for bisecting a failure. */
export interface Switches {
  /** Late answers of receives, which may come after their leases ended. */
  readonly late?: boolean;
  readonly verbose?: boolean;
}

/** One round; gives what is wrong, or nothing. */
export async function run(
  seed: number,
  switches: Switches = {},
): Promise<string[]> {
  const { late = true, verbose = false } = switches;
  const random = randomOf(seed);
  const pick = <T>(...items: T[]): T =>
    items[Math.floor(random() * items.length)]!;
  const int = (from: number, to: number) =>
    from + Math.floor(random() * (to - from + 1));
  const realRandom = Math.random;
  Math.random = random;
  const wrong: string[] = [];
  const trace: string[] = [];
  const clock = new VirtualClock(0);
  const say = (text: string) => {
    trace.push(`${(clock.now() / 1000).toFixed(3)} ${text}`);
  };
  const bad = (text: string) => {
    wrong.push(`${(clock.now() / 1000).toFixed(3)} ${text}`);
    say(`!! ${text}`);
  };
  const onReject = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    bad(`unhandled rejection: ${event.reason?.stack ?? event.reason}`);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    bad(`uncaught error: ${event.error?.stack ?? event.error}`);
  };
  addEventListener("unhandledrejection", onReject);
  addEventListener("error", onError);
  try {
    const fifo = random() < 0.5;
    const visibility = pick(2, 5, 10, 30, 30, 120);
    const concurrency = int(1, 12);
    const prefetch = int(0, 10);
    const groups = int(1, 6);
    const faultRate = pick(0, 0.05, 0.2, 0.5);
    const transientRate = pick(0, 0.1, 0.4);
    let faults = true;
    const name = fifo ? "q.fifo" : "q";
    const url = `https://sqs.us-east-1.amazonaws.com/000000000000/${name}`;
    const queue = new DoubleQueue(name, url, {
      visibilityTimeoutSeconds: visibility,
      delaySeconds: 0,
      maximumMessageSize: 1_048_576,
      contentBasedDeduplication: true,
    }, { clock, redrive: () => {} });
    const real: Connection = new DoubleConnection("us-east-1", {
      at: () => queue,
      named: () => queue,
    }, { sent: () => Promise.resolve(), deleted: () => {} });
    say(
      `fifo ${fifo} visibility ${visibility} concurrency ${concurrency} prefetch ${prefetch} groups ${groups} faults ${faultRate} transient ${transientRate}`,
    );

    /** By job: done or failed, so that its message may go. */
    const finished = new Set<string>();
    const groupOf = new Map<string, string>();
    const sent: string[] = [];
    const idOf = (body: string) => JSON.parse(body)[0][0] as string;
    let checkedDeleted = 0;
    const checkDeleted = () => {
      for (; checkedDeleted < queue.deleted.length; checkedDeleted++) {
        const id = idOf(queue.deleted[checkedDeleted]!.body);
        say(`deleted ${id}`);
        if (!finished.has(id)) {
          bad(`${id} was deleted, neither done nor failed`);
        }
      }
    };
    const pass = (seconds: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        const cancel = clock.timer(seconds * 1000, resolve);
        signal?.addEventListener("abort", () => {
          cancel();
          resolve();
        }, { once: true });
      });
    const err = (code: string) =>
      new ConnectionError(`${code} failed`, { code, senderFault: false });
    const hits = (rate = faultRate) => faults && random() < rate;

    /** A call that may fail before or after its effect, or be slow. */
    const call = async <T>(
      effect: () => Promise<T>,
      what: string,
    ): Promise<T> => {
      if (hits(faultRate / 3)) {
        say(`${what}: error before`);
        throw err(pick("RequestThrottled", "ECONNRESET", "InternalError"));
      }
      if (hits(faultRate / 3)) await pass(random() * 4);
      const result = await effect();
      checkDeleted();
      if (hits(faultRate / 3)) await pass(random() * 4);
      if (hits(faultRate / 3)) {
        say(`${what}: error after`);
        throw err("ECONNRESET");
      }
      return result;
    };
    const batch = async <E>(
      entries: readonly E[],
      effect: (entries: readonly E[]) => Promise<EntryResult[]>,
      what: string,
    ): Promise<EntryResult[]> => {
      if (entries.length < 1 || entries.length > 10) {
        bad(`${what} of ${entries.length}`);
      }
      return await call(async () => {
        const results: EntryResult[] = [];
        for (const entry of entries) {
          const before = hits(faultRate / 3);
          const after = !before && hits(faultRate / 4);
          const [result] = before ? [undefined] : await effect([entry]);
          results.push(
            before || after
              ? {
                ok: false,
                failure: {
                  code: "RequestThrottled",
                  message: "slow",
                  senderFault: false,
                },
              }
              : result!,
          );
        }
        return results;
      }, what);
    };
    const connection: Connection = {
      region: real.region,
      queueUrl: () => Promise.resolve(url),
      attributes: (...args) => real.attributes(...args),
      send: (...args) => real.send(...args),
      close: () => {},
      async receive(_url, options) {
        if (options.maxMessages < 1 || options.maxMessages > 10) {
          bad(`a receive of ${options.maxMessages}`);
        }
        const { signal } = options;
        const aborted = new Promise<never>((_, reject) => {
          if (signal!.aborted) reject(signal!.reason);
          signal!.addEventListener("abort", () => reject(signal!.reason), {
            once: true,
          });
        });
        aborted.catch(() => {});
        const ask = hits(faultRate / 4)
          ? { ...options, maxMessages: 10 }
          : options;
        if (hits(faultRate / 5)) {
          say("receive: silent");
          return await aborted;
        }
        if (hits(faultRate / 3)) {
          say("receive: error before");
          throw err("RequestThrottled");
        }
        let messages: ReceivedMessage[] = await real.receive(url, ask);
        if (messages.length > 0) {
          say(
            `received ${
              messages.map(({ body, receiveCount }) =>
                `${idOf(body)}/${receiveCount}`
              )
            }`,
          );
        }
        if (late && messages.length > 0 && hits(faultRate / 3)) {
          say(`receive: late ${messages.map(({ body }) => idOf(body))}`);
          await Promise.race([aborted, pass(random() * 12)]);
          say(`receive: now there ${messages.map(({ body }) => idOf(body))}`);
        }
        if (messages.length > 0 && hits(faultRate / 3)) {
          say("receive: answer lost");
          throw err("ECONNRESET");
        }
        if (messages.length > 0 && hits(faultRate / 3)) {
          messages = [...messages, pick(...messages)];
        }
        return messages;
      },
      delete: (_url, handles) =>
        batch(handles, (entries) => real.delete(url, entries), "delete"),
      changeVisibility: (_url, changes) =>
        batch(
          changes,
          (entries) => real.changeVisibility(url, entries),
          "change",
        ),
    };

    const quiet = (level: string) => (...values: unknown[]) =>
      say(`${level} ${values.map(String).join(" ")}`);
    const logger: Logger = {
      debug: () => {},
      info: quiet("INFO"),
      warn: quiet("WARN"),
      error: quiet("ERROR"),
      critical: quiet("CRIT"),
    };

    const begin = (runner: Runner, id: string) => {
      say(`${runner.name} starts ${id}`);
      const group = groupOf.get(id)!;
      const stored = queue.messages.find(({ body }) => idOf(body) === id);
      if (++runner.active > concurrency) bad(`${runner.active} jobs at once`);
      if (runner.running.has(id)) {
        bad(`${id} runs twice at once in ${runner.name}`);
      }
      if (stored === undefined) bad(`${id} starts after it was deleted`);
      else if (stored.visibleAtMs <= clock.now()) {
        bad(
          `${id} starts after its lease ended, at ${stored.visibleAtMs / 1000}`,
        );
      }
      if (fifo) {
        for (const [other, its] of runner.running) {
          if (its === group) {
            bad(
              `${id} starts beside ${other} of group ${group} in ${runner.name}`,
            );
          }
        }
        for (const { body } of queue.messages) {
          const other = idOf(body);
          if (other === id) break;
          if (groupOf.get(other) === group) {
            bad(`${id} starts before ${other} of its group was deleted`);
          }
        }
      }
      runner.running.set(id, group);
    };

    const handlerOf = (runner: () => Runner) => async (id: string) => {
      const own = runner();
      begin(own, id);
      const { signal } = currentJob();
      try {
        const wait = !faults
          ? 0.1
          : pick(0, 0, 0.01, 1, random() * 8, random() * visibility * 2);
        const heeds = random() < 0.5;
        if (wait > 0) await pass(wait, heeds ? signal : undefined);
        if (heeds) signal.throwIfAborted();
        if (faults && random() < transientRate) {
          throw new TransientError(
            "",
            pick<{ delaySeconds?: number }>({}, { delaySeconds: 0 }, {
              delaySeconds: int(1, 40),
            }),
          );
        }
        if (faults && random() < 0.1 && !signal.aborted) {
          finished.add(id);
          say(`fails ${id}`);
          throw new TypeError("bad input");
        }
        finished.add(id);
        say(`done ${id}`);
      } finally {
        own.running.delete(id);
        own.active--;
      }
    };

    let count = 0;
    const start = (drain = false): Runner => {
      const counting = new CountingClock(clock);
      const engine = new Engine({
        connection,
        url,
        queue: name,
        fifo,
        handler: handlerOf(() => runner),
        loggers: { get: () => logger },
        clock: counting,
        concurrency,
        prefetch,
        waitTimeSeconds: Math.max(
          1,
          Math.min(int(1, 20), Math.floor(visibility * 2 / 3)),
        ),
        visibility: random() < 0.5
          ? new Visibility(visibility)
          : ownVisibility(visibility),
        deleteDelaySeconds: pick(0, 1, 10),
        failures: "delete",
        ...(random() < 0.3 ? { timeoutSeconds: int(1, 5) } : {}),
        ...(random() < 0.4
          ? {
            retryDelay: pick({ minSeconds: 0, maxSeconds: 0 }, {
              minSeconds: 3,
              maxSeconds: 3,
            }, { minSeconds: 1, maxSeconds: 20 }),
          }
          : {}),
      });
      const runner: Runner = {
        engine,
        clock: counting,
        stop: new AbortController(),
        force: new AbortController(),
        running: new Map(),
        name: `engine${count++}`,
        active: 0,
        ended: false,
        forced: false,
      };
      engine.run({
        signal: runner.stop.signal,
        forceSignal: runner.force.signal,
        drain,
      }).then(() => {
        runner.ended = true;
        say(`${runner.name} ended`);
        if (runner.clock.active > 0 && runner.active === 0) {
          bad(`${runner.name} left ${runner.clock.active} timers`);
        }
      });
      return runner;
    };
    const settle = async () => {
      await turn();
      await turn();
      checkDeleted();
    };
    const advance = (seconds: number) => clock.advance(seconds * 1000, settle);
    const stop = async (runner: Runner) => {
      say(`stop ${runner.name}`);
      runner.stop.abort();
      if (random() < 0.4) {
        await advance(pick(0, random() * 5));
        say(`force ${runner.name}`);
        runner.forced = true;
        runner.force.abort();
        await advance(10 + 16);
        if (!runner.ended) {
          bad(`${runner.name} has not ended 26 s after a force`);
        }
      }
      // Jobs and leases of up to twice the visibility, an idle poll, retries.
      for (let i = 0; i < 80 && !runner.ended; i++) await advance(10);
      if (!runner.ended) bad(`${runner.name} does not end after a stop`);
    };

    let serial = 0;
    const send = async () => {
      const id = `m${serial++}`;
      const group = `g${int(0, groups - 1)}`;
      groupOf.set(id, group);
      const [result] = await real.send(url, [{
        body: JSON.stringify([[id], {}]),
        attributes: {},
        ...(fifo || random() < 0.3 ? { groupId: group } : {}),
      }]);
      if (result!.ok) sent.push(id);
    };

    let runners = [start()];
    if (random() < 0.3) runners.push(start());
    const steps = int(3, 12);
    for (let step = 0; step < steps; step++) {
      const burst = pick(0, 1, 3, 10, 15);
      for (let i = 0; i < burst; i++) await send();
      await advance(pick(0, 0.001, random(), random() * 5, random() * 60));
      if (random() < 0.12) {
        const victim = pick(...runners);
        await stop(victim);
        runners = runners.filter((each) => each !== victim);
        runners.push(start());
      }
    }
    faults = false;
    say("faults cease");
    if (random() < 0.5) {
      // The same engines must get over it.
      for (let i = 0; i < 200 && queue.messages.length > 0; i++) {
        await advance(10);
      }
      if (queue.messages.length > 0) {
        bad(
          `stuck in the same engines: ${
            queue.messages.map(({ body }) => idOf(body))
          }`,
        );
      }
    }
    for (const runner of runners) await stop(runner);
    const fresh = start(true);
    for (
      let i = 0;
      i < 400 && !(fresh.ended && queue.messages.length === 0);
      i++
    ) {
      await advance(10);
      if (fresh.ended && queue.messages.length > 0) break;
    }
    if (!fresh.ended) bad("the drain does not end");
    // A drain does not wait for what is hidden.
    for (let i = 0; i < 60 && queue.messages.length > 0; i++) {
      await advance(30);
      const last = start(true);
      for (let j = 0; j < 100 && !last.ended; j++) await advance(10);
      if (!last.ended) bad("a drain does not end");
    }
    if (queue.messages.length > 0) {
      bad(`left: ${queue.messages.map(({ body }) => idOf(body))}`);
    }
    for (const id of sent) if (!finished.has(id)) bad(`lost: ${id}`);
  } finally {
    Math.random = realRandom;
    await turn();
    removeEventListener("unhandledrejection", onReject);
    removeEventListener("error", onError);
  }
  if (verbose) console.log(trace.join("\n"));
  return wrong;
}
