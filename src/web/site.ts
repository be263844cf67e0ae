/**
 * What the page knows and does: queues, containers, looks and actions, while the
 * server runs. It drives the updates, and nothing is asked while nobody looks.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { type Clock, sleep } from "../clock.ts";
import { Action, type ActionOptions } from "./actions.ts";
import { Containers } from "./containers.ts";
import { Look } from "./looks.ts";
import type { OwnContainer, WebOptions } from "./options.ts";
import type { Notice } from "./pages/views.ts";
import type { Queues, WatchedQueue } from "./queues.ts";
import { EventStreams } from "./streams.ts";

/** How often updates are looked for while somebody looks, in milliseconds. */
const TICK_MS = 2_000;

/** How long a page waits for its first counts, ... */
const PATIENCE_MS = 3_000;

/** ... and for newer ones: old ones are there to be shown. */
const SHORT_PATIENCE_MS = 50;

/** How long an answer waits for a look, so that short ones need no reload. */
const LOOK_PATIENCE_MS = 5_000;

/** The most looks that are kept, and for how long. */
const MAX_LOOKS = 4;
const LOOK_MS = 3_600_000;

/** The most questions that are kept, and for how long; the most results. */
const MAX_QUESTIONS = 20;
const QUESTION_MS = 600_000;
const MAX_RESULTS = 20;

/** The most looks and actions that run at a time. */
const MAX_RUNNING = 4;

const MAX_NOTICES = 100;
const NOTICE_MS = 60_000;

export interface SiteParts {
  readonly options: WebOptions;
  readonly queues: Queues;
  readonly own: readonly OwnContainer[];
  /** Gets a line for each action of an operator. */
  readonly log: (line: string) => void;
}

export class Site implements AsyncDisposable {
  readonly options: WebOptions;
  readonly queues: Queues;
  readonly containers: Containers;
  readonly streams: EventStreams;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly #looks = new Map<WatchedQueue, Look>();
  readonly #actions = new Map<string, Action>();
  readonly #notices = new Map<string, Notice & { readonly atMs: number }>();
  readonly #stop = new AbortController();
  #cancelTick: (() => void) | undefined;
  #shown = "";

  constructor({ options, queues, own, log }: SiteParts) {
    this.options = options;
    this.queues = queues;
    this.clock = queues.clock;
    this.log = log;
    this.containers = new Containers(this.clock, {
      own,
      remote: options.containers,
      hidesArguments: options.hidesArguments,
    });
    this.streams = new EventStreams(this.clock, () => this.#watch());
  }

  /** Aborts when the server stops. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Waits a short time for counts that are at most ten seconds old. */
  async refresh(): Promise<void> {
    const isFirst = this.queues.listed.some(({ updatedMs, error }) =>
      updatedMs === undefined && error === undefined
    );
    const patienceMs = isFirst ? PATIENCE_MS : SHORT_PATIENCE_MS;
    await this.#atMost(patienceMs, this.#refresh());
  }

  /** Waits a short time for counts of remote containers. */
  async pollContainers(): Promise<void> {
    await this.#atMost(PATIENCE_MS, this.containers.poll());
  }

  async #refresh(): Promise<void> {
    await Promise.all([this.containers.poll(), this.queues.refresh()]);
    for (const queue of this.queues.all) {
      queue.note(this.containers.workOf(queue));
    }
  }

  /** The last look at a queue, unless that is long ago. */
  lookAt(holder: WatchedQueue): Look | undefined {
    const look = this.#looks.get(holder);
    const isOld = this.clock.now() - (look?.endedMs ?? Infinity) > LOOK_MS;
    if (isOld) this.#looks.delete(holder);
    return isOld ? undefined : look;
  }

