/**
 * The queues of `--local`: the queues in the ini files, and a dead-letter
 * queue for each source queue.
 *
 * @module
 */

import type { ContainerConfig } from "../config/options.ts";
import { parseQueueRef, type QueueRef } from "../sqs/queue_ref.ts";
import { list } from "../text.ts";
import { PROGRAM } from "./command.ts";
import { LOCAL_PORT, LOCAL_REGION, type LocalServer } from "./local_server.ts";

/**
 * After how many receives a message goes to the dead-letter queue, if the
 * container does not try it more often.
 */
export const MAX_RECEIVE_COUNT = 10;

/** The longest name of a queue. */
const MAX_NAME = 80;

export type LocalConfig = ContainerConfig & { readonly region: string };

/** Points a configuration to the queues of its names on the local server. */
export function onLocalServer(
  config: ContainerConfig,
  endpoint: string,
): LocalConfig {
  const { queue, failures, region = queue.region ?? LOCAL_REGION } = config;
  const byName = ({ name }: QueueRef) => parseQueueRef(name)!;
  return {
    ...config,
    queue: byName(queue),
    ...(typeof failures === "object" ? { failures: byName(failures) } : {}),
    region,
    endpoint,
  };
}

/**
 * Creates all queues of configurations.
 *
 * @returns The lines to print: the queues, and how to send, look and stop.
 */
export async function makeLocalQueues(
  configs: readonly LocalConfig[],
  server: LocalServer,
  maxReceiveCount: number | undefined,
): Promise<string[]> {
  const lines: string[] = [];
  const names: string[] = [];
  const made = new Set<string>();
  const make = async (
    name: string,
    region: string,
    attributes: Readonly<Record<string, string>> = {},
  ) => {
    const key = `${region}/${name}`;
    if (made.has(key)) return;
    made.add(key);
    await server.makeQueue(name, region, attributes);
  };
  for (const { queue: { name }, region, attempts = 0 } of configs) {
    const dead = deadLetterName(name);
    await make(dead, region);
    const RedrivePolicy = JSON.stringify({
      deadLetterTargetArn: `arn:aws:sqs:${region}:${server.account}:${dead}`,
      maxReceiveCount: maxReceiveCount ??
        Math.max(MAX_RECEIVE_COUNT, attempts + 1),
    });
    await make(name, region, { RedrivePolicy });
  }
  for (const config of configs) {
    const { queue: { name }, failures, region } = config;
    const failed = typeof failures === "object" ? failures.name : undefined;
    if (failed !== undefined) await make(failed, region);
    names.push(name, ...(failed === undefined ? [] : [failed]));
    lines.push(...hints(config, failed, server));
  }
  const buckets = new Set(configs.flatMap(({ large }) => large?.bucket ?? []));
  for (const bucket of buckets) await server.makeBucket(bucket);
  names.push(...configs.map(({ queue: { name } }) => deadLetterName(name)));
  return [
    `Local SQS server at ${server.endpoint} with queues ${
      list([...new Set(names)])
    }${buckets.size === 0 ? "" : ` and S3 with buckets ${list([...buckets])}`}`,
    ...lines,
    "Stop: Ctrl+C",
  ];
}

/** `orders.fifo` has `orders-dead.fifo`. */
function deadLetterName(name: string): string {
  const [, base = "", end = ""] = /^(.*?)(\.fifo)?$/.exec(name)!;
  return `${base.slice(0, MAX_NAME - `-dead${end}`.length)}-dead${end}`;
}

function hints(
  { queue: { name }, region, body, envelope, large }: LocalConfig,
  failed: string | undefined,
  { port }: LocalServer,
): string[] {
  let options = "--local";
  if (port !== LOCAL_PORT) options += ` --port=${port}`;
  if (region !== LOCAL_REGION) options += ` --region=${region}`;
  const to = large === undefined ? "" : ` --large=${large.text}`;
  const format = envelope === undefined ? body : "text";
  const what = format === "job"
    ? `${name} ARG...`
    : `--body=${format} ${name} BODY`;
  const look = failed === undefined ? `status` : `failed`;
  return [
    `Send a job: ${PROGRAM} send ${options}${to} ${what}`,
    `Look: ${PROGRAM} ${look} ${options} ${failed ?? name}`,
  ];
}
