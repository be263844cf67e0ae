/** `startContainer()`: what a program does with a running container. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  runContainer,
  type RunOptions,
  startContainer,
  TransientError,
} from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { turn } from "../support/turn.ts";

Deno.test("startContainer() runs a handler on the double until stop()", async () => {
  await using queues = setUp({ silent: true });
  const sums: number[] = [];
  const container = await startContainer({
    queue: "adder",
    handler: (a: number, b: number) => {
      sums.push(a + b);
    },
  });
  const queue = await Queue("adder");
  await queue(1, 2);
  assertEquals([sums, container.summary.done], [[3], 1]);

  assertEquals((await container.stop()).done, 1);
  assertEquals((await container.finished).done, 1);
  await queue(3, 4);
  assertEquals(sums, [3]);
  assertEquals(queues.get("adder").messages.length, 1);
});

Deno.test("startContainer() takes an object with a handle method, and leaves it undisposed", async () => {
  const calls: unknown[] = [];
  const handler = {
    scale: 2,
    handle(a: number) {
      calls.push(this.scale * a);
    },
    [Symbol.dispose]() {
      calls.push("disposed");
    },
  };
  await using _queues = setUp({ silent: true });
  {
    await using _container = await startContainer({ queue: "adder", handler });
    await (await Queue("adder"))(3);
  }
  assertEquals(calls, [6]);
});

Deno.test("startContainer() disposes the worker once at the end of its scope", async () => {
  const disposed: string[] = [];
  await using _queues = setUp({ silent: true });
  {
    await using _container = await startContainer({
      queue: "adder",
      worker: (name: string) => ({
        handle() {},
        [Symbol.dispose]: () => disposed.push(name),
      }),
      workerConfig: "the worker",
    });
  }
  assertEquals(disposed, ["the worker"]);
});

Deno.test("startContainer() stops on the double when its signal aborts", async () => {
  await using _queues = setUp({ silent: true });
  const stop = new AbortController();
  const { finished } = await startContainer(
    { queue: "adder", handler: () => {} },
    { signal: stop.signal },
  );
  stop.abort();
  assertEquals((await finished).done, 0);
});

Deno.test("startContainer() takes an ini file", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/adder.ini`,
    "[container]\nworker = w.ts\nqueue = adder\n",
  );
  await Deno.writeTextFile(
    `${folder}/w.ts`,
    "export default () => () => {};\n",
  );
  await using queues = setUp({ silent: true });
  await using container = await startContainer(`${folder}/adder.ini`);
  await (await Queue("adder"))();
  assertEquals([container.summary.done, queues.get("adder").messages], [1, []]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a paused container on the double receives again after resume()", async () => {
  await using _queues = setUp({ silent: true });
  const jobs: number[] = [];
  await using container = await startContainer({
    queue: "adder",
    handler: (n: number) => {
      jobs.push(n);
      if (n === 0) throw new TransientError();
    },
  });
  const queue = await Queue("adder");
  container.pause();
  await queue(1);
  assertEquals(jobs, []);
  container.resume();
  await turn();
  assertEquals(jobs, [1]);
  await queue(2);
  assertEquals(jobs, [1, 2]);
});

Deno.test("stop() on the double lets a running job finish before it disposes the worker", async () => {
  await using _queues = setUp({ silent: true });
  const events: string[] = [];
  const { promise: work, resolve: finish } = Promise.withResolvers<void>();
  const container = await startContainer({
    queue: "adder",
    worker: () => ({
      async handle() {
        await work;
        events.push("done");
      },
      [Symbol.dispose]: () => events.push("disposed"),
    }),
  });
  const sent = (await Queue("adder"))();
  await turn();
  const stopped = container.stop();
  await turn();
  assertEquals(events, []);
  finish();
  assertEquals((await stopped).done, 1);
  assertEquals(events, ["done", "disposed"]);
  await sent;
});

Deno.test("a forced stop() on the double releases a running job", async () => {
  await using queues = setUp({ silent: true });
  const { promise: never } = Promise.withResolvers<void>();
  const container = await startContainer({
    queue: "adder",
    handler: () => never,
  });
  const sent = (await Queue("adder"))();
  await turn();
  const { done, released } = await container.stop({ force: true });
  assertEquals([done, released], [0, 1]);
  await sent;
  assertEquals(queues.get("adder").messages.length, 1);
});

Deno.test("startContainer() and stop() refuse unknown options", async () => {
  await using _queues = setUp({ silent: true });
  const settings = { queue: "adder", handler: () => {} };
  for (const start of [startContainer, runContainer]) {
    await assertRejects(
      () => start(settings, { drian: true } as RunOptions),
      TypeError,
      'Cannot start container as "drian" is not an option: did you mean "drain"?',
    );
  }
  await using container = await startContainer(settings);
  assertThrows(
    () => container.stop({ forced: true } as object),
    TypeError,
    'Cannot stop container as "forced" is not an option',
  );
});
