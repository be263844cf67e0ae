/**
 * The same events for a function of zsqs and one of AWS Lambda Powertools, each
 * in a new process. Both return the same messages, and run the same jobs.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { currentJob, lambdaHandler, type SqsRecord } from "../../lambda.ts";
import { TestProcess } from "../support/server.ts";
import { record, returned, withTime } from "../support/trigger.ts";
import { Dice } from "../support/dice.ts";
import { JobCalls } from "./peer_job.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

const SILENT = "<logger>\n level CRITICAL\n</logger>";

interface Ran {
  readonly left: string[];
  /** The ids of the jobs that ran. */
  readonly calls: string[];
}

async function runZsqs(Records: readonly SqsRecord[]): Promise<Ran> {
  const calls = new JobCalls();
  const handler = lambdaHandler(
    () => (what: string) => calls.run(currentJob().messageId, what),
    { loggers: SILENT, failures: "keep" },
  );
  const left = await returned(handler({ Records }, withTime(30_000)));
  return { left, calls: calls.ids };
}

async function runPowertools(
  Records: readonly SqsRecord[],
  kind: "standard" | "fifo",
): Promise<Ran> {
  await using run = new TestProcess(
    ["run", "-q", "-A", "tests/lambda/powertools.ts", kind],
    {
      cwd: ROOT,
      stdin: JSON.stringify({ Records }),
      env: { AWS_REGION: "us-east-1", POWERTOOLS_DEV: "true" },
    },
  );
  assertEquals(await run.status(), 0, run.stderr);
  const { batchItemFailures, calls } = JSON.parse(run.stdout);
  const left = batchItemFailures.map(
    ({ itemIdentifier }: { itemIdentifier: string }) => itemIdentifier,
  );
  return { left: [...new Set<string>(left)], calls };
}

/** The ids of each group's jobs in the order in which they ran. */
function byGroup(records: readonly SqsRecord[], ids: readonly string[]) {
  const groups = new Map(
    records.map(({ messageId, attributes }) => [
      messageId,
      attributes.MessageGroupId ?? messageId,
    ]),
  );
  const entries = Object.entries(Object.groupBy(ids, (id) => groups.get(id)!));
  return Object.fromEntries(entries.sort());
}

/** Records whose jobs do as they are told: `id: what`, in groups by `id[0]`. */
function records(
  kind: "standard" | "fifo",
  jobs: readonly string[],
): SqsRecord[] {
  return jobs.map((job) => {
    const [id, what] = job.split(": ");
    return record(
      id!,
      [what],
      kind === "standard" ? {} : {
        queue: "adder.fifo",
        groupId: id![0]!,
      },
    );
  });
}

/** Ten jobs of three groups, drawn by a seed. */
function drawn(seed: number): string[] {
  const dice = new Dice(seed);
  return Array.from({ length: 10 }, (_, i) => {
    const what = dice.pick(["returns", "waits", "returns", "fails"]);
    return `${dice.pick(["a", "b", "c"])}${i}: ${what}`;
  });
}

const EVENTS: Readonly<Record<string, readonly string[]>> = {
  "all jobs are done": ["a1: returns", "b1: waits"],
  "all jobs fail": ["a1: fails", "a2: fails", "b1: fails"],
  "one job": ["a1: fails"],
  "drawn by seed 1": drawn(1),
  "drawn by seed 2": drawn(2),
};

for (const kind of ["standard", "fifo"] as const) {
  for (const [name, jobs] of Object.entries(EVENTS)) {
    Deno.test(`a ${kind} queue as with Powertools: ${name}`, async () => {
      const event = records(kind, jobs);
      const [own, peer] = [
        await runZsqs(event),
        await runPowertools(event, kind),
      ];
      const inOrder = event.map(({ messageId }) => messageId)
        .filter((id) => peer.left.includes(id));
      assertEquals(own.left, inOrder);
      assertEquals(byGroup(event, own.calls), byGroup(event, peer.calls));
    });
  }
}

Deno.test("a standard queue as with Powertools: records of one id", async () => {
  const jobs = ["a1: returns", "a1: fails", "b1: returns"];
  const event = records("standard", jobs);
  const peer = await runPowertools(event, "standard");
  assertEquals((await runZsqs(event)).left, peer.left);
});
