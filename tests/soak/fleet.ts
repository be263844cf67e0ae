/**
 * The containers and producers of a soak: starts, kills and stops them.
 *
 * @module
 */

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { TestProcess } from "../support/server.ts";
import { containerIni, logPath, QUEUES } from "./container_ini.ts";
import {
  FIFO,
  type JobRange,
  JSON_QUEUE,
  rangesOf,
  STANDARD,
  WIDE,
} from "./jobs.ts";
import { type EndLine, FILES, Journal } from "./journal.ts";
import type { ContainerKind, SoakOptions } from "./options.ts";
import { descendantsOf, type ProcessMark, stillRunning } from "./proc.ts";
import type { ProducerTask } from "./producer.ts";

/** How long a stopped container may take, in seconds: a poll may be silent. */
const STOP_LIMIT_SECONDS = 45;

/** When a second signal counts. */
const SECOND_SIGNAL_MS = 1_200;

/** The status of a process that SIGTERM ended. */
const SIGTERM_STATUS = 128 + 15;

/** How long processes may outlive the container that started them. */
const ORPHAN_LIMIT_MS = 5_000;

/** How many jobs a producer hands to `Queue` at a time, and then waits. */
const WAVE = { wave: 200, pauseMs: 20 };

/** More than a container of the wide queue runs at a time. */
const WIDE_WAVE = 1_200;

/** How long the wide queue is empty between two waves. */
const WIDE_DRY_MS = 4_000;

/** A container or producer that runs all the time. */
interface Slot {
  readonly name: string;
  /** How often it was started. */
  generation: number;
  process: TestProcess;
}

/** A container. */
interface ContainerSlot extends Slot {
  readonly kind: ContainerKind;
  /** The queue's name or URL. */
  readonly queue: string;
}

interface ProducerSlot extends Slot {
  readonly queue: string;
  readonly range: JobRange;
}

/** What a fleet works with. */
export interface FleetOptions extends SoakOptions {
  /** The proxy's URL. */
  readonly endpoint: string;
}

/** All containers and producers. */
export class Fleet implements AsyncDisposable {
  readonly #options: FleetOptions;
  readonly #ends: Journal<EndLine>;
  readonly #producers: ProducerSlot[] = [];
  readonly #killed = new Set<string>();
  readonly #ending = new Set<Promise<void>>();
  readonly containers: ContainerSlot[] = [];
  /** Processes by the way they ended. */
  readonly counts: Record<string, number> = {};
  /** What went wrong. */
  readonly problems: string[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#ends = new Journal(join(options.folder, FILES.ends));
  }

