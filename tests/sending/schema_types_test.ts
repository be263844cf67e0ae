/**
 * The types that schemas of zod, valibot and arktype give to producers and
 * handlers.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import {
  type ContainerSettings,
  type Job,
  type JobArgs,
  type StandardSchema,
  withSchema,
  type WorkerConfig,
} from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";

type Input = [id: string, quantity: string];
type Output = [id: string, quantity: number];

/** Each makes a number of its second argument. */
const SCHEMAS = {
  zod: z.tuple([z.string(), z.string().transform(Number)]),
  valibot: v.tuple([v.string(), v.pipe(v.string(), v.transform(Number))]),
  arktype: type(["string", "string.numeric.parse"]),
};

Deno.test("Queue({ schema }) takes the types of its arguments from the schema's input", async () => {
  using _queues = setUp({ silent: true });
  const zod = await Queue("orders", { schema: SCHEMAS.zod });
  const valibot = await Queue("orders", { schema: SCHEMAS.valibot });
  const arktype = await Queue("orders", { schema: SCHEMAS.arktype });
  assertType<IsExact<Parameters<typeof zod>, Input>>(true);
  assertType<IsExact<Parameters<typeof valibot>, Input>>(true);
  assertType<IsExact<Parameters<typeof arktype>, Input>>(true);
  await zod("a", "1");
  await zod.send(["a", "1"], { delaySeconds: 0 });
  await zod.sendAll([["a", "1"], { args: ["a", "1"] }]);
  // @ts-expect-error the second argument is a string before the check
  await zod("a", 1).catch(() => {});
  // @ts-expect-error the second argument is missing
  await zod.send(["a"]).catch(() => {});
});

Deno.test("Queue({ schema }) takes optional and further arguments from the schema", async () => {
  using _queues = setUp({ silent: true });
  const rest = await Queue("orders", {
    schema: z.tuple([z.string()]).rest(z.number()),
  });
  assertType<IsExact<Parameters<typeof rest>, [string, ...number[]]>>(true);
  const optional = await Queue("orders", {
    schema: z.tuple([z.string(), z.number().optional()]),
  });
  await optional("a");
  await optional("a", 1);
});

Deno.test("Queue({ schema, body }) takes one value of the schema's input", async () => {
  using _queues = setUp({ silent: true });
  const schema = z.object({ quantity: z.string().transform(Number) });
  const orders = await Queue("orders", { body: "json", schema });
  type Orders = Queue<[value: { quantity: string }]>;
  assertType<IsExact<typeof orders, Orders>>(true);
  const list = await Queue("lists", { body: "json", schema: SCHEMAS.zod });
  assertType<IsExact<typeof list, Queue<[value: Input]>>>(true);
  const text = await Queue("texts", { body: "text", schema: v.string() });
  assertType<IsExact<typeof text, Queue<[value: string]>>>(true);
  await Queue<[{ quantity: string }]>("orders", { body: "json", schema });
});

Deno.test("Queue<Args>({ schema }) holds the schema to the types that are given", async () => {
  using _queues = setUp({ silent: true });
  await Queue<[string, string]>("orders", { schema: SCHEMAS.zod });
  const { schema }: { schema: StandardSchema } = { schema: SCHEMAS.zod };
  const untyped = await Queue("orders", { schema });
  assertType<IsExact<typeof untyped, Queue>>(true);
});

Deno.test("withSchema() gives the handler the types of the schema's output", () => {
  withSchema(SCHEMAS.zod, (...args) => {
    assertType<IsExact<typeof args, Output>>(true);
  });
  withSchema(SCHEMAS.valibot, (id, quantity) => {
    assertType<IsExact<[typeof id, typeof quantity], Output>>(true);
  });
  withSchema(SCHEMAS.arktype, (id, quantity) => {
    assertType<IsExact<[typeof id, typeof quantity], Output>>(true);
  });
  withSchema(SCHEMAS.zod, {
    handle(id, quantity) {
      assertType<IsExact<[typeof id, typeof quantity], Output>>(true);
    },
  });
  // @ts-expect-error the second argument is a number after the check
  withSchema(SCHEMAS.zod, (_id: string, _quantity: string) => {});
  // @ts-expect-error there are two arguments
  withSchema(SCHEMAS.zod, (_a: string, _b: number, _c: number) => {});
});

