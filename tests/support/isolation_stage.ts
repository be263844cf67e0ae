/**
 * What tests of isolation share: a container with processes for its jobs, on
 * the double, and a server that jobs tell where they are.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type ContainerSettings, runContainer } from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp, type TestQueues } from "../../testing.ts";
import { Folder } from "./cli.ts";

/** The module of the workers. */
export const WORKER: string = fileURLToPath(
  new URL("../isolation/isolated_worker.ts", import.meta.url),
);

/** Variables that `tools/test.ts` sets, and that a job's process must not have. */
export const SECRETS: readonly string[] = [
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "ZSQS_TEST_OWN",
];

/** Between two looks at a log, which leave the processor to child processes. */
const LOOK_AGAIN_MS = 5;

/** A container on the double, whose jobs run in child processes. */
export class Stage implements AsyncDisposable {
  readonly folder: Folder;
  readonly queues: TestQueues;
  readonly queue: Queue;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    folder: Folder,
    queues: TestQueues,
    queue: Queue,
  ) {
    this.#stack = stack;
    this.folder = folder;
    this.queues = queues;
    this.queue = queue;
  }

  static async start(
    worker: string,
    settings: Partial<ContainerSettings> = {},
    files: Record<string, string> = {},
  ): Promise<Stage> {
    const stack = new AsyncDisposableStack();
    try {
      const folder = stack.use(await Folder.with({ log: "", ...files }));
      const queues = stack.use(setUp({ silent: true }));
      await runContainer({
        worker: `${WORKER}:${worker}`,
        queue: "adder",
        isolation: "process",
        loggers:
          `<logger>\nlevel DEBUG\n<logfile>\npath ${folder.at("log")}\n` +
          "format %(levelname)s %(name)s %(message)s\n</logfile>\n</logger>",
        ...settings,
      });
      const queue = await Queue("adder");
      return new Stage(stack.move(), folder, queues, queue);
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  /** All that was logged, with the ids of messages as ID. */
  async log(): Promise<string> {
    return (await this.folder.read("log"))
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ID");
  }

  /** Waits until a text is logged. */
  async logged(text: string): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!(await this.log()).includes(text)) {
      if (Date.now() > deadline) {
        throw new Error(`Not logged: ${text}\n${await this.log()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }

  /** Runs a job, and returns the lines logged meanwhile. */
  async do(...args: unknown[]): Promise<string> {
    const before = (await this.log()).length;
    await this.queue(...args);
    return (await this.log()).slice(before).trimEnd();
  }

  /** Does a job that logs a value, and tells it. */
  async value(what: string, ...args: unknown[]): Promise<unknown> {
    const text = await this.do(what, ...args);
    const prefix = `INFO worker ${what}: `;
    if (!text.startsWith(prefix)) throw new Error(text);
    const value = text.slice(prefix.length);
    return value === "done" ? undefined : JSON.parse(value);
  }

  /** The bodies in the queue. */
  get left(): readonly string[] {
    return this.queues.get("adder").bodies;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** A server that jobs tell where they are; a test may let them wait. */
export class Reports implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #told: string[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #next = Promise.withResolvers<void>();
  /** Awaited before a job is answered that tells this. */
  readonly holds = new Map<string, Promise<unknown>>();

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const text = await request.text();
        this.#told.push(text);
        this.#next.resolve();
        // A test that fails holds nothing any more.
        const hold = this.holds.get(text.split(" ")[0]!);
        await Promise.race([hold, this.#closed.promise]);
        return new Response("go on", { headers: { connection: "close" } });
      },
    );
  }

  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  get url(): string {
    return `http://${this.host}/`;
  }

  /** Takes the next text that was told, in words. */
  async next(): Promise<string[]> {
    while (this.#told.length === 0) {
      await this.#next.promise;
      this.#next = Promise.withResolvers();
    }
    return this.#told.shift()!.split(" ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.resolve();
    await this.#server.shutdown();
  }
}
