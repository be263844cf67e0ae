/**
 * A soak: producers and containers as processes, with a proxy between them and
 * the server that has requests fail, and processes killed and stopped meanwhile.
 *
 * @module
 */

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Queue } from "../../producer.ts";
import { Dice } from "../support/dice.ts";
import {
  CREDENTIALS,
  setEnv,
  TestProcess,
  TestServer,
} from "../support/server.ts";
import type { FaultRates } from "./faults.ts";
import { FAILED, FIFO, type SoakArgs, STANDARD, textOf } from "./jobs.ts";
import {
  type DoneLine,
  FILES,
  Journal,
  JournalReader,
  type MemoryLine,
  type RequestLine,
  type SentLine,
} from "./journal.ts";
import { judge, type Verdict } from "./verdict.ts";
import type { ProducerTask } from "./producer.ts";
import type { ServerTask, ServerUrls } from "./server.ts";

/** How a soak is made. */
export interface SoakOptions {
  /** A folder for its files. */
  readonly folder: string;
  /** Decides the faults, and which process is killed or stopped how. */
  readonly seed: number;
  /** How many jobs are sent, a tenth of them to a FIFO queue. */
  readonly jobs: number;
  /** Containers on the standard queue, and on the FIFO one. */
  readonly containers: readonly [standard: number, fifo: number];
  /** Producers, one of them for the FIFO queue. */
  readonly producers: number;
  readonly visibilitySeconds: number;
  /** How long a poll waits. */
  readonly waitSeconds: number;
  readonly rates: FaultRates;
  /** After how many jobs that were done a container is killed or stopped. */
  readonly stopEvery: number;
  /** After how many that were sent a producer is killed. */
  readonly cutEvery: number;
  /** Ends the sending early. */
  readonly minutes?: number;
  readonly onProgress?: (text: string) => void;
}

/** What came of a soak. */
export interface SoakResult extends Verdict {
  /** Processes by what was done to them. */
  readonly processes: Readonly<Record<string, number>>;
  /** Of a container that nobody killed. */
  readonly samples: readonly Sample[];
  /** Its heap, collected before, in MB. */
  readonly heapMb: readonly number[];
  readonly seconds: number;
}

/** What the system tells of a process. */
export interface Sample {
  readonly residentMb: number;
  readonly descriptors: number;
}

/** How long a stopped container may take, in seconds: a poll may be silent. */
const STOP_LIMIT_SECONDS = 45;

/** Without a job done for so long, the run has failed. */
const STALL_LIMIT_SECONDS = 60;

/** How much longer than it waits a poll may be on its way. */
const ORPHAN_GRACE_MS = 500;

/** The status of a process that SIGTERM ended. */
const SIGTERM_STATUS = 128 + 15;

const TICK_MS = 100;
const SAMPLE_MS = 1_000;

/** From a stop signal to giving up on jobs: less than a long one takes. */
const SHUTDOWN_SECONDS = 3;

/** When a second signal counts. */
const SECOND_SIGNAL_MS = 1_200;

/** The last part of all jobs is done without faults. */
const CALM_PART = 20;

/** Jobs that are sent to containers while they stop, numbered from here on. */
const LAST_JOBS = 40;
const LAST_FROM = 10_000_000;

/** Runs a soak. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  using _env = setEnv({ ...CREDENTIALS, AWS_REGION: "us-east-1" });
  await using soak = await Soak.start(options);
  return await soak.run();
}

/** A container or producer that is to run all the time. */
interface Slot {
  readonly name: string;
  readonly queue: string;
  /** How often it was started. */
  generation: number;
  process: TestProcess;
}

interface ProducerSlot extends Slot {
  readonly from: number;
  readonly to: number;
}

class Soak implements AsyncDisposable {
  readonly #options: SoakOptions;
  readonly #dice: Dice;
  readonly #serverProcess: TestProcess;
  readonly #server: TestServer;
  readonly #proxied: string;
  readonly #urls: Readonly<Record<string, string>>;
  readonly #containers: Slot[] = [];
  readonly #producers: ProducerSlot[] = [];
  readonly #ending = new Set<Promise<void>>();
  readonly #killed = new Map<string, number>();
  readonly #processes: Record<string, number> = {};
  readonly #problems: string[] = [];
  readonly #samples: Sample[] = [];
  readonly #accepted = new Set<number>();
  readonly #done = new Set<number>();
  readonly #sentReader: JournalReader<SentLine>;
  readonly #doneReader: JournalReader<DoneLine>;

