/**
 * The example of AWS Lambda. Its bundle runs on Node with events of a server's
 * queue, and its template has every setting that the bundle needs.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse } from "yaml";
import { checkConfig, readConfig } from "../../container.ts";
import type { LambdaHandler } from "../../lambda.ts";
import { Folder } from "../support/folder.ts";
import { programOf } from "../support/runtimes.ts";
import { servePackage, TestProcess, TestServer } from "../support/server.ts";
import { Trigger } from "../support/trigger.ts";

const EXAMPLE = new URL("../../examples/lambda/", import.meta.url);

const read = (name: string) => Deno.readTextFile(new URL(name, EXAMPLE));

/** The limit of the bundle, in bytes. */
const MAX_BUNDLE_BYTES = 700_000;

/** Calls the function of a module as Lambda does, with an event from its input. */
const RUNTIME = `
import { text } from "node:stream/consumers";
const { handler } = await import(process.argv[2]);
const event = JSON.parse(await text(process.stdin));
const context = { getRemainingTimeInMillis: () => 30_000 };
console.log(JSON.stringify(await handler(event, context)));
`;

/** Like the example's function, but retries are visible immediately. */
const IMMEDIATE = `
import { lambdaHandler } from "jsr:@zsqs/cli@^0.1.0/lambda";
import { scaledAdder } from "./worker.ts";
export const handler = lambdaHandler(scaledAdder, {
  retryDelaySeconds: 0,
  failures: { queue: "adder-failed" },
});
`;

/** The commands in the head of the template. */
async function buildCommands(): Promise<string[]> {
  const template = await read("template.yaml");
  return [...template.matchAll(/^# {3}(.*)$/gm)].map(([, line]) => line!);
}

/** A copy of the example with its bundle, and what its commands need. */
async function bundled(env: Record<string, string>): Promise<Folder> {
  const folder = await Folder.with({
    "worker.ts": await read("worker.ts"),
    "function.ts": await read("function.ts"),
    "immediate.ts": IMMEDIATE,
    "runtime.mjs": RUNTIME,
  });
  const [bundle, manifest] = await buildCommands();
  const script = `${bundle} immediate.ts && ${manifest}`;
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-c", script.replace("deno", Deno.execPath())],
    cwd: folder.path,
    env,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return folder;
}

Deno.test("the example's bundle runs on Node, with the failures queue and delays", async (test) => {
  await using registry = await servePackage();
  await using server = await TestServer.start();
  await using folder = await bundled(registry.env);
  const node = await programOf("Node");
  const lines: string[] = [];
  const call = async (module: string, event: unknown) => {
    await using run = new TestProcess(["runtime.mjs", module], {
      cwd: folder.path,
      env: { ...server.env, AWS_REGION: "us-east-1" },
      program: node,
      stdin: JSON.stringify(event),
    });
    assertEquals(await run.status(), 0, run.stderr);
    const printed = run.stdout.trimEnd().split("\n");
    const response = JSON.parse(printed.pop()!);
    lines.push(...printed, ...run.stderr.split("\n"));
    return response;
  };

  await test.step("its files are small", async () => {
    let bytes = 0;
    for await (const { name } of Deno.readDir(folder.at("dist"))) {
      bytes += (await Deno.stat(folder.at(`dist/${name}`))).size;
    }
    assert(bytes < MAX_BUNDLE_BYTES, `${bytes} bytes`);
  });

  await test.step("its event gives its sum", async () => {
    const event = JSON.parse(await read("event.json"));
    const response = await call("./dist/function.js", event);
    assertEquals(response, { batchItemFailures: [] });
    assertEquals(lines[0], "12");
    const { message } = JSON.parse(lines[1]!);
    assertEquals(
      message,
      "Running jobs of adder on Lambda; failed jobs are retried up to 3 times, then moved to adder-failed",
    );
  });

  await test.step("jobs of a queue end as in a container", async () => {
    const url = await server.createQueue("adder");
    await server.createQueue("adder-failed");
    for (const x of ["3", '"later"', "null"]) {
      await server.send(url, `[[1,2,${x}],{}]`);
    }
    const trigger = new Trigger("adder", { endpoint: server.endpoint });
    const handler: LambdaHandler = (event) =>
      call("./dist/immediate.js", event);
    assertEquals(await trigger.invoke(handler), 1);
    assertEquals(await server.receive(url), ['[[1,2,"later"],{}]']);
    const failed = new Trigger("adder-failed", { endpoint: server.endpoint });
    const { Records: [kept] } = await failed.receive();
    assertEquals(kept!.body, "[[1,2,null],{}]");
    const reason = kept!.messageAttributes["zsqs.failure"]!.stringValue!;
    assertEquals(JSON.parse(reason).message, "x must be a number: null");
    assertEquals(lines.filter((line) => line === "6"), ["6"]);
  });
});

Deno.test("the example's template reports failed items, and fits its function", async () => {
  const { Resources } = parse(await read("template.yaml"), {
    customTags: [{
      tag: "!GetAtt",
      resolve: (value: string) => ({ "Fn::GetAtt": value.split(".") }),
    }],
  });
  const { Queue, FailedQueue, DeadLetters, Adder } = Resources;
  const { Timeout, Runtime, Handler, CodeUri, Policies, Events } =
    Adder.Properties;
  const { Type, Properties: trigger } = Events.Jobs;
  assertEquals(Type, "SQS");
  assertEquals(trigger.FunctionResponseTypes, ["ReportBatchItemFailures"]);
  assertEquals(trigger.Queue, { "Fn::GetAtt": ["Queue", "Arn"] });
  assertEquals([Runtime, Handler], ["nodejs24.x", "function.handler"]);
  assertStringIncludes(
    (await buildCommands())[0]!,
    `--outdir ${CodeUri.replace("/", "")} function.ts`,
  );
  // AWS advises six times the function's.
  assertEquals(Queue.Properties.VisibilityTimeout, 6 * Timeout);
  const { maxReceiveCount, deadLetterTargetArn } =
    Queue.Properties.RedrivePolicy;
  assertEquals(deadLetterTargetArn, { "Fn::GetAtt": ["DeadLetters", "Arn"] });
  assertEquals(DeadLetters.Type, "AWS::SQS::Queue");

  const settings = checkConfig(
    await readConfig(new URL("adder.ini", EXAMPLE).pathname),
  );
  assertEquals(Queue.Properties.QueueName, settings.queue);
  assertEquals({ queue: FailedQueue.Properties.QueueName }, settings.failures);
  assert(maxReceiveCount > settings.attempts!);
  const source = await read("function.ts");
  assertStringIncludes(source, `attempts: ${settings.attempts},`);
  assertStringIncludes(
    source,
    `retryDelaySeconds: ${settings.retryDelaySeconds},`,
  );
  const actions = Policies[0].Statement.flatMap(
    ({ Action }: { Action: string | string[] }) => Action,
  );
  assertEquals(actions, [
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueUrl",
    "sqs:SendMessage",
  ]);
});
