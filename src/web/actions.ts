/**
 * Redrives and deletes: a list of ids that the page's server keeps, a question,
 * then a sweep that works on these messages alone.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { openQueue } from "../connect/open_queue.ts";
import { messageOf } from "../errors.ts";
import { FailedWork } from "../operate/failed_work.ts";
import { Redrive } from "../operate/redrive.ts";
import { printable } from "../text.ts";
import { type Found, rowOf } from "./looks.ts";
import type { ActionState, FailedRow, Filter } from "./pages/views.ts";
import type { WatchedQueue } from "./queues.ts";

/** The most source queues that are shown, and sent to. */
const MAX_TARGETS = 20;

/** The most jobs that a question lists. */
const MAX_LISTED = 100;

const MAX_PROBLEMS = 10;

export interface ActionOptions {
  readonly action: "redrive" | "delete";
  readonly holder: WatchedQueue;
  readonly filter: Filter;
  readonly jobs: readonly Found[];
  readonly hidesArguments: boolean;
  /** Queues that jobs without a source may go to. */
  readonly choices: readonly WatchedQueue[];
}

export class Action {
  readonly id: string = randomBytes(12).toString("base64url");
  readonly action: "redrive" | "delete";
  readonly holder: WatchedQueue;
  readonly filter: Filter;
  readonly count: number;
  readonly jobs: readonly FailedRow[];
  readonly choices: readonly WatchedQueue[];
  readonly askedMs: number;
  readonly #ids: Set<string>;
  /** The ids of jobs that go to a chosen queue. */
  readonly #sourceless = new Set<string>();
  readonly #targets: readonly (readonly [string, number])[];
  #state: ActionState;
  #work: FailedWork | undefined;
  readonly #stop = new AbortController();
  /** Resolves when it is over; never rejects. */
  ended: Promise<void> = Promise.resolve();

  constructor(options: ActionOptions, nowMs: number) {
    const { action, holder, filter, jobs, hidesArguments, choices } = options;
    this.action = action;
    this.holder = holder;
    this.filter = filter;
    this.choices = choices;
    this.askedMs = nowMs;
    this.count = jobs.length;
    this.#ids = new Set(jobs.map(({ id }) => id));
    this.jobs = jobs.slice(0, MAX_LISTED)
      .map((job) => rowOf(job, hidesArguments));
    this.#targets = action === "redrive" ? targetsOf(jobs) : [];
    const shown = new Set(this.#targets.map(([name]) => name));
    for (const { id, target } of action === "redrive" ? jobs : []) {
      if (target === undefined || !shown.has(target.name)) {
        this.#sourceless.add(id);
      }
    }
    this.#state = {
      kind: "asking",
      targets: this.#targets,
      sourceless: this.#sourceless.size,
      choices: choices.map(({ key, ref }) => [key, ref.name]),
    };
  }

  get isRunning(): boolean {
    return this.#state.kind === "running";
  }

  get state(): ActionState {
    if (this.#state.kind !== "running") return this.#state;
    const done = this.#work?.done ?? 0;
    return { ...this.#state, done, isStopping: this.#stop.signal.aborted };
  }

  stop(): void {
    if (this.isRunning) this.#stop.abort();
  }

  /**
   * Starts the work.
   *
   * @param to Where to send jobs without a source; absent: they stay.
   * @param onChange Called when something is done, and when it is over.
   */
  run(to: WatchedQueue | undefined, onChange: () => void): void {
    this.#state = { kind: "running", done: 0, isStopping: false };
    this.ended = this.#run(to, onChange)
      .then(() => undefined, (error) => printable(messageOf(error)))
      .then((error) => {
        this.#state = this.#result(error);
        // Results are kept for long.
        for (const ids of [this.#ids, this.#sourceless]) ids.clear();
        onChange();
      });
  }

  async #run(
    to: WatchedQueue | undefined,
    onChange: () => void,
  ): Promise<void> {
    const { ref, where } = this.holder;
    using stack = new DisposableStack();
    const open = await openQueue(ref, { ...where, sweeps: true, probe: false });
    stack.defer(() => open.connection.close());
    const options = { from: open, where, trusting: false };
    const home = stack.use(new Redrive(options));
    home.trust(new Set(this.#targets.map(([name]) => name)));
    const away = to &&
      stack.use(new Redrive({ ...options, where: to.where, to: to.ref.text }));
    await away?.checkTarget();
    this.#work = new FailedWork(open, {
      action: this.action === "delete" ? "purge" : "redrive",
      selects: ({ messageId }) => this.#ids.has(messageId),
      limit: this.#ids.size,
      redrive: {
        send: async (message) => {
          const isSourceless = this.#sourceless.has(message.messageId);
          if (isSourceless && away === undefined) {
            return { problem: "names no queue to return to" };
          }
          const result = await (isSourceless ? away! : home).send(message);
          // Its fix is one for the command line.
          return "problem" in result ? { problem: result.problem } : result;
        },
      },
      signal: this.#stop.signal,
      warn: () => {},
      onMessage: () => {},
      onBatch: onChange,
    });
    await this.#work.run();
  }

  #result(error: string | undefined): ActionState {
    const { done = 0, selected = 0, undeleted = 0 } = this.#work ?? {};
    const problems = [...this.#work?.problems ?? []];
    const isStopped = this.#stop.signal.aborted;
    const isWhole = error === undefined && !isStopped;
    return {
      kind: "over",
      done,
      undeleted,
      error,
      isStopped,
      // What an early end has not looked for may be there.
      missing: isWhole ? this.count - selected : 0,
      problems: problems.slice(0, MAX_PROBLEMS)
        .map(([reason, count]) => [printable(reason).slice(0, 300), count]),
    };
  }
}

/** Where jobs return to, most first; the names of too many are left out. */
function targetsOf(jobs: readonly Found[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { target } of jobs) {
    if (target === undefined) continue;
    counts.set(target.name, (counts.get(target.name) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).slice(0, MAX_TARGETS);
}