Deno.test("withSchema() gives a handler of one value the type of the output", () => {
  const order = { id: z.string(), quantity: z.string().transform(Number) };
  withSchema(z.object(order), (value) => {
    assertType<IsExact<typeof value, { id: string; quantity: number }>>(true);
  });
  withSchema(v.object({ id: v.string() }), ({ id }) => {
    assertType<IsExact<typeof id, string>>(true);
  });
  withSchema(type({ id: "string" }), {
    handle(value) {
      assertType<IsExact<typeof value, { id: string }>>(true);
    },
  });
  withSchema(z.array(z.string()), (names: string[]) => names.join());
  withSchema(z.array(z.string()), (...names) => {
    assertType<IsExact<typeof names, string[]>>(true);
  });
});

Deno.test("JobArgs takes the types of a schema's input", () => {
  const handler = withSchema(SCHEMAS.zod, (_id, _quantity) => {});
  const factory = (_config: WorkerConfig) => handler;
  const asyncFactory = async (_config: WorkerConfig) =>
    await Promise.resolve(withSchema(SCHEMAS.valibot, () => {}));
  class Field {
    constructor(_config: WorkerConfig) {}
    handle = withSchema(SCHEMAS.zod, (_id, _quantity) => {});
  }
  const object = () => withSchema(SCHEMAS.zod, { handle(_id, _quantity) {} });
  assertType<IsExact<JobArgs<typeof handler>, Input>>(true);
  assertType<IsExact<JobArgs<typeof factory>, Input>>(true);
  assertType<IsExact<JobArgs<typeof asyncFactory>, Input>>(true);
  assertType<IsExact<JobArgs<typeof Field>, Input>>(true);
  assertType<IsExact<JobArgs<typeof object>, Input>>(true);
});

Deno.test("withSchema() gives the jobs of a batch the types of the output", () => {
  const batch = withSchema(SCHEMAS.zod, {
    handleBatch(jobs, { signal }) {
      assertType<IsExact<typeof signal, AbortSignal>>(true);
      for (const { args } of jobs) {
        assertType<IsExact<typeof args, Output>>(true);
      }
    },
  });
  assertType<IsExact<JobArgs<() => typeof batch>, Input>>(true);
  const settings: ContainerSettings = { queue: "orders", batch: 2, ...batch };
  const value = withSchema(z.object({ id: z.coerce.date() }), {
    handleBatch(jobs) {
      for (const { args: [order] } of jobs) order.id.getTime();
    },
  });
  const list = withSchema(z.array(z.string()), {
    handleBatch: (jobs: Job<[string[]]>[]) => jobs.flatMap(({ args }) => args),
  });
  assertType<IsExact<JobArgs<() => typeof list>, [string[]]>>(true);
  assertEquals([settings.batch, value.handleBatch.name], [2, "handleBatch"]);
});

Deno.test("JobArgs takes the type of one value", () => {
  const order = z.object({ quantity: z.string().transform(Number) });
  type Order = [{ quantity: string }];
  const value = () => withSchema(order, (_order) => {});
  assertType<IsExact<JobArgs<typeof value>, Order>>(true);
  const list = () => withSchema(z.array(z.string()), (_all: string[]) => {});
  assertType<IsExact<JobArgs<typeof list>, [string[]]>>(true);
  const object = () =>
    withSchema(z.array(z.string()), { handle(_all: string[]) {} });
  assertType<IsExact<JobArgs<typeof object>, [string[]]>>(true);
  const named = SCHEMAS.zod.transform(([id, quantity]) => ({ id, quantity }));
  const job = () => withSchema(named, ({ id, quantity }) => [id, quantity]);
  assertType<IsExact<JobArgs<typeof job>, Input>>(true);
});
