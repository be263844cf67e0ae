/**
 * The containers that the page knows: the ones of this process, and remote
 * ones that answer `GET /stats`. A remote answer may be anything.
 *
 * @module
 */

import { get } from "node:http";
import type { Clock } from "../clock.ts";
import type { Address } from "../config/values.ts";
import { bodyText } from "../message/reading.ts";
import type { Work } from "./history.ts";
import type { OwnContainer } from "./options.ts";
import type {
  ContainerRow,
  ContainerStats,
  ContainersView,
  RunningJob,
} from "./pages/views.ts";
import type { WatchedQueue } from "./queues.ts";

/** How often remote containers are asked while somebody looks, in milliseconds. */
export const POLL_MS = 5_000;

/** How long a remote container may take for its answer, in milliseconds. */
const ANSWER_MS = 2_000;

const MAX_ANSWER_LENGTH = 16_384;

/** After which a silent container disappears, in milliseconds. */
const DEAD_MS = 30_000;

/** The most running jobs that are listed for a container. */
const MAX_JOBS = 100;

const MAX_ARGUMENTS = 1_000;

const STATES = [
  "running",
  "paused",
  "starting",
  "stopping",
  "no worker process",
  "receives failing",
] as const;

/** What `/stats` says, checked. */
interface Stats extends ContainerStats {
  readonly queue: string;
  readonly region: string;
  readonly state: (typeof STATES)[number];
  readonly removed: number;
}

/** A container, and its work since the page's server started. */
class Known {
  readonly id: string;
  readonly own: OwnContainer | undefined;
  readonly address: Address | undefined;
  stats: Stats | undefined;
  /** Since when it does not answer. */
  silentSinceMs: number | undefined;
  readonly work = { done: 0, removed: 0 };
  #polling: Promise<void> | undefined;
  #askedMs = -Infinity;

  constructor(
    id: string,
    { own, address }: {
      readonly own?: OwnContainer;
      readonly address?: Address;
    },
  ) {
    this.id = id;
    this.own = own;
    this.address = address;
  }

  /** Reads its counts, unless they are new; never rejects. */
  poll(clock: Clock): Promise<void> {
    const { own, address } = this;
    if (own !== undefined) this.#take(checked(own.container.stats));
    const now = clock.now();
    const isNew = this.#polling === undefined && now - this.#askedMs < POLL_MS;
    if (address === undefined || isNew) return Promise.resolve();
    this.#askedMs = now;
    return this.#polling ??= readStats(address).then(
      (stats) => {
        this.#take(stats);
        this.silentSinceMs = undefined;
      },
      () => this.silentSinceMs ??= now,
    ).then(() => this.#polling = undefined);
  }

  /** A container that was started again counts from 0. */
  #take(stats: Stats | undefined): void {
    const before = this.stats;
    if (stats === undefined) return;
    if (before !== undefined) {
      const grown = (now: number, was: number) => now < was ? now : now - was;
      this.work.done += grown(stats.done, before.done);
      this.work.removed += grown(stats.removed, before.removed);
    }
    this.stats = stats;
  }

  isDead(nowMs: number): boolean {
    return this.silentSinceMs !== undefined &&
      nowMs - this.silentSinceMs >= DEAD_MS;
  }

  runs({ ref, open, region }: WatchedQueue): boolean {
    if (this.own !== undefined) {
      return this.own.container.queueUrl === open?.url;
    }
    return this.stats?.queue === ref.name && this.stats.region === region;
  }
}

export class Containers {
  readonly #clock: Clock;
  readonly #known: readonly Known[];
  readonly #hidesArguments: boolean;

