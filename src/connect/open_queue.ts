/**
 * Opens connections to SQS, or to the testing double where one is set up.
 *
 * @module
 */

import { type Clock, type Random, systemClock } from "../clock.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { testMode } from "./test_mode.ts";
import { NonExistentQueueError, SqsError } from "../errors.ts";
import {
  type Connection,
  type ConnectOptions,
  isMissingQueue,
} from "../sqs/connection.ts";
import {
  isHttpUrl,
  isRegion,
  parseQueueRef,
  QUEUE_REF_HINT,
  type QueueRef,
} from "../sqs/queue_ref.ts";

/** A queue that was found, and the connection to it. */
export interface OpenQueue {
  readonly ref: QueueRef;
  readonly url: string;
  readonly connection: Connection;
  /** The system's clock, or the testing double's. */
  readonly clock: Clock;
  /** `Math.random`, or the testing double's. */
  readonly random: Random;
}

/** How a queue is looked for. */
export interface OpenOptions extends ConnectOptions {
  /**
   * Whether a queue given by its URL is asked for its attributes, as nothing
   * else tells early that it does not exist.
   *
   * @default {true}
   */
  readonly probe?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Finds a queue.
 *
 * @param queue The queue's name, URL or ARN.
 * @param options Where to look.
 * @returns The queue's URL and an open connection.
 * @throws {TypeError} If `queue` is not the name, URL or ARN of a queue.
 * @throws {NonExistentQueueError} If there is no such queue.
 * @throws {SqsError} If SQS cannot be reached or refuses.
 */
export async function openQueue(
  queue: string,
  options: OpenOptions = {},
): Promise<OpenQueue> {
  const ref = typeof queue === "string" ? parseQueueRef(queue) : undefined;
  if (ref === undefined) {
    throw new TypeError(
      `Cannot open queue ${JSON.stringify(queue)}: wanted ${QUEUE_REF_HINT}`,
    );
  }
  const { signal, probe = true, ...where } = options;
  if (where.endpoint !== undefined && !isHttpUrl(where.endpoint)) {
    throw new TypeError(
      `Cannot open queue as "endpoint" must be an http or https URL: current value is ${
        JSON.stringify(where.endpoint)
      }`,
    );
  }
  if (where.region !== undefined && !isRegion(where.region)) {
    throw new TypeError(
      `Cannot open queue as "region" must be the name of an AWS region such as "eu-west-1": current value is ${
        JSON.stringify(where.region)
      }`,
    );
  }
  const connection = await connect(ref, where);
  const { clock = systemClock, random = Math.random } = testMode() ?? {};
  try {
    const call = signal === undefined ? {} : { signal };
    if (ref.url === undefined) {
      const url = await connection.queueUrl(ref.name, {
        ...call,
        ...(ref.accountId === undefined ? {} : { accountId: ref.accountId }),
      });
      return { ref, url, connection, clock, random };
    }
    // Nothing is looked up, as that needs a right of its own.
    if (probe) await probeQueue(connection, ref.url, call);
    return { ref, url: ref.url, connection, clock, random };
  } catch (error) {
    connection.close();
    throw openError(error, queue, connection.region);
  }
}

/** Why a queue cannot be opened, as an error that names it. */
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

/**
 * Where a queue is looked for: its URL or ARN may name the region.
 *
 * @param ref The queue.
 * @param options What was asked for, which comes first.
 */
export function whereOf(
  ref: QueueRef,
  options: ConnectOptions,
): ConnectOptions {
  const region = options.region ?? ref.region;
  return { ...options, ...(region === undefined ? {} : { region }) };
}

async function connect(
  ref: QueueRef,
  options: ConnectOptions,
): Promise<Connection> {
  const where = whereOf(ref, options);
  const mode = testMode();
  if (mode !== undefined) return mode.connect(where);
  const { connectToSqs } = await loadSqs();
  return await connectToSqs(where, ref.origin);
}

async function probeQueue(
  connection: Connection,
  url: string,
  options: { readonly signal?: AbortSignal },
): Promise<void> {
  try {
    await connection.attributes(url, options);
  } catch (error) {
    // Without that right the first receive or send will tell.
    if (!(error instanceof SqsError) || error.code !== "AccessDenied") {
      throw error;
    }
  }
}

/** Loads what speaks to SQS, with the AWS SDK. */
export function loadSqs(): Promise<typeof import("../aws/sqs.ts")> {
  return import("../aws/sqs.ts");
}

/** Loads what reports to OpenTelemetry. */
export async function loadOpenTelemetry(): Promise<
  typeof import("../telemetry/spans.ts")
> {
  await import("@opentelemetry/api");
  return await import("../telemetry/spans.ts");
}

/** Where the API keeps what is registered: Deno itself, or an SDK on Node. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/**
 * Loads OpenTelemetry where it is on.
 *
 * @returns What reports to it, or nothing where it is off.
 */
export async function loadTelemetry(): Promise<Telemetry | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  const { createTelemetry } = await loadOpenTelemetry();
  return createTelemetry();
}