  private constructor(
    options: SoakOptions,
    serverProcess: TestProcess,
    { server, proxied, urls }: {
      server: TestServer;
      proxied: string;
      urls: Readonly<Record<string, string>>;
    },
  ) {
    this.#options = options;
    this.#dice = new Dice(options.seed);
    this.#serverProcess = serverProcess;
    this.#server = server;
    this.#proxied = proxied;
    this.#urls = urls;
    this.#sentReader = new JournalReader(join(options.folder, FILES.sent));
    this.#doneReader = new JournalReader(join(options.folder, FILES.done));
  }

  static async start(options: SoakOptions): Promise<Soak> {
    const { folder, seed, rates, visibilitySeconds } = options;
    const task: ServerTask = { folder, seed, rates };
    const process = runScript("server.ts", task);
    await process.saw("}\n");
    const { direct, proxied }: ServerUrls = JSON.parse(process.stdout);
    const server = TestServer.at(direct);
    const attributes = { VisibilityTimeout: String(visibilitySeconds) };
    await server.createQueue(FAILED[STANDARD]!);
    await server.createQueue(FAILED[FIFO]!, { FifoQueue: "true" });
    const urls = {
      [STANDARD]: await server.createQueue(STANDARD, attributes),
      [FIFO]: await server.createQueue(FIFO, {
        ...attributes,
        FifoQueue: "true",
      }),
    };
    return new Soak(options, process, { server, proxied, urls });
  }

  async run(): Promise<SoakResult> {
    const startedAt = Date.now();
    await this.#startAll();
    try {
      await this.#untilDone(startedAt);
      for (const url of Object.values(this.#urls)) {
        await this.#server.left(url, 0);
      }
      await this.#stopDuringPolls();
    } catch (error) {
      // The notes tell more of what went wrong.
      this.#problems.push((error as Error).message);
    }
    return this.#result((Date.now() - startedAt) / 1000);
  }

  async #startAll(): Promise<void> {
    const { containers, producers, jobs } = this.#options;
    const counts = [[STANDARD, containers[0]], [FIFO, containers[1]]] as const;
    for (const [queue, count] of counts) {
      for (let i = 0; i < count; i++) {
        const slot = { name: `${queue}-${i}`, queue, generation: 1 };
        this.#containers.push({ ...slot, process: await this.#run(slot) });
      }
    }
    // Jobs by their numbers: the FIFO queue's first, then each producer's.
    const fifoJobs = Math.floor(jobs / 10);
    const share = Math.ceil((jobs - fifoJobs) / (producers - 1));
    for (let i = 0; i < producers; i++) {
      const isFifo = i === 0;
      const from = isFifo ? 0 : fifoJobs + (i - 1) * share;
      const slot = {
        name: `producer-${i}`,
        queue: isFifo ? FIFO : STANDARD,
        generation: 1,
        from,
        to: isFifo ? fifoJobs : Math.min(jobs, from + share),
      };
      this.#producers.push({ ...slot, process: this.#produce(slot) });
    }
  }

