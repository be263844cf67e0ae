/**
 * The texts of `zsqs check` about a container that is right.
 *
 * @module
 */

import { type ContainerConfig, PERMISSION_KEYS } from "../config/options.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import { DEFAULT_SECONDS } from "../engine/visibility.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import { list } from "../text.ts";
import type { QueueAttributes } from "../sqs/connection.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { counted, plainNumber } from "../numbers.ts";
import { orDash } from "./screen.ts";

type Given = Partial<ContainerConfig>;

/** Stands for attributes that may not be read. */
const NOT_ALLOWED = "unknown, as sqs:GetQueueAttributes is not allowed";

/** How jobs run, in a file without problems. */
export function configFact(config: Given): string {
  const { concurrency = 1, batch, body, envelope, timeoutSeconds } = config;
  // Names are there in lower case, too.
  const options = new Set(
    Object.keys(config.workerConfig ?? {}).map((name) => name.toLowerCase()),
  );
  const size = batch === undefined ? "" : ` of up to ${counted(batch, "job")}`;
  const each = batch === undefined ? "job" : "batch";
  const many = batch === undefined ? "jobs" : "batches";
  return [
    concurrency === 1
      ? `one ${each}${size} at a time`
      : `${plainNumber(concurrency)} ${many}${size} at a time`,
    ...timeoutSeconds === undefined ? [] : [`timeout ${timeoutSeconds} s`],
    ...body === "job" ? [] : [`body = ${body}`],
    ...envelope === undefined ? [] : [`envelope = ${envelope}`],
    ...options.size === 0
      ? []
      : [`${counted(options.size, "option")} of [worker]`],
  ].join(", ");
}

/** A worker or hooks whose module was imported. */
export function moduleFact(
  spec: ContainerConfig["worker" | "hooks"],
  isIsolated: boolean,
): string {
  const where = isIsolated ? " in a child process" : "";
  return `${(spec as WorkerSpec).text}, imported${where} but not called`;
}

/** The queue, and for how long it hides a message that was received. */
export function queueFact(
  { ref: { name }, connection: { region } }: OpenQueue,
  attributes: QueueAttributes | undefined,
  { visibilityTimeoutSeconds: asked }: Given,
): string {
  const own = attributes?.visibilityTimeoutSeconds;
  const seconds = asked ?? (own || DEFAULT_SECONDS);
  const why = asked !== undefined || own
    ? ""
    : attributes === undefined
    ? `: its own is ${NOT_ALLOWED}`
    : ": the queue has 0 s";
  return `${name} in ${region}, visibility timeout ${seconds} s${why}`;
}

/** When SQS gives a message up. */
export function redriveFact(attributes: QueueAttributes | undefined): string {
  if (attributes === undefined) return NOT_ALLOWED;
  const { redrive } = attributes;
  if (redrive === undefined) return "none: the queue has no dead-letter queue";
  const { deadLetterQueue, maxReceiveCount } = redrive;
  const name = orDash(parseQueueRef(deadLetterQueue)?.name);
  return `after ${counted(maxReceiveCount, "receive")} to ${name}`;
}

/** What jobs may do on the container's machine. */
export function jobRightsFact(config: Given): string {
  if (config.isolation !== "process") {
    return "the container's own, as jobs run in its process";
  }
  if (config.allowAll === true) return "all, in child processes";
  const granted = Object.entries(PERMISSION_KEYS).flatMap(([name, key]) => {
    const values = config[key];
    if (values === undefined) return [];
    return [values === "true" ? name : `${name} (${list(values.split(","))})`];
  });
  return granted.length === 0
    ? "none, in child processes"
    : `${granted.join(", ")}; no others, in child processes`;
}

/** The rights on SQS that were used, and that a check cannot try. */
export function sqsRightsFact(
  queue: OpenQueue,
  failures: OpenQueue | undefined,
  attributes: QueueAttributes | undefined,
): string {
  const used = [
    ...queue.ref.url === undefined ? ["GetQueueUrl"] : [],
    ...attributes === undefined ? [] : ["GetQueueAttributes"],
  ];
  const needed = "ReceiveMessage, DeleteMessage, ChangeMessageVisibility";
  const send = failures === undefined
    ? ""
    : `, and SendMessage on ${failures.ref.name}`;
  const works = used.length === 0 ? "" : `${used.join(", ")}: allowed; `;
  return `${works}not tried: ${needed}${send}`;
}
