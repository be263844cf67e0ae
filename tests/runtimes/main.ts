/**
 * The program that checks a runtime from the inside: the behaviours of SQS, on
 * the double and on a server, and {@linkcode LIBRARY}.
 *
 * It writes a line of JSON for each check: its name, and why it failed. Its
 * arguments are the server's URL, and a folder to write to.
 *
 * @module
 */

import {
  CreateQueueCommand,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { assertEquals } from "@std/assert";
import process from "node:process";
import { inspect } from "node:util";
import { checkOnDouble, checkOnServer } from "../support/behaviour_runs.ts";
import { behaviours } from "../support/behaviours.ts";
import { ALONE } from "./alone.ts";
import { LIBRARY } from "./library.ts";
import type { Stage } from "./stage.ts";

const [endpoint = "", folder = ""] = process.argv.slice(2);

const client = new SQSClient({
  endpoint,
  region: "us-east-1",
  useQueueUrlAsEndpoint: false,
});

const urls = new Map<string, string>();

const stage: Stage = {
  endpoint,
  folder,
  async makeQueue(name, attributes = {}) {
    const { QueueUrl } = await client.send(
      new CreateQueueCommand({ QueueName: name, Attributes: attributes }),
    );
    urls.set(name, QueueUrl!);
  },
  async bodies(name) {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: urls.get(name)!,
        MaxNumberOfMessages: 10,
      }),
    );
    return Messages.map(({ Body }) => Body!);
  },
};

async function check(name: string, run: () => Promise<void>): Promise<void> {
  let problem: string | undefined;
  try {
    await run();
  } catch (error) {
    problem = inspect(error);
  }
  console.log(JSON.stringify({ name, problem }));
}

// They mostly wait, on separate connections.
const onServer = check(
  "on fauxqs all behaviours but those listed",
  async () => {
    assertEquals(await checkOnServer("fauxqs", endpoint), []);
  },
);
for (const behaviour of behaviours) {
  await check(
    `on the double ${behaviour.name}`,
    () => checkOnDouble(behaviour),
  );
}
// Each has its queues.
const side = Object.entries(LIBRARY).filter(([name]) => !(name in ALONE));
await Promise.all(side.map(([name, run]) => check(name, () => run(stage))));
for (const [name, run] of Object.entries(ALONE)) {
  await check(name, () => run(stage));
}
await onServer;
client.destroy();