  /** Starts all containers, then all producers. */
  async start(): Promise<void> {
    const { containers, endpoint } = this.#options;
    for (const [key, count] of Object.entries(containers)) {
      const kind = key as ContainerKind;
      for (let i = 0; i < count; i++) {
        // Every second container has its queue by URL.
        const queue = i % 2 === 0
          ? QUEUES[kind]
          : `${endpoint}/000000000000/${QUEUES[kind]}`;
        const slot = { name: `${kind}-${i}`, kind, queue, generation: 1 };
        this.containers.push({ ...slot, process: await this.#run(slot) });
      }
    }
    const ranges = rangesOf(this.#options.jobs);
    this.#addProducer(FIFO, ranges[FIFO]!);
    this.#addProducer(WIDE, ranges[WIDE]!);
    this.#addProducer(JSON_QUEUE, ranges[JSON_QUEUE]!);
    const { from, to } = ranges[STANDARD]!;
    const share = Math.ceil((to - from) / this.#options.producers);
    for (let next = from; next < to; next += share) {
      const range = { from: next, to: Math.min(to, next + share) };
      this.#addProducer(STANDARD, range);
    }
  }

  /** Whether all was sent. */
  get hasSent(): boolean {
    return this.#producers.every(({ process }) => process.ended);
  }

  /** Kills a container, and starts another. */
  async kill(slot: ContainerSlot): Promise<void> {
    const by = nameOf(slot);
    const children = descendantsOf(slot.process.pid);
    this.#kill(slot);
    this.#count(`${isolatedText(slot)}containers killed`);
    this.#end(this.#expectGone(by, children));
    await this.#restart(slot);
  }

  /** Stops a container, with a second signal or without, and starts another. */
  async stop(slot: ContainerSlot, isForced: boolean): Promise<void> {
    this.#count(
      isForced ? "containers stopped at once" : "containers stopped",
    );
    this.#end(this.#stop(slot, isForced));
    await this.#restart(slot);
  }

  /** Kills a process of an isolated container. Tells whether it had one. */
  killChild(slot: ContainerSlot): boolean {
    const [child] = descendantsOf(slot.process.pid);
    if (child === undefined) return false;
    try {
      Deno.kill(child.pid, "SIGKILL");
    } catch {
      return false;
    }
    this.#ends.add({
      t: Date.now(),
      by: nameOf(slot),
      killed: true,
      child: child.pid,
    });
    this.#count("processes of isolated containers killed");
    return true;
  }

  /** Kills a producer, and starts another that continues. */
  killProducer(pick: <T>(values: readonly T[]) => T): void {
    const running = this.#producers.filter(({ process }) => !process.ended);
    if (running.length === 0) return;
    const slot = pick(running);
    this.#kill(slot);
    this.#count("producers killed");
    slot.generation++;
    slot.process = this.#produce(slot);
  }

  /** Kills all producers. */
  killProducers(): void {
    for (const slot of this.#producers) {
      if (!slot.process.ended) this.#kill(slot);
    }
  }

  /** No process ends by itself, but a producer that has sent all. */
  async expectRunning(): Promise<void> {
    for (const slot of [...this.containers, ...this.#producers]) {
      const by = nameOf(slot);
      if (!slot.process.ended || this.#killed.has(by)) continue;
      const code = await slot.process.status();
      if ("kind" in slot || code !== 0) {
        throw new Error(
          `${by} ended by itself with status ${code}: ${slot.process.stderr}`,
        );
      }
    }
  }

  /** Waits for the processes that were told to end. */
  async settle(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  /** Stops all containers, and waits for their ends. */
  async stopAll(): Promise<void> {
    await Promise.all(
      this.containers.map((slot) => this.#stop(slot, false)),
    );
  }

  /** Empties a queue by a container that ends then. */
  async drain(): Promise<void> {
    const slot: Omit<ContainerSlot, "process"> = {
      name: "drain",
      kind: "standard",
      queue: STANDARD,
      generation: 1,
    };
    const process = await this.#run(slot, ["--drain"]);
    await this.#expectEnd("drain-1", process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const slots = [...this.containers, ...this.#producers];
    for (const { process } of slots) {
      const children = descendantsOf(process.pid);
      await process[Symbol.asyncDispose]();
      killAll(await stillRunning(children, ORPHAN_LIMIT_MS));
    }
    await Promise.allSettled(this.#ending);
  }

  #kill(slot: Slot): void {
    try {
      slot.process.kill("SIGKILL");
    } catch {
      return;
    }
    const by = nameOf(slot);
    this.#killed.add(by);
    this.#ends.add({ t: Date.now(), by, killed: true });
    this.#end(slot.process.status().then(() => {}));
  }

  async #restart(slot: ContainerSlot): Promise<void> {
    slot.generation++;
    slot.process = await this.#run(slot);
  }

  async #stop(slot: ContainerSlot, isForced: boolean): Promise<void> {
    const by = nameOf(slot);
    const { process } = slot;
    const children = descendantsOf(process.pid);
    process.kill("SIGTERM");
    if (isForced) {
      await setTimeout(SECOND_SIGNAL_MS);
      if (!process.ended) process.kill("SIGTERM");
    }
    await this.#expectEnd(by, process);
    await this.#expectGone(by, children);
  }

  #end(ending: Promise<void>): void {
    this.#ending.add(ending);
    ending.finally(() => this.#ending.delete(ending));
  }

  /** A container that was told to stop ends, and with status 0. */
  async #expectEnd(by: string, process: TestProcess): Promise<void> {
    const limit = new AbortController();
    const { signal } = limit;
    const late = setTimeout(STOP_LIMIT_SECONDS * 1000, undefined, { signal })
      .then(() => {
        this.problems.push(`did not stop: container ${by}`);
        process.kill("SIGKILL");
      }, () => {});
    const code = await process.status();
    limit.abort();
    await late;
    if (code !== 0 && !(code === SIGTERM_STATUS && !this.#hasListened(by))) {
      this.problems.push(
        `stopped with status ${code}: container ${by}: ${process.stderr}`,
      );
    }
  }

  /** What a container had started ends with it. */
  async #expectGone(
    by: string,
    children: readonly ProcessMark[],
  ): Promise<void> {
    const orphans = await stillRunning(children, ORPHAN_LIMIT_MS);
    this.#ends.add({
      t: Date.now(),
      by,
      killed: this.#killed.has(by),
      orphans,
    });
    killAll(orphans);
  }

  /** Whether a container had received anything: before that a signal ends it. */
  #hasListened(by: string): boolean {
    try {
      return Deno.readTextFileSync(logPath(this.#options.folder, by))
        .includes("Listening");
    } catch {
      return false;
    }
  }

  /** Starts a container. */
  async #run(
    slot: Omit<ContainerSlot, "process">,
    args: readonly string[] = [],
  ): Promise<TestProcess> {
    const { folder, endpoint } = this.#options;
    const { kind, queue } = slot;
    const by = nameOf(slot);
    const ini = join(folder, `${by}.ini`);
    const task = { kind, by, queue, endpoint };
    await Deno.writeTextFile(ini, containerIni(task, this.#options));
    this.#count(`${isolatedText(slot)}containers started`);
    const isMeasured = by === "standard-0-1";
    return new TestProcess([
      "run",
      "-q",
      "-A",
      ...(isMeasured ? ["--v8-flags=--expose-gc"] : []),
      scriptPath("../../cli.ts"),
      ...args,
      ini,
    ], { cwd: folder });
  }

  #addProducer(queue: string, range: JobRange): void {
    const name = `producer-${this.#producers.length}`;
    const slot = { name, queue, range, generation: 1 };
    this.#producers.push({ ...slot, process: this.#produce(slot) });
  }

  #produce(slot: Omit<ProducerSlot, "process">): TestProcess {
    const { queue, range } = slot;
    const { folder, endpoint, visibilitySeconds } = this.#options;
    this.#count("producers started");
    const wide = {
      wave: WIDE_WAVE,
      pauseMs: visibilitySeconds * 1000 + WIDE_DRY_MS,
    };
    const task: ProducerTask = {
      folder,
      endpoint,
      queue,
      by: nameOf(slot),
      ...range,
      ...(queue === WIDE ? wide : WAVE),
    };
    return runScript("producer.ts", task);
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

/** Starts a program of this folder. */
export function runScript(name: string, task: object): TestProcess {
  return new TestProcess(
    ["run", "-q", "-A", scriptPath(name), JSON.stringify(task)],
    { cwd: fileURLToPath(new URL("../..", import.meta.url)) },
  );
}

/** The name of a slot's process, the one that runs now. */
function nameOf({ name, generation }: Omit<Slot, "process">): string {
  return `${name}-${generation}`;
}

function isolatedText({ kind }: Pick<ContainerSlot, "kind">): string {
  return kind === "isolated" ? "isolated " : "";
}

function scriptPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}
