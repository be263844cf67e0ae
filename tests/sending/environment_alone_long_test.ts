/**
 * How `Queue()` follows the AWS configuration of its environment.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { Queue, type QueueOptions, SendError } from "../../producer.ts";
import { setEnv } from "../support/server.ts";

/** A server that answers for every queue, and reports how it was asked. */
function startRecorder() {
  const asked: { region: string; target: string; path: string }[] = [];
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      await request.text();
      const credential = request.headers.get("authorization") ?? "";
      asked.push({
        region: /Credential=[^/]+\/\d+\/([^/]+)\/sqs/.exec(credential)![1]!,
        target: request.headers.get("x-amz-target")!.split(".")[1]!,
        path: new URL(request.url).pathname,
      });
      return Response.json({
        QueueUrl: "https://sqs.nowhere.invalid/1/adder",
        Attributes: { VisibilityTimeout: "30" },
      }, { headers: { "content-type": "application/x-amz-json-1.0" } });
    },
  );
  return {
    asked,
    endpoint: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const REGIONS: [
  what: string,
  ref: string,
  options: QueueOptions,
  env: Record<string, string>,
  region: string,
][] = [
  ["its default", "adder", {}, {}, "us-east-1"],
  [
    "AWS_DEFAULT_REGION",
    "adder",
    {},
    { AWS_DEFAULT_REGION: "sa-east-1" },
    "sa-east-1",
  ],
  ["AWS_REGION", "adder", {}, {
    AWS_REGION: "eu-north-1",
    AWS_DEFAULT_REGION: "sa-east-1",
  }, "eu-north-1"],
  [
    "the ARN",
    "arn:aws:sqs:ap-south-1:000000000000:adder",
    {},
    { AWS_REGION: "eu-north-1" },
    "ap-south-1",
  ],
  [
    "the URL",
    "https://sqs.eu-west-3.amazonaws.com/000000000000/adder",
    {},
    { AWS_REGION: "eu-north-1" },
    "eu-west-3",
  ],
  [
    "the URL of another server",
    "https://sqs.eu-west-3.example.com/000000000000/adder",
    {},
    { AWS_REGION: "eu-north-1" },
    "eu-north-1",
  ],
  [
    "the option",
    "arn:aws:sqs:ap-south-1:000000000000:adder",
    { region: "eu-west-1" },
    { AWS_REGION: "eu-north-1" },
    "eu-west-1",
  ],
];

for (const [what, ref, options, env, region] of REGIONS) {
  Deno.test(`Queue() takes the region from ${what}`, async () => {
    using _env = setEnv(env);
    await using server = startRecorder();
    await using queue = await Queue(ref, {
      ...options,
      endpoint: server.endpoint,
    });
    assertEquals(queue.region, region);
    assertEquals(server.asked.map(({ region }) => region), [region]);
  });
}

for (
  const [what, options, variables] of [
    ["the option", true, { AWS_ENDPOINT_URL: "http://127.0.0.1:9" }],
    ["AWS_ENDPOINT_URL", false, { AWS_ENDPOINT_URL: "" }],
    ["AWS_ENDPOINT_URL_SQS", false, {
      AWS_ENDPOINT_URL: "http://127.0.0.1:9",
      AWS_ENDPOINT_URL_SQS: "",
    }],
  ] as const
) {
  Deno.test(`Queue() keeps to the server that ${what} names`, async () => {
    await using server = startRecorder();
    const env = Object.fromEntries(
      Object.entries(variables).map((
        [name, value],
      ) => [name, value || server.endpoint]),
    );
    using _env = setEnv(env);
    await using queue = await Queue(
      "adder",
      options ? { endpoint: server.endpoint } : {},
    );
    assertEquals(queue.url, "https://sqs.nowhere.invalid/1/adder");
    await assertRejects(() => queue(1), SendError, "MissingResult");
    assertEquals([...new Set(server.asked.map(({ target }) => target))], [
      "GetQueueUrl",
      "SendMessageBatch",
    ]);
  });
}

Deno.test("Queue() keeps to the server and the region of the AWS profile", async () => {
  await using server = startRecorder();
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(
    file,
    `[profile jobs]\nregion = ca-west-1\nendpoint_url = ${server.endpoint}\n` +
      "aws_access_key_id = test\naws_secret_access_key = test\n",
  );
  using _env = setEnv({ AWS_PROFILE: "jobs", AWS_CONFIG_FILE: file });
  await using queue = await Queue("adder");
  assertEquals(queue.region, "ca-west-1");
  assertEquals(queue.url, "https://sqs.nowhere.invalid/1/adder");
  await assertRejects(() => queue(1), SendError, "MissingResult");
  assertEquals([...new Set(server.asked.map(({ region }) => region))], [
    "ca-west-1",
  ]);
  await Deno.remove(file);
});

Deno.test("Queue() speaks to the server of a queue's URL where nothing names another", async () => {
  await using server = startRecorder();
  await using queue = await Queue(`${server.endpoint}/1/adder`);
  assertEquals(queue.name, "adder");
  assertEquals(server.asked.map(({ target }) => target), [
    "GetQueueAttributes",
  ]);
});
