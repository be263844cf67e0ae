/**
 * A soak: producers and containers as processes, some of which are killed and
 * stopped. A proxy between them and the server makes requests fail.
 *
 * @module
 */

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Queue } from "../../producer.ts";
import {
  CREDENTIALS,
  setEnv,
  type TestProcess,
  TestServer,
} from "../support/server.ts";
import { Chaos, type Progress } from "./chaos.ts";
import { Fleet, type FleetOptions, runScript } from "./fleet.ts";
import {
  FAILED,
  FIFO,
  JSON_QUEUE,
  type SoakArgs,
  STANDARD,
  textOf,
  WIDE,
  widthOf,
} from "./jobs.ts";
import { readAll, readEvidence } from "./evidence.ts";
import {
  type DoneLine,
  FILES,
  Journal,
  JournalReader,
  type MemoryLine,
  type SentLine,
} from "./journal.ts";
import type { SoakOptions } from "./options.ts";
import { type Sample, sampleOf } from "./proc.ts";
import type { ServerTask, ServerUrls } from "./server.ts";
import { judge, type Verdict } from "./verdict.ts";

/** What came of a soak. */
export interface SoakResult extends Verdict {
  /** Processes by the way they ended. */
  readonly processes: Readonly<Record<string, number>>;
  /** Of a container that nobody killed. */
  readonly samples: readonly Sample[];
  /** Its heap, collected before, in MB. */
  readonly heapMb: readonly number[];
  readonly seconds: number;
}

/** Without a job done for so long, the run has failed. */
const STALL_LIMIT_SECONDS = 60;

/** How much longer than it waits a poll may be on its way. */
const ORPHAN_GRACE_MS = 500;

/** How far the server's clock is ahead when the processes start. */
const FIRST_SKEW_MS = 20 * 60_000;

const TICK_MS = 100;
const SAMPLE_MS = 1_000;

/** The last part of all jobs is done without faults, so many at least. */
const CALM_PART = 20;
const CALM_JOBS = 300;

/** Jobs that are sent to containers while they stop, numbered from here on. */
const LAST_JOBS = 40;
const LAST_FROM = 10_000_000;

/** Runs a soak. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  using _env = setEnv({ ...CREDENTIALS, AWS_REGION: "us-east-1" });
  await using scene = await startScene(options);
  return await new Soak(options, scene).run();
}

/** The server of a soak, and its queues. */
interface Scene extends AsyncDisposable {
  readonly server: TestServer;
  /** The proxy's URL. */
  readonly endpoint: string;
  readonly urls: readonly string[];
}

