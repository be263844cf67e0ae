/**
 * Batches on the testing double: how they gather, run and end.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { stub } from "@std/testing/mock";
import {
  type BatchOptions,
  ConfigError,
  type ContainerSettings,
  currentJob,
  getLogger,
  type Job,
  PartialBatchError,
  PermanentError,
  runContainer,
  startContainer,
  TransientError,
} from "../../container.ts";
import { Queue } from "../../producer.ts";
import {
  setUp,
  type TestQueueOptions,
  type TestQueues,
} from "../../testing.ts";

type Row = string | number;
type Handle = (jobs: Job<[Row]>[], options: BatchOptions) => unknown;

/** A line of the log. */
interface Line {
  readonly level: string;
  readonly logger: string;
  readonly message: string;
  readonly queue?: string;
  readonly messageId?: string;
}

/** A queue of rows, and a batch worker. */
class Stage implements AsyncDisposable {
  readonly queues: TestQueues;
  /** The jobs of each run. */
  readonly runs: string[] = [];
  readonly log: Line[] = [];
  readonly #name: string;
  readonly #print = stub(console, "error", (line: string) => {
    this.log.push(JSON.parse(line));
  });

  private constructor(queue: TestQueueOptions) {
    this.queues = setUp({
      silent: true,
      queues: [queue, "failed", "failed.fifo"],
    });
    this.#name = queue.name;
  }

  static async start(
    handle: Handle,
    settings: Partial<ContainerSettings> = {},
    queue: TestQueueOptions = { name: "rows" },
  ): Promise<Stage> {
    const stage = new Stage(queue);
    await runContainer({
      queue: queue.name,
      batch: 10,
      handleBatch: (jobs, options) => {
        stage.runs.push(jobs.map(({ args }) => args[0]).join(" "));
        return handle(jobs, options);
      },
      loggers: "json",
      ...settings,
    });
    return stage;
  }

  /** Sends jobs together; on FIFO queues, `a1` goes to group `a`. */
  async send(...jobs: Row[]): Promise<void> {
    const queue = await Queue(this.#name);
    const isFifo = this.#name.endsWith(".fifo");
    const { failed } = await queue.sendAll(jobs.map((job) => ({
      args: [job],
      ...(isFifo ? { groupId: String(job)[0]! } : {}),
    })));
    assertEquals(failed, 0);
  }

  /** The jobs in the queue. */
  get left(): string {
    return this.queues.get(this.#name).jobs.flat().join(" ");
  }

  get deleted(): string {
    return this.queues.get(this.#name).deleted.map(({ args }) => args![0])
      .join(" ");
  }

  get failed(): string {
    const type = this.#name.endsWith(".fifo") ? ".fifo" : "";
    return this.queues.get(`failed${type}`).jobs.flat().join(" ");
  }

  /** The messages of a level. */
  lines(level: string): string[] {
    return this.log.filter((line) => line.level === level)
      .map(({ message }) => message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.queues[Symbol.asyncDispose]();
    this.#print.restore();
  }
}

const FAILURES = { failures: { queue: "failed" } } as const;
const FIFO = { name: "rows.fifo" };
const FIFO_FAILURES = { failures: { queue: "failed.fifo" } } as const;

/** Throws if a batch has one of these jobs. */
function bad(...rows: Row[]): Handle {
  return (jobs) => {
    const found = jobs.find(({ args }) => rows.includes(args[0]));
    if (found !== undefined) throw new Error(`row ${found.args[0]} is bad`);
  };
}

/** A handler that names failed jobs with their errors. */
function partial(errors: Record<string, unknown>): Handle {
  return (jobs) => {
    const failed = jobs.filter(({ args }) => String(args[0]) in errors);
    if (failed.length === 0) return;
    throw new PartialBatchError(
      failed.map((job) => ({ job, error: errors[String(job.args[0])] })),
    );
  };
}

Deno.test("a send runs a batch of the jobs that are there", async () => {
  await using stage = await Stage.start(() => {});
  await stage.send(1);
  await stage.send(2, 3, 4);
  assertEquals(stage.runs, ["1", "2 3 4"]);
  await stage.send(...Array.from({ length: 23 }, (_, i) => i));
  assertEquals(stage.runs.slice(2).map((run) => run.split(" ").length), [
    10,
    10,
    3,
  ]);
  assertEquals(stage.left, "");
});

Deno.test("a batch handler gets jobs and a signal, and no current job", async () => {
  const seen: unknown[] = [];
  const log = getLogger("rows");
  await using stage = await Stage.start((jobs, { signal }) => {
    const [job] = jobs;
    seen.push(job!.queue, job!.receiveCount, job!.kwargs, job!.sentAt);
    seen.push(job!.signal === signal, signal.aborted);
    try {
      currentJob();
    } catch (error) {
      seen.push((error as Error).message);
    }
    log.info("inserting");
  });
  await stage.send(1);
  assertEquals(seen.toSpliced(3, 1), [
    "rows",
    1,
    {},
    true,
    false,
    "No current job in a batch: use the jobs that handleBatch() gets",
  ]);
  const [line] = stage.log.filter(({ logger }) => logger === "rows");
  assertEquals(line?.queue, "rows");
  assertEquals(line?.messageId, undefined);
});

Deno.test("a factory and a class make batch workers", async () => {
  class Rows {
    readonly #rows: Row[];
    constructor({ rows }: { rows: Row[] }) {
      this.#rows = rows;
    }
    handleBatch(jobs: Job<[Row]>[]): void {
      this.#rows.push(...jobs.map(({ args }) => args[0]));
    }
  }
  for (const worker of [Rows, (config: { rows: Row[] }) => new Rows(config)]) {
    await using queues = setUp({ silent: true });
    const rows: Row[] = [];
    const workerConfig = { rows };
    await runContainer({ queue: "rows", worker, workerConfig, batch: 2 });
    await (await Queue("rows")).sendAll([[1], [2], [3]]);
    assertEquals(rows, [1, 2, 3]);
    assertEquals(queues.get("rows").deleted.length, 3);
  }
});

Deno.test("worker and `batch` must fit", async () => {
  await using _queues = setUp({ silent: true });
  const handleBatch = () => {};
  const refused = async (settings: Partial<ContainerSettings>) => {
    const error = await assertRejects(
      () => startContainer({ queue: "rows", ...settings }),
      ConfigError,
    );
    return error.message.replace("Cannot start container as ", "");
  };
  function rows() {
    return { handleBatch };
  }
  function adder() {
    return () => {};
  }
  assertEquals(
    await refused({ worker: rows }),
    'worker "rows" takes batches: set "batch" to the largest number of jobs in one',
  );
  assertEquals(
    await refused({ worker: adder, batch: 10 }),
    'worker "adder" returned a function, but "batch" is set: return an object with a "handleBatch" method, or remove "batch"',
  );
  assertEquals(
    await refused({ handleBatch }),
    '"handleBatch" needs "batch", the largest number of jobs in a batch',
  );
  assertEquals(
    await refused({ handler: () => {}, batch: 10 }),
    '"batch" must not be given together with "handler": give "handleBatch", which takes an array of jobs',
  );
  assertEquals(
    await refused({ handler: () => {}, batchWaitSeconds: 3 }),
    '"batchWaitSeconds" needs "batch", the largest number of jobs in a batch',
  );
  assertEquals(
    await refused({ handleBatch, batch: 1000, concurrency: 20 }),
    '"batch" times "concurrency" plus "prefetch" must be at most 20000: it is 21000',
  );
  assertEquals(
    await refused({ handleBatch, batch: 0 }),
    '"batch" must be an integer from 1 to 1000: current value is 0',
  );
  assertEquals(
    await refused({ handleBatch: 3 as never, batch: 1 }),
    '"handleBatch" must be a function that takes an array of jobs: current value is 3',
  );
  assertEquals(
    await refused({ handleBatch, worker: rows, batch: 1 }),
    '"worker" must not be given together with "handleBatch": give one of them',
  );
});

Deno.test("a batch that throws is halved until the bad job is alone", async () => {
  await using stage = await Stage.start(bad(3), FAILURES);
  await stage.send(1, 2, 3, 4, 5, 6, 7, 8);
  assertEquals(stage.runs, [
    "1 2 3 4 5 6 7 8",
    "1 2 3 4",
    "5 6 7 8",
    "1 2",
    "3 4",
    "3",
    "4",
  ]);
  assertEquals(stage.failed, "3");
  assertEquals(stage.left, "");
  const [error, ...others] = stage.lines("ERROR");
  assertEquals(others, []);
  assertMatch(
    error!,
    /^Handling a message failed: rows, message \S+, receive 1/,
  );
  const [halves] = stage.lines("INFO")
    .filter((line) => line.startsWith("A batch of"));
  assertMatch(
    halves!,
    /^A batch of 8 jobs failed; running its halves to find the cause: rows, message \S+, receive 1;.*: row 3 is bad$/,
  );
});

Deno.test("a PermanentError of a batch is one of a job, too", async () => {
  await using stage = await Stage.start((jobs) => {
    if (jobs.some(({ args }) => args[0] === 2)) throw new PermanentError("no");
  }, { ...FAILURES });
  await stage.send(1, 2);
  assertEquals(stage.runs, ["1 2", "1", "2"]);
  assertEquals(stage.failed, "2");
});

Deno.test("all jobs stay if a batch throws a TransientError or NotCapable", async () => {
  await using stage = await Stage.start((jobs) => {
    const { receiveCount } = jobs[0]!;
    if (receiveCount === 1) {
      throw new TransientError("later", { delaySeconds: 5 });
    }
    if (receiveCount === 2) throw new Deno.errors.NotCapable("no");
  }, FAILURES);
  await stage.send(1, 2, 3);
  assertEquals(stage.left, "1 2 3");
  await stage.queues.advance(5);
  assertEquals(stage.left, "1 2 3");
  await stage.queues.advance(30);
  assertEquals([stage.left, stage.failed], ["", ""]);
  assertEquals(stage.runs, ["1 2 3", "1 2 3", "1 2 3"]);
});

Deno.test("a PartialBatchError fails the jobs that it names, each as its error says", async () => {
  await using stage = await Stage.start(
    partial({
      2: new Error("bad"),
      3: new TransientError("later", { delaySeconds: 7 }),
      5: new PermanentError("never"),
    }),
    FAILURES,
  );
  await stage.send(1, 2, 3, 4, 5);
  assertEquals(stage.runs, ["1 2 3 4 5"]);
  assertEquals(stage.failed, "2 5");
  assertEquals(stage.left, "3");
  const reason = stage.queues.get("failed").messages[0]!.attributes;
  assertStringIncludes(String(reason["zsqs.failure"]), '"message":"bad"');
  await stage.queues.advance(7);
  assertEquals(stage.runs[1], "3");
});

Deno.test("a wrong PartialBatchError is an error of the worker: all jobs stay", async () => {
  const wrong: Handle[] = [
    () => {
      throw new PartialBatchError([]);
    },
    ([job]) => {
      const error = new Error("bad");
      throw new PartialBatchError([{ job: job!, error }, { job: job!, error }]);
    },
    () => {
      const job = { messageId: "another" };
      throw new PartialBatchError([{ job, error: new Error("bad") }]);
    },
    () => {
      throw new PartialBatchError(undefined as never);
    },
    () => {
      throw new PartialBatchError([null as never]);
    },
  ];
  for (const handle of wrong) {
    await using stage = await Stage.start(handle, FAILURES);
    await stage.send(1, 2, 3);
    assertEquals(stage.runs, ["1 2 3"]);
    assertEquals([stage.left, stage.failed], ["1 2 3", ""]);
    assert(stage.lines("ERROR").length >= 1);
  }
});

Deno.test("what a batch handler returns is ignored, except for code that did not run", async () => {
  await using stage = await Stage.start((jobs) => {
    return jobs[0]!.args[0] === 1 ? [jobs] : (function* () {})();
  });
  await stage.send(1);
  await stage.send(2);
  assertEquals([stage.deleted, stage.left], ["1", "2"]);
});

Deno.test("if all four quarters throw, all jobs stay with one ERROR, until receive 3", async () => {
  let isDown = true;
  await using stage = await Stage.start(() => {
    if (isDown) throw new Error("no database");
  }, { ...FAILURES, batch: 20, prefetch: 0, concurrency: 1 });
  await stage.send(1, 2, 3, 4, 5, 6, 7, 8);
  assertEquals(stage.runs.length, 7);
  assertEquals(stage.left, "1 2 3 4 5 6 7 8");
  const [error, ...others] = stage.lines("ERROR");
  assertEquals(others, []);
  assertMatch(
    error!,
    /^All parts of a batch failed, so that no single job is the cause; 8 jobs will be received again: rows, message /,
  );
  await stage.queues.advance(30);
  assertEquals(stage.failed, "");
  isDown = false;
  await stage.queues.advance(30);
  assertEquals([stage.left, stage.failed], ["", ""]);

  isDown = true;
  await stage.send(11, 12, 13, 14);
  await stage.queues.advance(30);
  assertEquals(stage.failed, "");
  await stage.queues.advance(30);
  assertEquals(stage.failed, "11 12 13 14");
});

Deno.test("bodies that nobody can read never reach a batch handler", async () => {
  await using stage = await Stage.start(bad("2"), {
    ...FAILURES,
    body: "json",
  });
  const queue = await Queue<[unknown]>("rows", { body: "text" });
  await queue.sendAll([['"1"'], ["{"], ['"2"'], ["}"]]);
  assertEquals(stage.runs, ["1 2", "1", "2"]);
  const failed = stage.queues.get("failed").bodies;
  assertEquals(failed.toSorted(), ['"2"', "{", "}"]);
  assertEquals(stage.left, "");
});

Deno.test("FIFO: the earlier part is settled before a later one runs", async () => {
  await using stage = await Stage.start(
    (jobs) => {
      deletedBefore.push(stage.deleted);
      return bad("a3")(jobs, { signal: new AbortController().signal });
    },
    FIFO_FAILURES,
    FIFO,
  );
  const deletedBefore: string[] = [];
  await stage.send("a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8");
  assertEquals(stage.runs, [
    "a1 a2 a3 a4 a5 a6 a7 a8",
    "a1 a2 a3 a4",
    "a1 a2",
    "a3 a4",
    "a3",
    "a4",
    "a5 a6 a7 a8",
  ]);
  assertEquals(deletedBefore, [
    "",
    "",
    "",
    "a1 a2",
    "a1 a2",
    "a1 a2 a3",
    "a1 a2 a3 a4",
  ]);
  assertEquals(stage.failed, "a3");
});

Deno.test("FIFO: if an earlier job stays, later jobs of its group are released, even if done", async () => {
  await using stage = await Stage.start(
    partial({ a2: new TransientError("later", { delaySeconds: 60 }) }),
    {},
    FIFO,
  );
  await stage.send("a1", "a2", "b1", "a3", "b2");
  assertEquals(stage.runs, ["a1 a2 b1 a3 b2"]);
  assertEquals(stage.left, "a2 a3");
  assertEquals(stage.deleted.split(" ").toSorted().join(" "), "a1 b1 b2");
});

Deno.test("FIFO: jobs behind a bad one that stays do not run, others do", async () => {
  await using stage = await Stage.start(
    bad("a2"),
    { failures: "keep" },
    FIFO,
  );
  await stage.send("a1", "a2", "a3", "b1", "a4", "b2");
  assertEquals(stage.runs, [
    "a1 a2 a3 b1 a4 b2",
    "a1 a2 a3",
    "a1 a2",
    "a1",
    "a2",
    "b1 b2",
  ]);
  assertEquals(stage.left, "a2 a3 a4");
});

Deno.test("FIFO: bad jobs at the head of a batch are no outage", async () => {
  await using stage = await Stage.start(
    bad("a1", "a2"),
    FIFO_FAILURES,
    FIFO,
  );
  await stage.send("a1", "a2", "a3", "a4", "a5");
  assertEquals([stage.left, stage.failed], ["", "a1 a2"]);
  assertEquals(stage.deleted, "a1 a2 a3 a4 a5");
});

Deno.test("FIFO: in an outage all jobs stay, with one ERROR", async () => {
  await using stage = await Stage.start(
    () => {
      throw new Error("no database");
    },
    FIFO_FAILURES,
    FIFO,
  );
  await stage.send("a1", "a2", "a3", "a4", "b1", "c1");
  assertEquals([stage.left, stage.failed], ["a1 a2 a3 a4 b1 c1", ""]);
  assertEquals(stage.lines("ERROR").length, 1);
});

Deno.test("a batch whose send comes from its own handler does not wait for it", async () => {
  await using stage = await Stage.start(async (jobs) => {
    if (jobs[0]!.args[0] === 1) await stage.send(2);
  });
  await stage.send(1);
  assertEquals(stage.runs, ["1", "2"]);
});
