/**
 * What `zsqs check` warns of: a container works, but not as one may think.
 *
 * @module
 */

import process from "node:process";
import { relative, resolve } from "node:path";
import { profileFiles } from "../aws/profile_files.ts";
import type { ContainerConfig } from "../config/options.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import { attemptsProblem } from "../container/failed_jobs_text.ts";
import { counted } from "../numbers.ts";
import type { QueueAttributes } from "../sqs/connection.ts";

/**
 * The least `maxReceiveCount` without a warning: a message may be released at a
 * stop and retried once before it is done.
 */
const LEAST_RECEIVES = 3;

/** A retry on a FIFO queue also releases the later messages of its group. */
const LEAST_FIFO_RECEIVES = 5;

type Given = Partial<ContainerConfig>;

const REACH =
  "as the container's user, they can read its environment, AWS credentials and files";

/** Warns of rights that take isolated jobs out of their isolation. */
export function warningsOnRights(config: Given): string[] {
  const { allowAll, allowRun, allowFfi, allowRead } = config;
  const secret = allowRead === undefined ? undefined : secretIn(allowRead);
  return [
    ...allowAll === true
      ? [`"allow_all" lets isolated jobs do everything: ${REACH}`]
      : [],
    ...allowRun === undefined
      ? []
      : [`"allow_run" lets isolated jobs start programs: ${REACH}`],
    ...allowFfi === undefined
      ? []
      : [`"allow_ffi" lets isolated jobs call native code: ${REACH}`],
    ...secret === undefined ? [] : [
      `"allow_read" lets isolated jobs read ${secret}: name only the folders that they need`,
    ],
  ].map((text) => `Warning: ${text}`);
}

/** What of the container a list of paths covers. */
function secretIn(allowRead: string): string | undefined {
  if (allowRead === "true") {
    return "every file, the container's AWS credentials among them";
  }
  const paths = allowRead.split(",").map((path) => resolve(path));
  const covered = (file: string) =>
    paths.some((path) => isWithin(file, path) || isWithin(path, file));
  return profileFiles(process.env).find(covered) ??
    (covered("/proc") ? "/proc, with the container's environment" : undefined);
}

function isWithin(path: string, folder: string): boolean {
  return !/^\.\.(?:[/\\]|$)/.test(relative(folder, path));
}

/** Warns of a queue whose URL or ARN names another region than `region`. */
export function warningsOnRegion(config: Given): string[] {
  const { region, queue, failures } = config;
  const refs = [["queue", queue], ["failures", failures]] as const;
  return refs.flatMap(([name, ref]) => {
    if (typeof ref !== "object" || region === undefined) return [];
    return ref.region === undefined || ref.region === region ? [] : [
      `Warning: "${name}" is in region "${ref.region}", but "region" is "${region}", for which requests are signed: remove "region", or give a queue there`,
    ];
  });
}

/** Warns of failed jobs that are lost. */
export function warningsOnFailures({ queue, failures }: Given): string[] {
  if (queue === undefined || (failures ?? "delete") !== "delete") return [];
  return [
    `Warning: failed jobs of ${queue.name} are deleted after logging: to keep them, set "failures" to a queue`,
  ];
}

/** Warns of a queue that gives jobs up early, or never. */
export function warningsOnQueue(
  open: OpenQueue,
  attributes: QueueAttributes | undefined,
  config: Given,
): string[] {
  if (attributes === undefined) return [];
  const { name, fifo } = open.ref;
  const { attempts, failures, isolation } = config;
  const { redrive } = attributes;
  const { maxReceiveCount = Infinity } = redrive ?? {};
  const problem = attemptsProblem(config, maxReceiveCount);
  if (problem !== undefined) return [`Warning: queue ${name} ${problem}`];
  const least = fifo ? LEAST_FIFO_RECEIVES : LEAST_RECEIVES;
  if (maxReceiveCount < least) {
    const receives = counted(maxReceiveCount, "receive");
    return [
      `Warning: queue ${name} moves a message to its dead-letter queue after ${receives}. Every receive counts, even if the job never ran: set its maxReceiveCount to ${least} or more`,
    ];
  }
  if (redrive !== undefined) return [];
  const endless = failures === "keep"
    ? "with failures = keep, failed messages come back"
    : attempts === undefined && isolation === "process"
    ? 'without "attempts", a job that ends its process comes back'
    : undefined;
  return endless === undefined ? [] : [
    `Warning: queue ${name} has no dead-letter queue: ${endless} until the queue's retention period ends`,
  ];
}
