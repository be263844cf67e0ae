/**
 * What the parts of an engine share: the queue, time, chance, and where they
 * log and report.
 *
 * @module
 */

import type { Clock, Random } from "../clock.ts";
import type { ContainerConfig } from "../config/options.ts";
import type { Logger } from "../logging/loggers.ts";
import type { Reading } from "../message/reading.ts";
import type { Connection } from "../sqs/connection.ts";
import type { ContainerEvents, Operation } from "../telemetry/events.ts";
import type { Visibility } from "./visibility.ts";

/** The calls that an engine makes. */
export type EngineConnection = Pick<
  Connection,
  "receive" | "delete" | "changeVisibility"
>;

/** The options of a container that its engine heeds. */
export type EngineOptions =
  & Reading
  & Pick<
    ContainerConfig,
    | "concurrency"
    | "batch"
    | "batchWaitSeconds"
    | "prefetch"
    | "waitTimeSeconds"
    | "deleteDelaySeconds"
    | "timeoutSeconds"
    | "attempts"
    | "retryDelay"
  >;

/** How many jobs may run at a time. */
export function jobsAtATime(
  { concurrency, batch = 1 }: Pick<EngineOptions, "concurrency" | "batch">,
): number {
  return concurrency * batch;
}

/** What every part of an engine is given. */
export interface EngineContext {
  readonly connection: EngineConnection;
  readonly url: string;
  /** The queue's name. */
  readonly queue: string;
  readonly fifo: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly loggers: { get(name: string): Logger };
  readonly options: EngineOptions;
  /** The visibility timeout that receives and extensions ask for. */
  readonly visibility: Visibility;
  readonly events: ContainerEvents;
  /**
   * Whether somebody else received the messages, and returns all that are not
   * deleted, as AWS Lambda does. Nothing is released, and nobody knows how long
   * they stay hidden.
   */
  readonly isGuest?: boolean;
}

/** The part of a context that a request needs. */
export type Requesting = Pick<EngineContext, "connection" | "url" | "events">;

/** Makes a request to SQS and reports it. */
export async function request<T>(
  { events, connection, url }: Requesting,
  operation: Operation,
  call: (connection: EngineConnection, url: string) => Promise<T>,
): Promise<T> {
  const startMs = performance.now();
  try {
    const answer = await call(connection, url);
    events.requested(operation, performance.now() - startMs);
    return answer;
  } catch (error) {
    events.requested(operation, performance.now() - startMs, error);
    throw error;
  }
}