  /** Looks at the jobs of a queue; waits a short time for its end. */
  async look(holder: WatchedQueue): Promise<void> {
    const look = new Look(
      holder,
      this.clock.now(),
      () => this.streams.announce("work"),
    );
    this.#looks.delete(holder);
    this.#looks.set(holder, look);
    const [oldest] = [...this.#looks].filter(([, { endedMs }]) => endedMs);
    if (this.#looks.size > MAX_LOOKS && oldest) this.#looks.delete(oldest[0]);
    await this.#atMost(LOOK_PATIENCE_MS, look.ended);
  }

  /** Why nothing can be started for a queue now, if so. */
  busyWith(holder: WatchedQueue): string | undefined {
    const { name } = holder.ref;
    const looks = [...this.#looks.values()]
      .filter(({ endedMs }) => endedMs === undefined);
    const actions = [...this.#actions.values()]
      .filter(({ isRunning }) => isRunning);
    if (looks.some((look) => look.holder === holder)) {
      return `A look at ${name} is under way. Wait for its end, or stop it.`;
    }
    if (actions.some((action) => action.holder === holder)) {
      return `A redrive or delete in ${name} is under way. Wait for its end, or stop it.`;
    }
    return looks.length + actions.length >= MAX_RUNNING
      ? "Too many looks, redrives and deletes are under way. Wait for an end."
      : undefined;
  }

  /** Keeps the question before an action. */
  ask(options: ActionOptions): Action {
    const action = new Action(options, this.clock.now());
    this.#actions.set(action.id, action);
    this.#keepNewest("asking", MAX_QUESTIONS);
    return action;
  }

  /** Forgets the oldest actions in a state: a result outlives any question. */
  #keepNewest(kind: "asking" | "over", most: number): void {
    const those = [...this.#actions.values()]
      .filter(({ state }) => state.kind === kind);
    for (const { id } of those.slice(0, -most)) this.#actions.delete(id);
  }

  action(id: string): Action | undefined {
    const action = this.#actions.get(id);
    const isAsking = action?.state.kind === "asking";
    if (!isAsking || this.clock.now() - action!.askedMs <= QUESTION_MS) {
      return action;
    }
    this.#actions.delete(id);
    return undefined;
  }

  /** Starts an action that was agreed to. */
  run(action: Action, to: WatchedQueue | undefined): void {
    const { holder: { ref: { name } }, count } = action;
    const what = action.action === "redrive" ? "Redrive" : "Delete";
    this.log(`${what} of ${count} jobs of ${name} started on the page`);
    // Its list is old from now on.
    this.#looks.delete(action.holder);
    action.run(to, () => {
      this.streams.announce("work");
      if (action.state.kind !== "over") return;
      const { done } = action.state;
      // The newest result is the one that ended last.
      this.#actions.delete(action.id);
      this.#actions.set(action.id, action);
      this.#keepNewest("over", MAX_RESULTS);
      this.log(`${what} of ${done} of ${count} jobs of ${name} done`);
    });
  }

  drop(action: Action): void {
    this.#actions.delete(action.id);
  }

  runningActionOf(holder: WatchedQueue): Action | undefined {
    return [...this.#actions.values()]
      .find((action) => action.isRunning && action.holder === holder);
  }

  /** Keeps a notice for the next page; returns its id. */
  notify(notice: Notice): string {
    const id = randomBytes(9).toString("base64url");
    this.#notices.set(id, { ...notice, atMs: this.clock.now() });
    const [oldest = ""] = this.#notices.keys();
    if (this.#notices.size > MAX_NOTICES) this.#notices.delete(oldest);
    return id;
  }

  notice(id: string | undefined): Notice | undefined {
    const notice = this.#notices.get(id ?? "");
    if (notice === undefined) return undefined;
    const isOld = this.clock.now() - notice.atMs > NOTICE_MS;
    return isOld ? undefined : { kind: notice.kind, text: notice.text };
  }

  /** Stops what runs, and waits until all messages are released. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.streams[Symbol.dispose]();
    this.#cancelTick?.();
    const works = [...this.#looks.values(), ...this.#actions.values()];
    for (const work of works) work.stop();
    await Promise.all(works.map(({ ended }) => ended));
    this.queues[Symbol.dispose]();
  }

  #watch(): void {
    const isWatched = this.streams.isWatched("counts", "containers");
    if (isWatched) return void (this.#cancelTick ??= this.#tick());
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  #tick(): () => void {
    return this.clock.timer(TICK_MS, async () => {
      this.#cancelTick = this.#tick();
      if (this.streams.isWatched("counts")) await this.#refresh();
      else await this.containers.poll();
      // An error is news, too.
      const shown = this.queues.all
        .map(({ updatedMs, error }) => `${updatedMs} ${error?.text}`).join();
      if (shown !== this.#shown) this.streams.announce("counts");
      this.#shown = shown;
      if (!this.containers.isEmpty) this.streams.announce("containers");
    });
  }

  async #atMost(ms: number, work: Promise<unknown>): Promise<void> {
    const waited = new AbortController();
    await Promise.race([work, sleep(this.clock, ms, waited.signal)]);
    waited.abort();
  }
}
