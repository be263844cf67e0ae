/**
 * Batches whose jobs a schema checks: each by itself, before the handler runs.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { z } from "zod";
import {
  type ContainerSettings,
  PartialBatchError,
  runContainer,
  type StandardSchema,
  TransientError,
  withSchema,
} from "../../container.ts";
import { kwargs, Queue, type QueueOptions } from "../../producer.ts";
import { setUp } from "../../testing.ts";

interface Run {
  readonly settings: Partial<ContainerSettings>;
  readonly jobs: readonly (readonly unknown[])[];
  readonly body?: NonNullable<QueueOptions["body"]>;
}

/** Sends jobs to a batch worker. Returns the failed jobs and the ones left. */
async function run({ settings, jobs, body = "job" }: Run) {
  await using queues = setUp({ silent: true });
  const queue = await Queue("orders", { body });
  await queue.sendAll(jobs);
  await runContainer({
    queue: "orders",
    failures: { queue: "failed" },
    batch: 10,
    body,
    ...settings,
  });
  await queues.advance(1);
  const failed = queues.get("failed").messages.map(({ args, attributes }) => {
    const { error } = JSON.parse(String(attributes["zsqs.failure"]));
    return `${error}: ${args?.[0]}`;
  });
  return { failed, left: queues.get("orders").jobs.map(([first]) => first) };
}

const SCHEMA = z.tuple([z.string().regex(/^\d$/).transform(Number)]);

Deno.test("jobs of a batch that do not fit fail alone, and never reach the handler", async () => {
  const got: unknown[] = [];
  const { failed, left } = await run({
    settings: {
      worker: () =>
        withSchema(SCHEMA, {
          handleBatch(jobs) {
            got.push(jobs.map(({ args, kwargs }) => ({ args, kwargs })));
          },
        }),
    },
    jobs: [["1"], ["x"], ["2"], [3]],
  });
  const kwargs = {};
  assertEquals(got, [[{ args: [1], kwargs }, { args: [2], kwargs }]]);
  assertEquals(failed, ["SchemaError: x", "SchemaError: 3"]);
  assertEquals(left, []);
});

Deno.test("a handler of batches does not run if no job fits", async () => {
  const handler = withSchema(SCHEMA, {
    handleBatch() {
      throw new Error("called");
    },
  });
  const { failed } = await run({ settings: handler, jobs: [["x"], ["y"]] });
  assertEquals(failed, ["SchemaError: x", "SchemaError: y"]);
});

Deno.test("the keyword arguments of a batch's jobs come last", async () => {
  const got: unknown[] = [];
  const schema = z.tuple([z.number(), z.object({ x: z.number() })]);
  await run({
    settings: withSchema(schema, {
      handleBatch: (jobs) => {
        got.push(...jobs.map(({ args }) => args));
      },
    }),
    jobs: [[1, kwargs({ x: 2 })]],
  });
  assertEquals(got, [[1, { x: 2 }]]);
});

/** A schema that throws for some jobs. */
const throwing: StandardSchema<[string]> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate(value) {
      const [text] = value as [string];
      if (text === "broken") throw new RangeError(text);
      if (text === "later") return Promise.reject(new TransientError(text));
      if (text === "x") return Promise.resolve({ issues: [] });
      return { value: [text] };
    },
  },
};

Deno.test("a schema that throws counts for its job alone", async () => {
  const got: unknown[] = [];
  const { failed, left } = await run({
    settings: withSchema(throwing, {
      handleBatch(jobs) {
        got.push(...jobs.map(({ args: [text] }) => text));
        throw new PartialBatchError([{
          job: jobs[1]!,
          error: new TypeError(),
        }]);
      },
    }),
    jobs: [["later"], ["a"], ["broken"], ["x"], ["b"], ["c"]],
  });
  assertEquals(got, ["a", "b", "c"]);
  assertEquals(failed.sort(), [
    "RangeError: broken",
    "SchemaError: x",
    "TypeError: b",
  ]);
  assertEquals(left, ["later"]);
});

Deno.test("values of JSON are checked one by one", async () => {
  const got: unknown[] = [];
  const order = z.object({ id: z.string() });
  const { failed } = await run({
    settings: withSchema(order, {
      handleBatch(jobs) {
        got.push(...jobs.map(({ args: [order] }) => order.id));
      },
    }),
    jobs: [[{ id: "a" }], [["b"]], [{ id: "c" }]],
    body: "json",
  });
  assertEquals(got, ["a", "c"]);
  assertEquals(failed.length, 1);
});
