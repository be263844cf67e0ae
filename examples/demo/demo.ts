/**
 * The main job from end to end: an SQS server on this machine, a container as a
 * process, and a producer. It sends good, transient and bad jobs over HTTP, and
 * ends with status 0 if each job ended as it should.
 *
 * @module
 */

import { join } from "node:path";
import { createInterface } from "node:readline";
import process from "node:process";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { startLocalServer } from "../../src/cli/local_server.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import { Queue } from "../../mod.ts";

const REGION = "us-east-1";

/** What each job makes the container print when it ends. */
const ENDS = [
  "2 * (1 + 2 + 3) = 12",
  "2 * (4 + 5 + 6) = 30",
  'TypeError: x must be a number: current value is ""',
  "2 * (1 + 2 + 0) = 6",
];

async function main(): Promise<number> {
  say("demo", "starting an SQS server (the first run downloads it)");
  await using server = await startLocalServer({ port: 0 });
  for (const name of ["adder", "adder-failed"]) {
    await server.makeQueue(name, REGION);
  }
  say("demo", `SQS server at ${server.endpoint}, with two queues`);

  process.env.AWS_ACCESS_KEY_ID = "local";
  process.env.AWS_SECRET_ACCESS_KEY = "local";
  process.env.AWS_ENDPOINT_URL = server.endpoint;
  const folder = await Deno.makeTempDir({ prefix: "zsqs-demo-" });
  try {
    const container = new ContainerProcess(folder);
    await container.printed("Listening to adder");
    await produce();
    for (const text of ENDS) await container.printed(text);
    say("demo", "all jobs have ended: stopping the container with SIGTERM");
    const status = await container.stop();
    return await report(status, join(folder, "messages.log"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function produce(): Promise<void> {
  await using adder = await Queue("adder", { region: REGION });
  await using python = await Queue("adder", {
    region: REGION,
    encoding: "base64",
  });
  say("producer", "adder(1, 2, 3)         good input");
  await adder(1, 2, 3);
  say(
    "producer",
    "adder(4, 5, 6)         good input, in Base64 as zc.sqs sends",
  );
  await python(4, 5, 6);
  say("producer", 'adder(1, 2, "later")   cannot be done now: to be retried');
  await adder(1, 2, "later");
  say(
    "producer",
    'adder(1, 2, "")        bad input: to be moved to adder-failed',
  );
  await adder(1, 2, "");
}

/** Shows the messages that are left, and returns the exit status. */
async function report(status: number, messagesLog: string): Promise<number> {
  const left = await count("adder");
  const failed = await count("adder-failed");
  const messages = await Deno.readTextFile(messagesLog);
  say("demo", `the container ended with status ${status}`);
  say("demo", `messages in adder: ${left}, in adder-failed: ${failed}`);
  say("demo", `messages.log, bad input kept for you: ${messages.trim()}`);
  const good = status === 0 && left === 0 && failed === 1 &&
    messages === '[[1,2,""],{}]\n';
  say("demo", good ? "done: every job ended as it should" : "FAILED");
  return good ? 0 : 1;
}

async function count(queue: string): Promise<number> {
  const { connection, url } = await openQueue(queue, { region: REGION });
  const { visible = 0, inFlight = 0 } = await connection.attributes(url);
  connection.close();
  return visible + inFlight;
}

/** The container, whose output is shown as it comes. */
class ContainerProcess {
  readonly #child: Deno.ChildProcess;
  #output = "";
  #ended = false;
  #wake: () => void = () => {};

  constructor(cwd: string) {
    say("demo", "deno run -A mod.ts examples/demo/adder.ini");
    const file = (...path: string[]) => join(import.meta.dirname!, ...path);
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", file("..", "..", "mod.ts"), file("adder.ini")],
      cwd,
      stdin: "null",
      stdout: "piped",
    }).spawn();
    this.#show().finally(() => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** Waits until it has printed a text. */
  async printed(text: string): Promise<void> {
    while (!this.#output.includes(text)) {
      if (this.#ended) {
        throw new Error(`The container ended without printing "${text}"`);
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    return (await this.#child.status).code;
  }

  async #show(): Promise<void> {
    const input = Readable.fromWeb(this.#child.stdout as ReadableStream);
    for await (const line of createInterface({ input })) {
      say("container", line);
      this.#output += `${line}\n`;
      this.#wake();
    }
  }
}

function say(who: string, what: string): void {
  console.log(`${who.padEnd(9)} | ${what}`);
}

if (import.meta.main) Deno.exit(await main());
