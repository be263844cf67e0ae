/**
 * Batches in child processes: killed, split, and settled job by job.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ContainerSettings } from "../../container.ts";
import { Folder } from "../support/cli.ts";
import { setTimeout as delay } from "node:timers/promises";
import { Stage } from "../support/isolation_stage.ts";

/** The pause between two looks at the runs. */
const PAUSE_MS = 5;

/** For how long a move of the clock may stop others. */
const PATIENCE_MS = 50;

/** The timeout of batches in a loop, and after which one is killed. */
const TIMEOUT_SECONDS = 60;
const KILL_SECONDS = TIMEOUT_SECONDS + 3;

const WORKER = `
import { PartialBatchError, TransientError } from "jsr:@zsqs/cli";

export default ({ runs }: { runs: string }) => ({
  handleBatch(jobs: { args: [what: string] }[]) {
    const whats = jobs.map(({ args: [what] }) => what);
    Deno.writeTextFileSync(runs, whats.join(" ") + "\\n", { append: true });
    if (whats.includes("exit")) Deno.exit(3);
    if (whats.includes("loop")) for (;;);
    if (whats.includes("bad")) throw new TypeError("no such thing");
    const later = jobs.filter(({ args: [what] }) => what === "later");
    if (later.length === 0) return;
    const error = new TransientError("not now", { delaySeconds: 600 });
    throw new PartialBatchError(later.map((job) => ({ job, error })) as never);
  },
});
`;

class Batches implements AsyncDisposable {
  readonly stage: Stage;
  readonly #folder: Folder;

  private constructor(stage: Stage, folder: Folder) {
    this.stage = stage;
    this.#folder = folder;
  }

  static async start(
    settings: Partial<ContainerSettings> = {},
  ): Promise<Batches> {
    const folder = await Folder.with({ "worker.ts": WORKER, runs: "" });
    const runs = folder.at("runs");
    const stage = await Stage.start("", {
      worker: folder.at("worker.ts"),
      workerConfig: { runs },
      allowWrite: runs,
      batch: 10,
      failures: { queue: "failed" },
      ...settings,
    });
    return new Batches(stage, folder);
  }

  /** Sends jobs that run together, and moves the clock while one is in a loop. */
  async send(...whats: string[]): Promise<void> {
    let isSent = false;
    const sent = this.stage.queue.sendAll(whats.map((what) => [what]))
      .finally(() => isSent = true);
    const advances = new Set<Promise<void>>();
    for (let count = 0, seconds = 0; !isSent;) {
      // A loop without a pause keeps the processes from being heard.
      await delay(PAUSE_MS);
      const runs = await this.runs();
      if (runs.length > count) [count, seconds] = [runs.length, 0];
      if (!runs.at(-1)!.includes("loop")) continue;
      // Some may have passed before the container heard of the run. They follow
      // slowly: the next run may have started, but not have come to its line.
      if (seconds++ >= KILL_SECONDS) await delay(PATIENCE_MS);
      // It waits for jobs that start meanwhile, unless another one moves on.
      const advance = this.stage.queues.advance(1)
        .finally(() => advances.delete(advance));
      advances.add(advance);
      const over = new AbortController();
      const { signal } = over;
      const late = delay(PATIENCE_MS, undefined, { signal }).catch(() => {});
      await Promise.race([advance, sent, late]);
      over.abort();
    }
    await sent;
    await Promise.all(advances);
  }

  async runs(): Promise<string[]> {
    return (await this.#folder.read("runs")).trimEnd().split("\n");
  }

  get left(): string[] {
    return this.stage.left.map((body) => JSON.parse(body)[0][0]);
  }

  get failed(): string[] {
    return this.stage.queues.get("failed").jobs.flat() as string[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

Deno.test("a batch that ends its process is split until the bad job is alone", async () => {
  await using batches = await Batches.start();
  await batches.stage.queue.sendAll([["a"], ["b"], ["exit"], ["c"]]);
  assertEquals(await batches.runs(), [
    "a b exit c",
    "a b",
    "exit c",
    "exit",
    "c",
  ]);
  assertEquals([batches.left, batches.failed], [["exit"], []]);
  const [message] = batches.stage.queues.get("adder").messages;
  assertEquals(message!.receiveCount, 1);
  assertMatch(
    await batches.stage.log(),
    /running its halves to find the cause/,
  );
});

Deno.test("a job that ends the process of its batch fails after its attempts", async () => {
  await using batches = await Batches.start({ attempts: 1 });
  await batches.send("a", "exit", "b");
  assertEquals([batches.left, batches.failed], [[], ["exit"]]);
});

Deno.test("a batch that outlives its timeout is killed and split", async () => {
  await using batches = await Batches.start({
    timeoutSeconds: TIMEOUT_SECONDS,
    attempts: 1,
  });
  await batches.send("a", "loop", "b");
  const runs = await batches.runs();
  assertEquals(runs, ["a loop b", "a loop", "b", "a", "loop"]);
  assertEquals([batches.left, batches.failed], [[], ["loop"]]);
});

Deno.test("errors of batches cross the boundary, each with its job", async () => {
  await using batches = await Batches.start();
  await batches.stage.queue.sendAll([["a"], ["bad"], ["later"], ["b"]]);
  assertEquals(batches.failed, ["bad"]);
  assertEquals(batches.left, ["later"]);
  const { "zsqs.failure": reason } =
    batches.stage.queues.get("failed").messages[0]!.attributes;
  assertMatch(String(reason), /"error":"TypeError","message":"no such thing"/);
});

Deno.test("a batch of a thousand jobs with errors crosses the boundary", async () => {
  await using batches = await Batches.start({ batch: 1000, prefetch: 1000 });
  const jobs = Array.from({ length: 1000 }, () => ["later"]);
  await batches.stage.queue.sendAll(jobs);
  assert((await batches.runs()).length < 20);
  assertEquals(batches.left.length, 1000);
  assertEquals(batches.stage.queues.get("adder").deleted, []);
});