  /**
   * Until all was sent, and all that was accepted is done. When little is left
   * there are no more faults, as the last jobs would take as long as the others.
   */
  async #untilDone(startedAt: number): Promise<void> {
    const { stopEvery, cutEvery, minutes = Infinity, onProgress } =
      this.#options;
    let isCalm = false;
    let stops = 0;
    let cuts = 0;
    let sampledAt = 0;
    let changedAt = Date.now();
    for (;;) {
      const before = this.#done.size + this.#accepted.size;
      this.#read();
      const now = Date.now();
      if (this.#done.size + this.#accepted.size > before) changedAt = now;
      if (now - changedAt > STALL_LIMIT_SECONDS * 1000) {
        throw new Error(
          `nothing happens any more: ${this.#progress()}`,
        );
      }
      const isOver = now - startedAt > minutes * 60_000;
      if (isOver) this.#cutAllOff();
      if (this.#done.size >= stopEvery * (stops + 1)) {
        stops++;
        await this.#stopOne();
      }
      if (!isOver && this.#accepted.size >= cutEvery * (cuts + 1)) {
        cuts++;
        this.#cutOne();
      }
      if (now - sampledAt > SAMPLE_MS) {
        sampledAt = now;
        const sample = sampleOf(this.#containers[0]!.process.pid);
        if (sample !== undefined) this.#samples.push(sample);
        onProgress?.(this.#progress());
      }
      await this.#expectRunning();
      const isSent = this.#producers.every(({ process }) => process.ended);
      const left = this.#accepted.difference(this.#done).size;
      if (isSent && !isCalm && left < this.#accepted.size / CALM_PART) {
        isCalm = true;
        await (await fetch(`${this.#proxied}/calm`)).text();
      }
      if (isSent && left === 0) return;
      await setTimeout(TICK_MS);
    }
  }

  #read(): void {
    for (const { job, id } of this.#sentReader.read()) {
      if (id !== undefined) this.#accepted.add(job);
    }
    for (const { job } of this.#doneReader.read()) this.#done.add(job);
  }

  #progress(): string {
    return `${this.#accepted.size} of ${this.#options.jobs} jobs accepted, ${this.#done.size} done; ${
      countsText(this.#processes)
    }`;
  }

  /** Kills or stops a container, but never the first, and starts another. */
  async #stopOne(): Promise<void> {
    const slot = this.#dice.pick(this.#containers.slice(1));
    const { process, name, generation } = slot;
    const dice = this.#dice.next();
    if (dice < 0.5) {
      this.#kill(slot);
      this.#count("containers killed");
    } else {
      process.kill("SIGTERM");
      const isForced = dice > 0.8;
      this.#count(
        isForced ? "containers stopped at once" : "containers stopped",
      );
      this.#end(this.#ended(`${name}-${generation}`, process, isForced));
    }
    slot.generation++;
    slot.process = await this.#run(slot);
  }

  /** Kills a producer, and starts another that goes on. */
  #cutOne(): void {
    const running = this.#producers.filter(({ process }) => !process.ended);
    if (running.length === 0) return;
    const slot = this.#dice.pick(running);
    this.#kill(slot);
    this.#count("producers killed");
    slot.generation++;
    slot.process = this.#produce(slot);
  }

  #cutAllOff(): void {
    for (const slot of this.#producers) {
      const by = `${slot.name}-${slot.generation}`;
      if (!slot.process.ended && !this.#killed.has(by)) this.#kill(slot);
    }
  }

  #kill({ name, generation, process }: Slot): void {
    try {
      process.kill("SIGKILL");
    } catch {
      return;
    }
    this.#killed.set(`${name}-${generation}`, Date.now());
    this.#end(process.status().then(() => {}));
  }

  #end(ending: Promise<void>): void {
    this.#ending.add(ending);
    ending.finally(() => this.#ending.delete(ending));
  }

  /** Waits for the end of a container that was told to stop. */
  async #ended(
    by: string,
    process: TestProcess,
    isForced: boolean,
  ): Promise<void> {
    const limit = new AbortController();
    const { signal } = limit;
    const status = process.status();
    if (isForced) {
      await setTimeout(SECOND_SIGNAL_MS);
      if (!process.ended) process.kill("SIGTERM");
    }
    const late = setTimeout(STOP_LIMIT_SECONDS * 1000, undefined, { signal })
      .then(() => {
        this.#problems.push(`did not stop: container ${by}`);
        process.kill("SIGKILL");
      }, () => {});
    const code = await status;
    limit.abort();
    await late;
    if (code !== 0 && !(code === SIGTERM_STATUS && !this.#hasListened(by))) {
      this.#problems.push(
        `stopped with status ${code}: container ${by}: ${process.stderr}`,
      );
    }
  }

  /** Whether a container had received anything: before that a signal ends it. */
  #hasListened(by: string): boolean {
    try {
      return Deno.readTextFileSync(join(this.#options.folder, `${by}.log`))
        .includes("Listening");
    } catch {
      return false;
    }
  }

  /** No process ends by itself, but a producer that has sent all. */
  async #expectRunning(): Promise<void> {
    for (const slot of [...this.#containers, ...this.#producers]) {
      const { name, generation, process } = slot;
      const by = `${name}-${generation}`;
      if (!process.ended || this.#killed.has(by)) continue;
      const code = await process.status();
      const isProducer = "from" in slot;
      if (!isProducer || code !== 0) {
        throw new Error(
          `${by} ended by itself with status ${code}: ${process.stderr}`,
        );
      }
    }
  }

  /** Jobs that are sent while idle containers stop stay visible, or are done. */
  async #stopDuringPolls(): Promise<void> {
    await Promise.all(this.#ending);
    // The server still waits for messages for those that were killed, and would
    // hide what it finds for them.
    await setTimeout(this.#options.waitSeconds * 1000 + ORPHAN_GRACE_MS);
    const journal = new Journal<SentLine>(
      join(this.#options.folder, FILES.sent),
    );
    const by = "last";
    await using queue = await Queue<SoakArgs>(STANDARD, {
      endpoint: this.#proxied,
    });
    const sending = Promise.all(
      Array.from({ length: LAST_JOBS }, async (_, i) => {
        const job = LAST_FROM + i;
        const { messageId } = await queue(job, by, textOf(job));
        journal.add({ job, by, id: messageId, fresh: true });
      }),
    );
    const stops = this.#containers.map((slot) => {
      slot.process.kill("SIGTERM");
      return this.#ended(
        `${slot.name}-${slot.generation}`,
        slot.process,
        false,
      );
    });
    await Promise.all([sending, ...stops]);
    const { inFlight } = await this.#server.state(this.#urls[STANDARD]!);
    if (inFlight > 0) {
      this.#problems.push(`stranded by a stop: ${inFlight} messages`);
    }
    const slot = { name: "drain", queue: STANDARD, generation: 1 };
    const drain = await this.#run(slot, ["--drain"]);
    await this.#ended("drain-1", drain, false);
    await this.#server.left(this.#urls[STANDARD]!, 0);
  }

  #result(seconds: number): SoakResult {
    const { folder } = this.#options;
    const all = <T>(file: string) =>
      new JournalReader<T>(join(folder, file)).read();
    const verdict = judge({
      sent: all<SentLine>(FILES.sent),
      done: all<DoneLine>(FILES.done),
      requests: all<RequestLine>(FILES.requests),
      killed: this.#killed,
      logs: new Map(
        [...Deno.readDirSync(folder)]
          .filter(({ name }) => name.endsWith(".log"))
          .map(({ name }) => [name, Deno.readTextFileSync(join(folder, name))]),
      ),
    });
    return {
      ...verdict,
      problems: [...this.#problems, ...verdict.problems],
      processes: this.#processes,
      samples: this.#samples,
      heapMb: all<MemoryLine>(FILES.memory).map(({ heapMb }) => heapMb),
      seconds,
    };
  }

  /** Starts a container. */
  async #run(
    { name, queue, generation }: Omit<Slot, "process">,
    args: readonly string[] = [],
  ): Promise<TestProcess> {
    const { folder, visibilitySeconds, waitSeconds } = this.#options;
    const by = `${name}-${generation}`;
    const ini = join(folder, `${by}.ini`);
    await Deno.writeTextFile(
      ini,
      `[container]
worker = ${scriptPath("worker.ts")}:journal
queue = ${queue}
region = us-east-1
endpoint = ${this.#proxied}
failures = ${FAILED[queue]}
concurrency = 10
wait_time = ${waitSeconds}
shutdown_timeout = ${SHUTDOWN_SECONDS}
loggers =
  <logger>
    level INFO
    <logfile>
      path ${join(folder, `${by}.log`)}
      format %(asctime)s %(levelname)s %(name)s %(message)s
    </logfile>
  </logger>

[worker]
by = ${by}
done = ${join(folder, FILES.done)}
memory = ${join(folder, FILES.memory)}
long_ms = ${visibilitySeconds * 1500}
`,
    );
    this.#count("containers started");
    const isMeasured = by === `${STANDARD}-0-1`;
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

  #produce(slot: Omit<ProducerSlot, "process">): TestProcess {
    const { name, queue, generation, from, to } = slot;
    this.#count("producers started");
    const task: ProducerTask = {
      folder: this.#options.folder,
      endpoint: this.#proxied,
      queue,
      by: `${name}-${generation}`,
      from,
      to,
    };
    return runScript("producer.ts", task);
  }

  #count(what: string): void {
    this.#processes[what] = (this.#processes[what] ?? 0) + 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const slots = [...this.#containers, ...this.#producers];
    for (const { process } of slots) await process[Symbol.asyncDispose]();
    await Promise.allSettled(this.#ending);
    await this.#server[Symbol.asyncDispose]();
    await this.#serverProcess[Symbol.asyncDispose]();
  }
}

/** Counts by name, on one line. */
export function countsText(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, count]) => `${name}: ${count}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

function scriptPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function runScript(name: string, task: object): TestProcess {
  return new TestProcess(
    ["run", "-q", "-A", scriptPath(name), JSON.stringify(task)],
    { cwd: fileURLToPath(new URL("../..", import.meta.url)) },
  );
}

/** Memory and descriptors, where Linux is there to tell. */
function sampleOf(pid: number): Sample | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return {
      residentMb: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 2 ** 10,
      descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    };
  } catch {
    return undefined;
  }
}
