/**
 * Queues with a schema: refused jobs, and the order of sends.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import {
  kwargs,
  Queue,
  SchemaError,
  type SendAllResult,
  type StandardSchema,
} from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { turn } from "../support/turn.ts";

const LIBRARIES: Record<string, StandardSchema<[string], unknown>> = {
  zod: z.tuple([z.string().regex(/^\d$/).transform(Number)]),
  valibot: v.tuple([v.pipe(v.string(), v.regex(/^\d$/), v.transform(Number))]),
  arktype: type(["string.numeric.parse"]),
};

for (const [library, schema] of Object.entries(LIBRARIES)) {
  Deno.test(`Queue({ schema }) of ${library} sends the input of what fits, and nothing else`, async () => {
    using queues = setUp({ silent: true });
    const queue = await Queue("orders", { schema });
    await assertRejects(
      () => queue("x"),
      SchemaError,
      "Cannot send job as it does not fit the schema:\nargs[0]: ",
    );
    await assertRejects(() => queue.send(["x"]), SchemaError);
    await queue("7");
    await queue.send(["8"]);
    assertEquals(queues.get("orders").jobs, [["7"], ["8"]]);
  });
}

Deno.test("Queue({ schema }) checks what its worker would get", async () => {
  using queues = setUp({ silent: true });
  const schema = z.tuple([z.iso.datetime(), z.strictObject({ x: z.number() })]);
  const queue = await Queue("orders", { schema, encoding: "base64" });
  const date = new Date(0);
  await queue(date as unknown as string, kwargs({ x: 1 }));
  assertEquals(queues.get("orders").jobs, [[date.toISOString(), { x: 1 }]]);
  const wrong = await Queue("orders", { schema: z.tuple([z.date()]) });
  await assertRejects(() => wrong(date), SchemaError, "expected date");
});

Deno.test("Queue({ schema, body }) checks one value", async () => {
  using queues = setUp({ silent: true });
  const order = z.object({ id: z.string(), note: z.string().default("none") });
  const orders = await Queue("orders", { body: "json", schema: order });
  await orders({ id: "a" });
  await assertRejects(
    () => orders({ id: 1 } as never),
    SchemaError,
    "\nbody.id: Invalid input: expected string, received number",
  );
  const lists = await Queue("lists", {
    body: "json",
    schema: z.array(z.string()),
  });
  await lists(["a", "b"]);
  const links = await Queue("links", { body: "text", schema: z.url() });
  await links("https://example.com");
  await assertRejects(() => links("x"), SchemaError, "\nbody: Invalid URL");
  assertEquals(queues.get("orders").bodies, ['{"id":"a"}']);
  assertEquals(queues.get("lists").bodies, ['["a","b"]']);
  assertEquals(queues.get("links").bodies, ["https://example.com"]);
});

Deno.test("Queue({ schema }) sends arguments as they were at the call", async () => {
  using queues = setUp({ silent: true });
  const { schema, end } = slow();
  const queue = await Queue("orders", { schema });
  const order = { id: "a" };
  const sent = queue(order);
  order.id = "b"; // After the call: too late.
  end({ id: "a" });
  await sent;
  assertEquals(queues.get("orders").jobs, [[{ id: "a" }]]);
});

Deno.test("Queue({ schema }).sendAll() reports a job that does not fit, and continues", async () => {
  using queues = setUp({ silent: true });
  const queue = await Queue("orders", { schema: z.tuple([z.number()]) });
  const results: SendAllResult[] = [];
  const jobs = [[1], ["2"], [3]] as [number][];
  const summary = await queue.sendAll(jobs, {
    onResult: (result) => results.push(result),
  });
  assertEquals(summary, { sent: 2, failed: 1 });
  assertEquals(
    results.map((result) =>
      result.status === "failed" ? result.error.name : result.index
    ),
    [0, "SchemaError", 2],
  );
  await assertRejects(() => queue.sendAll(jobs), SchemaError);
  assertEquals(queues.get("orders").jobs.slice(0, 3), [[1], [3], [1]]);
});

Deno.test("Queue({ schema }) rejects with the error of a schema that throws", async () => {
  using queues = setUp({ silent: true });
  const schema: StandardSchema<unknown[]> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: () => {
        throw new RangeError("broken");
      },
    },
  };
  const queue = await Queue("orders", { schema });
  await assertRejects(() => queue(), RangeError, "broken");
  assertEquals(queues.get("orders").jobs, []);
});

/** A schema whose checks end when a test ends them, by the job's argument. */
function slow() {
  const checks = new Map<string, PromiseWithResolvers<boolean>>();
  const check = (value: unknown) => {
    const key = JSON.stringify(value);
    const known = checks.get(key) ?? Promise.withResolvers<boolean>();
    checks.set(key, known);
    return known;
  };
  const schema: StandardSchema<unknown[]> = {
    "~standard": {
      version: 1,
      vendor: "test",
      async validate(value) {
        const job = value as unknown[];
        return await check(job[0]).promise
          ? { value: job }
          : { issues: [{ message: "refused" }] };
      },
    },
  };
  const end = (value: unknown, fits = true) => check(value).resolve(fits);
  return { schema, end };
}