  constructor(
    clock: Clock,
    { own, remote, hidesArguments }: {
      readonly own: readonly OwnContainer[];
      readonly remote: readonly Address[];
      readonly hidesArguments: boolean;
    },
  ) {
    this.#clock = clock;
    this.#hidesArguments = hidesArguments;
    this.#known = [
      ...own.map((own, i) => new Known(`own-${i + 1}`, { own })),
      ...remote.map((address, i) => new Known(`remote-${i + 1}`, { address })),
    ];
  }

  get isEmpty(): boolean {
    return this.#known.length === 0;
  }

  /** Asks for counts that are old. */
  async poll(): Promise<void> {
    await Promise.all(this.#known.map((each) => each.poll(this.#clock)));
  }

  /** What containers did for a queue so far, if any is known. */
  workOf(queue: WatchedQueue): Work | undefined {
    const those = this.#of(queue);
    if (those.length === 0) return undefined;
    const sum = (count: (work: Work) => number) =>
      those.reduce((sum, { work }) => sum + count(work), 0);
    return {
      done: sum((work) => work.done),
      removed: sum((work) => work.removed),
    };
  }

  /** Whether a container takes a queue's messages; the name of a paused one. */
  consumerOf(queue: WatchedQueue): "running" | { paused: string } | undefined {
    const those = this.#of(queue).filter(({ stats }) => stats !== undefined);
    const paused = those.find(({ stats }) => stats!.state === "paused");
    if (those.some(({ stats }) => stats!.state === "running")) return "running";
    return paused && { paused: nameOf(paused) };
  }

  get view(): ContainersView {
    return {
      containers: this.#alive.map((each) => this.#row(each)),
      isConfigured: !this.isEmpty,
    };
  }

  /** A container of this process, by its id. */
  own(id: string): { row: ContainerRow; own: OwnContainer } | undefined {
    const known = this.#known.find((each) => each.id === id && each.own);
    return known && { row: this.#row(known), own: known.own! };
  }

  get #alive(): Known[] {
    const now = this.#clock.now();
    return this.#known.filter((each) => !each.isDead(now));
  }

  #of(queue: WatchedQueue): Known[] {
    return this.#alive.filter((each) => each.runs(queue));
  }

  #row(known: Known): ContainerRow {
    const { id, own, silentSinceMs } = known;
    const stats = own === undefined
      ? known.stats
      : checked(own.container.stats);
    return {
      id,
      isOwn: own !== undefined,
      name: nameOf(known),
      queue: stats?.queue,
      state: silentSinceMs !== undefined
        ? "silent"
        : stats?.state ?? "starting",
      silentSinceMs,
      stats,
      jobs: own === undefined ? [] : this.#jobsOf(own),
    };
  }

  #jobsOf({ container }: OwnContainer): RunningJob[] {
    return container.runningJobs(MAX_JOBS)
      .map(({ messageId, startedAtMs, receiveCount, body }) => ({
        id: messageId,
        startedAtMs,
        attempt: receiveCount,
        arguments: this.#hidesArguments
          ? undefined
          : argumentsOf(body, container.reading),
      }));
  }
}

function nameOf({ own, address }: Known): string {
  return own?.file ?? address!.text;
}

/** A body on one line, cut before it is decoded: it may have 1 MiB. */
export function argumentsOf(
  body: string,
  reading: OwnContainer["container"]["reading"],
  most: number = MAX_ARGUMENTS,
): string {
  // Only whole JSON can be read, and Base64 has four characters for three.
  const whole = body.length <= 4 * most ? body : body.slice(0, most + 1);
  const text = bodyText(whole, reading);
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

function readStats({ host, port }: Address): Promise<Stats> {
  const { promise, resolve, reject } = Promise.withResolvers<Stats>();
  // Not fetch(): a proxy of the environment has no business here.
  const request = get({ host, port, path: "/stats", agent: false });
  const late = setTimeout(
    () => request.destroy(new Error("no answer in time")),
    ANSWER_MS,
  );
  request.on("error", reject);
  request.on("close", () => {
    clearTimeout(late);
    reject(new Error("closed"));
  });
  request.on("response", (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("error", reject);
    response.on("data", (chunk) => {
      text += chunk;
      if (text.length <= MAX_ANSWER_LENGTH) return;
      // Its end may come nevertheless.
      reject(new Error("too long"));
      request.destroy();
    });
    response.on("end", () => {
      const stats = response.statusCode === 200 ? parsed(text) : undefined;
      if (stats === undefined) reject(new Error("no /stats"));
      else resolve(stats);
    });
  });
  return promise;
}

function parsed(text: string): Stats | undefined {
  try {
    return checked(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Takes what has the right form, and cuts the rest. */
function checked(given: unknown): Stats | undefined {
  if (typeof given !== "object" || given === null) return undefined;
  const value = given as Readonly<Record<string, unknown>>;
  const text = (name: string) => String(value[name] ?? "").slice(0, 100);
  const count = (name: string) => {
    const number = value[name];
    return typeof number === "number" && number >= 0 && number <= 1e15
      ? Math.round(number)
      : 0;
  };
  const ms = (name: string) =>
    typeof value[name] === "number" ? count(name) : undefined;
  const state = STATES.find((each) => each === value.state);
  if (state === undefined || typeof value.queue !== "string") return undefined;
  return {
    ...{
      version: text("version"),
      queue: text("queue"),
      region: text("region"),
    },
    state,
    concurrency: count("concurrency"),
    running: count("running"),
    jobsPerMinute: count("jobsPerMinute"),
    p50Ms: ms("p50Ms"),
    p99Ms: ms("p99Ms"),
    done: count("done"),
    failed: count("failed"),
    removed: count("removed"),
    leasesLost: count("leasesLost"),
  };
}
