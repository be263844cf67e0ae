/**
 * Opens connections to SQS, or to the testing double while it is set up.
 *
 * @module
 */

import { type Clock, type Random, sleep, systemClock } from "../clock.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { testMode } from "./test_mode.ts";
import { messageOf, NonExistentQueueError, SqsError } from "../errors.ts";
import {
  type Connection,
  type ConnectOptions,
  isDenied,
  isMissingQueue,
  isRefusal,
} from "../sqs/connection.ts";
import {
  isHttpUrl,
  isRegion,
  parseQueueRef,
  QUEUE_REF_HINT,
  type QueueRef,
} from "../sqs/queue_ref.ts";
import { show } from "../text.ts";

/** An open queue, with the time and the chance that its users must use. */
export interface OpenQueue {
  readonly ref: QueueRef;
  readonly url: string;
  readonly connection: Connection;
  /** The system's clock, or the testing double's. */
  readonly clock: Clock;
  /** `Math.random`, or the testing double's. */
  readonly random: Random;
}

/** Options of {@linkcode openQueue}. */
export interface OpenOptions extends ConnectOptions {
  /**
   * Whether to ask for the attributes of a queue given by its URL: nothing else
   * reports early that the queue does not exist.
   *
   * @default {true}
   */
  readonly probe?: boolean;
  readonly signal?: AbortSignal;
  /**
   * Called once with a line for the log if SQS is away or throttles. Opening is
   * then retried for a minute.
   *
   * @default {undefined} it is not retried
   */
  readonly onWait?: (line: string) => void;
}

/** For how long a queue is tried to be opened, in milliseconds. */
const PATIENCE_MS = 60_000;

/** The pause between two tries, in milliseconds. */
const RETRY_MS = 2_000;

/**
 * Opens a queue.
 *
 * @param queue The queue's name, URL or ARN, as text or parsed.
 * @param options The server, and how to open the queue.
 * @returns The queue, with its own connection.
 * @throws {TypeError} If `queue`, `region` or `endpoint` is malformed.
 * @throws {NonExistentQueueError} If the queue does not exist.
 * @throws {SqsError} If SQS refuses the request or cannot be reached.
 */
export async function openQueue(
  queue: string | QueueRef,
  { onWait, ...options }: OpenOptions = {},
): Promise<OpenQueue> {
  const ref = refOf(queue);
  const { clock } = timeAndChance();
  const endMs = clock.now() + PATIENCE_MS;
  for (let isFirst = true;; isFirst = false) {
    try {
      return await openOnce(ref, options);
    } catch (error) {
      const leftMs = endMs - clock.now();
      const isLast = onWait === undefined || clock.manual || leftMs <= 0;
      if (isLast || !mayPass(error)) throw error;
      if (isFirst) onWait(`${messageOf(error)}; retrying for up to 60 s`);
      await sleep(clock, Math.min(leftMs, RETRY_MS), options.signal);
    }
  }
}

/** Deno denies the look-up of a host with `EPERM`. */
function mayPass(error: unknown): boolean {
  return error instanceof SqsError && !isRefusal(error) &&
    error.code !== "EPERM";
}

async function openOnce(
  ref: QueueRef,
  { signal, probe = true, ...server }: OpenOptions,
): Promise<OpenQueue> {
  checkServer(server);
  const connection = await connect(ref, server);
  try {
    const call = signal === undefined ? {} : { signal };
    const url = ref.url ?? await connection.queueUrl(ref.name, {
      ...call,
      ...(ref.accountId === undefined ? {} : { accountId: ref.accountId }),
    });
    if (ref.url !== undefined && probe) {
      await probeQueue(connection, ref.url, call);
    }
    return { ref, url, connection, ...timeAndChance() };
  } catch (error) {
    connection.close();
    throw openError(error, ref.text, connection.region);
  }
}

/** The system's clock and chance, or the testing double's. */
export function timeAndChance(): Pick<OpenQueue, "clock" | "random"> {
  const { clock = systemClock, random = Math.random } = testMode() ?? {};
  return { clock, random };
}

function refOf(queue: string | QueueRef): QueueRef {
  if (typeof queue === "object" && queue !== null) return queue;
  const ref = typeof queue === "string" ? parseQueueRef(queue) : undefined;
  if (ref !== undefined) return ref;
  throw new TypeError(
    `Cannot open queue ${show(queue)}: give ${QUEUE_REF_HINT}`,
  );
}

function checkServer({ endpoint, region }: ConnectOptions): void {
  if (endpoint !== undefined && !isHttpUrl(endpoint)) {
    throw new TypeError(
      `Cannot open queue as "endpoint" must be an http or https URL: current value is ${
        show(endpoint)
      }`,
    );
  }
  if (region !== undefined && !isRegion(region)) {
    throw new TypeError(
      `Cannot open queue as "region" must be an AWS region such as "eu-west-1": current value is ${
        show(region)
      }`,
    );
  }
}

/** The error of a queue that cannot be opened, which names the queue. */
export function openError(
  error: unknown,
  queue: string,
  region: string,
): unknown {
  if (isMissingQueue(error)) {
    return new NonExistentQueueError(queue, { cause: error, region });
  }
  return error instanceof SqsError
    ? new SqsError(
      `Cannot open queue "${queue}" in region "${region}": ${error.message}`,
      { code: error.code, senderFault: error.senderFault, cause: error },
    )
    : error;
}

/** The region that is asked for, or that a queue's URL or ARN names. */
export function regionOf(
  ref: QueueRef,
  options: ConnectOptions,
): string | undefined {
  return options.region ?? ref.region;
}

async function connect(
  ref: QueueRef,
  options: ConnectOptions,
): Promise<Connection> {
  const region = regionOf(ref, options);
  const server = { ...options, ...(region === undefined ? {} : { region }) };
  const mode = testMode();
  if (mode !== undefined) return mode.connect(server);
  const { connectToSqs } = await loadSqs();
  return await connectToSqs(server, ref.origin);
}

async function probeQueue(
  connection: Connection,
  url: string,
  options: { readonly signal?: AbortSignal },
): Promise<void> {
  try {
    await connection.attributes(url, options);
  } catch (error) {
    // The first receive or send will report the problem.
    if (!isDenied(error)) throw error;
  }
}

/** Loads the connection to SQS, with the AWS SDK. */
export function loadSqs(): Promise<typeof import("../aws/sqs.ts")> {
  return import("../aws/sqs.ts");
}

/** The key under which Deno, or an SDK on Node, registers OpenTelemetry. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/** Loads the reports to OpenTelemetry if it is on. */
export async function loadTelemetry(): Promise<Telemetry | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  const { createTelemetry } = await import("../telemetry/spans.ts");
  return createTelemetry();
}