Deno.test("Queue({ schema }) keeps the order of a group however long a check takes", async () => {
  using queues = setUp({ silent: true, queues: ["orders.fifo"] });
  const { schema, end } = slow();
  const queue = await Queue("orders.fifo", { schema });
  const send = (job: string, groupId = "g", signal?: AbortSignal) =>
    queue.send([job], { groupId, ...(signal && { signal }) });
  const abort = new AbortController();
  const first = send("first");
  const refused = send("refused");
  const aborted = send("aborted", "g", abort.signal);
  const last = send("last");
  const other = send("other", "h");
  const jobs = () => queues.get("orders.fifo").jobs.flat();

  end("last");
  end("other");
  await other;
  end("refused", false);
  await assertRejects(() => refused, SchemaError);
  abort.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  await turn();
  assertEquals(jobs(), ["other"]); // "last" waits for "first".
  end("first");
  await Promise.all([first, last]);
  assertEquals(jobs(), ["other", "first", "last"]);
  end("aborted");
  end("later");
  await send("later");
  assertEquals(jobs(), ["other", "first", "last", "later"]);
});

Deno.test("Queue({ schema }) keeps the order of quick checks behind a slow one", async () => {
  using queues = setUp({ silent: true, queues: ["orders.fifo"] });
  const held = Promise.withResolvers<{ value: unknown[] }>();
  const schema: StandardSchema<unknown[]> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) =>
        (value as unknown[])[0] === 0
          ? held.promise
          : { value: value as unknown[] },
    },
  };
  const queue = await Queue("orders.fifo", { schema });
  const jobs = Array.from({ length: 30 }, (_, i) => [i]);
  const sent = Promise.all(
    jobs.map((job) => queue.send(job, { groupId: "g" })),
  );
  await turn();
  assertEquals(queues.get("orders.fifo").jobs, []);
  held.resolve({ value: [] });
  await sent;
  assertEquals(queues.get("orders.fifo").jobs, jobs);
});

Deno.test("Queue({ schema }) lets quick checks pass slow ones without groups", async () => {
  using queues = setUp({ silent: true });
  const { schema, end } = slow();
  const queue = await Queue("orders", { schema });
  const first = queue("first");
  const second = queue("second");
  end("second");
  await second;
  end("first");
  await first;
  assertEquals(queues.get("orders").jobs, [["second"], ["first"]]);
});

Deno.test("Queue({ schema }).close() waits for checks", async () => {
  using queues = setUp({ silent: true });
  const { schema, end } = slow();
  const queue = await Queue("orders", { schema });
  const sent = queue("a");
  const closed = queue.close();
  end("a");
  await closed;
  assertEquals(queues.get("orders").jobs, [["a"]]);
  await sent;
});

for (
  const [schema, problem] of [
    [
      {},
      'as "schema" is an object: give a schema of zod, valibot, arktype or another',
    ],
    [
      { "~standard": { version: "2.0", validate() {} } },
      'as "schema" implements version "2.0" of Standard Schema',
    ],
  ] as [StandardSchema, string][]
) {
  Deno.test(`Queue() refuses a schema: ${problem}`, async () => {
    using _queues = setUp({ silent: true });
    await assertRejects(
      () => Queue("orders", { schema }),
      TypeError,
      `Cannot open queue ${problem}`,
    );
  });
}
