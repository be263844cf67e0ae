/**
 * The containers of a soak, as their ini files have them.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  FAILED,
  FIFO,
  JSON_QUEUE,
  STANDARD,
  WIDE,
  WIDE_CONCURRENCY,
  widthOf,
} from "./jobs.ts";
import { FILES } from "./journal.ts";
import type { ContainerKind, SoakOptions } from "./options.ts";

/** The queue of each kind of container. */
export const QUEUES: Readonly<Record<ContainerKind, string>> = {
  standard: STANDARD,
  isolated: STANDARD,
  batches: STANDARD,
  fifo: FIFO,
  wide: WIDE,
  json: JSON_QUEUE,
};

const CONCURRENCY: { readonly [Kind in ContainerKind]?: number } = {
  wide: WIDE_CONCURRENCY,
  batches: 2,
};

/** From a stop signal to giving up on jobs: less than a long one takes. */
const SHUTDOWN_SECONDS = 3;

/** The processes of a container with `isolation = process`. */
const PROCESSES = 2;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A container. */
interface ContainerTask {
  readonly kind: ContainerKind;
  /** The process's name. */
  readonly by: string;
  readonly endpoint: string;
  /** The queue's name or URL. */
  readonly queue: string;
}

/** The log of a container. */
export function logPath(folder: string, by: string): string {
  return join(folder, `${by}.log`);
}

/** The text of a container's ini file. */
export function containerIni(
  { kind, by, endpoint, queue }: ContainerTask,
  { folder, jobs, visibilitySeconds, waitSeconds }: SoakOptions,
): string {
  const done = join(folder, FILES.done);
  const memory = join(folder, FILES.memory);
  const isolation = `isolation = process
processes = ${PROCESSES}
allow_read = ${ROOT}
allow_write = ${done}, ${memory}
`;
  // What another one left may be too little to fill a container.
  const isFirst = by.endsWith("-1");
  const wide = `pause_ms = ${visibilitySeconds * 500}
fill = ${isFirst ? widthOf(jobs) : 0}
`;
  return `[container]
worker = ${join(ROOT, "tests", "soak", "worker.ts")}:${
    kind === "batches" ? "journalBatches\nbatch = 20" : "journal"
  }
queue = ${queue}
region = us-east-1
endpoint = ${endpoint}
failures = ${FAILED[QUEUES[kind]]}
concurrency = ${CONCURRENCY[kind] ?? 10}
wait_time = ${waitSeconds}
shutdown_timeout = ${SHUTDOWN_SECONDS}
${kind === "isolated" ? isolation : ""}${
    kind === "json" ? "body = json\n" : ""
  }loggers =
  <logger>
    level INFO
    <logfile>
      path ${logPath(folder, by)}
      format %(asctime)s %(levelname)s %(name)s %(message)s
    </logfile>
  </logger>

[worker]
by = ${by}
done = ${done}
memory = ${memory}
long_ms = ${visibilitySeconds * 1500}
${kind === "wide" ? wide : ""}`;
}