async function startScene(
  { folder, seed, rates, visibilitySeconds }: SoakOptions,
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const task: ServerTask = { folder, seed, rates, skewMs: FIRST_SKEW_MS };
  const process: TestProcess = stack.use(runScript("server.ts", task));
  await process.saw("}\n");
  const { direct, proxied }: ServerUrls = JSON.parse(process.stdout);
  const server = stack.use(TestServer.at(direct));
  const urls: string[] = [];
  for (const name of [STANDARD, FIFO, WIDE, JSON_QUEUE]) {
    const fifo = name.endsWith(".fifo") ? { FifoQueue: "true" } : undefined;
    await server.createQueue(FAILED[name]!, fifo);
    const VisibilityTimeout = String(visibilitySeconds);
    urls.push(await server.createQueue(name, { ...fifo, VisibilityTimeout }));
  }
  const kept = stack.move();
  return {
    server,
    endpoint: proxied,
    urls,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

class Soak {
  readonly #options: FleetOptions;
  readonly #scene: Scene;
  readonly #fleet: Fleet;
  readonly #chaos: Chaos;
  readonly #problems: string[] = [];
  readonly #samples: Sample[] = [];
  readonly #accepted = new Set<number>();
  readonly #done = new Set<number>();
  #hasBeenFull = false;
  readonly #sentReader: JournalReader<SentLine>;
  readonly #doneReader: JournalReader<DoneLine>;

  constructor(options: SoakOptions, scene: Scene) {
    this.#options = { ...options, endpoint: scene.endpoint };
    this.#scene = scene;
    this.#fleet = new Fleet(this.#options);
    this.#chaos = new Chaos(this.#options, this.#fleet, FIRST_SKEW_MS);
    this.#sentReader = new JournalReader(join(options.folder, FILES.sent));
    this.#doneReader = new JournalReader(join(options.folder, FILES.done));
  }

  async run(): Promise<SoakResult> {
    const startedAt = Date.now();
    await using fleet = this.#fleet;
    await fleet.start();
    try {
      await this.#untilDone(startedAt);
      for (const url of this.#scene.urls) await this.#scene.server.left(url, 0);
      await this.#stopDuringPolls();
    } catch (error) {
      // The notes tell more of what went wrong.
      this.#problems.push((error as Error).message);
    }
    return this.#result((Date.now() - startedAt) / 1000);
  }

  /**
   * Until all was sent, and all that was accepted is done. When little is left
   * there are no more faults, as the last jobs would take as long as the others.
   */
  async #untilDone(startedAt: number): Promise<void> {
    const { minutes = Infinity, onProgress } = this.#options;
    let isCalm = false;
    let sampledAt = 0;
    let changedAt = Date.now();
    for (;;) {
      const before = this.#done.size + this.#accepted.size;
      this.#read();
      const now = Date.now();
      if (this.#done.size + this.#accepted.size > before) changedAt = now;
      if (now - changedAt > STALL_LIMIT_SECONDS * 1000) {
        throw new Error(`nothing happens any more: ${this.#progressText()}`);
      }
      if (now - startedAt > minutes * 60_000) this.#fleet.killProducers();
      if (now - sampledAt > SAMPLE_MS) {
        sampledAt = now;
        const sample = sampleOf(this.#fleet.containers[0]!.process.pid);
        if (sample !== undefined) this.#samples.push(sample);
        onProgress?.(this.#progressText());
      }
      await this.#fleet.expectRunning();
      const left = this.#accepted.difference(this.#done).size;
      const isSent = this.#fleet.hasSent;
      const last = Math.max(CALM_JOBS, this.#accepted.size / CALM_PART);
      if (isSent && !isCalm && left < last) {
        isCalm = true;
        await this.#chaos.calm();
      }
      if (isSent && left === 0) return;
      if (!isCalm) await this.#chaos.advance(this.#progress());
      await setTimeout(TICK_MS);
    }
  }

  #read(): void {
    for (const { job, id } of this.#sentReader.read()) {
      if (id !== undefined) this.#accepted.add(job);
    }
    for (const { job, running } of this.#doneReader.read()) {
      this.#done.add(job);
      if (running >= widthOf(this.#options.jobs)) this.#hasBeenFull = true;
    }
  }

  #progress(): Progress {
    return {
      accepted: this.#accepted.size,
      done: this.#done.size,
      hasBeenFull: this.#hasBeenFull,
    };
  }

  #progressText(): string {
    return `${this.#accepted.size} of ${this.#options.jobs} jobs accepted, ${this.#done.size} done; ${
      countsText(this.#fleet.counts)
    }`;
  }

  /** Jobs that are sent while idle containers stop stay visible, or are done. */
  async #stopDuringPolls(): Promise<void> {
    const { folder, endpoint, waitSeconds } = this.#options;
    const { server, urls: [url] } = this.#scene;
    await this.#fleet.settle();
    // The server still waits for messages for the killed ones, and would hide
    // them.
    await setTimeout(waitSeconds * 1000 + ORPHAN_GRACE_MS);
    const journal = new Journal<SentLine>(join(folder, FILES.sent));
    const by = "last";
    await using queue = await Queue<SoakArgs>(STANDARD, { endpoint });
    const sending = Promise.all(
      Array.from({ length: LAST_JOBS }, async (_, i) => {
        const job = LAST_FROM + i;
        const { messageId } = await queue(job, by, textOf(job));
        journal.add({ job, by, id: messageId, fresh: true });
      }),
    );
    await Promise.all([sending, this.#fleet.stopAll()]);
    const { inFlight } = await server.state(url!);
    if (inFlight > 0) {
      this.#problems.push(`stranded by a stop: ${inFlight} messages`);
    }
    await this.#fleet.drain();
    await server.left(url!, 0);
  }

  async #result(seconds: number): Promise<SoakResult> {
    await this.#fleet.settle();
    const { folder, visibilitySeconds } = this.#options;
    const verdict = judge(readEvidence(folder, visibilitySeconds * 1000));
    return {
      ...verdict,
      problems: [
        ...this.#problems,
        ...this.#fleet.problems,
        ...verdict.problems,
      ],
      processes: this.#fleet.counts,
      samples: this.#samples,
      heapMb: readAll<MemoryLine>(folder, FILES.memory)
        .map(({ heapMb }) => heapMb),
      seconds,
    };
  }
}

/** Counts by name, on one line. */
export function countsText(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, count]) => `${name}: ${count}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}
