/**
 * Reads and checks the values of single options.
 *
 * Each check returns the parsed value, or `undefined` if it refuses the value.
 *
 * @module
 */

import { isVisibilitySeconds } from "../job_errors.ts";
import type { RetryDelay } from "../job/decide.ts";
import type { HooksFactory, LoadHooksOptions } from "../job/hooks.ts";
import type { WorkerFactory } from "../job/worker.ts";
import { parseWorkerSpec, type WorkerSpec } from "../job/worker_spec.ts";
import { parseQueueRef, type QueueRef } from "../sqs/queue_ref.ts";
import { suggest } from "../text.ts";

export interface Address {
  readonly text: string;
  /** The host's name or IP address, an IPv6 address without brackets. */
  readonly host: string;
  /** The port; 0 takes a free one. */
  readonly port: number;
}

/** Reads `host:port`, with an IPv6 address in brackets. */
export function checkAddress(value: unknown): Address | undefined {
  const text = typeof value === "string" ? value : "";
  const match = /^(?:\[([\da-f:.]+)\]|([a-z\d](?:[a-z\d.-]*[a-z\d])?)):(\d+)$/i
    .exec(text);
  const port = Number(match?.[3]);
  return match !== null && port <= 65_535
    ? { text, host: (match[1] ?? match[2])!, port }
    : undefined;
}

export function checkQueue(value: unknown): QueueRef | undefined {
  return typeof value === "string" ? parseQueueRef(value) : undefined;
}

/** Reads `failures`: a program's value, in which a queue is an object. */
export function checkFailures(
  value: unknown,
): "delete" | "keep" | QueueRef | undefined {
  if (value === "delete" || value === "keep") return value;
  const { queue, ...others } = Object(value);
  return Object.keys(others).length === 0 ? checkQueue(queue) : undefined;
}

export function failuresFromText(text: string): unknown {
  return text === "delete" || text === "keep" ? text : { queue: text };
}

/** Reads a retry delay: a number of seconds, or `min` and `max`. */
export function checkRetryDelay(value: unknown): RetryDelay | undefined {
  const { min = value, max = value, ...others } = Object(value);
  if (!isVisibilitySeconds(min) || !isVisibilitySeconds(max)) return undefined;
  return min <= max && Object.keys(others).length === 0
    ? { minSeconds: min, maxSeconds: max }
    : undefined;
}

/** A program's retry delay for text such as `30` or `1..600`. */
export function retryDelayFromText(text: string): unknown {
  const [min, max, ...others] = text.split("..").map(integerFromText);
  if (others.length > 0) return text;
  return max === undefined ? min : { min, max };
}

export function integerFromText(text: string): unknown {
  return /^(?:0|-?[1-9][0-9]*)$/.test(text) ? Number(text) : text;
}

export function booleanFromText(text: string): unknown {
  return text === "true" ? true : text === "false" ? false : text;
}

/** Joins a permission's values as Deno's flag takes them; `"true"` is all. */
export function checkPermission(value: unknown): string | undefined {
  if (value === true) return "true";
  const items: unknown = typeof value === "string" ? value.split(",") : value;
  if (!Array.isArray(items) || items.length === 0) return undefined;
  const trimmed = items.map((item) => typeof item === "string" && item.trim());
  // Deno would take an empty item for one that names nothing, or all.
  const isItem = (item: string | false) =>
    item && item !== "false" && !/[\p{Cc},]/u.test(item);
  return trimmed.every(isItem) ? trimmed.join(",") : undefined;
}

/** Reads `hooks`; what an object has is checked apart. */
export function checkHooks(
  value: unknown,
  folder: string,
): LoadHooksOptions["hooks"] {
  if (typeof value === "string") return parseWorkerSpec(value, folder);
  if (typeof value === "function") return value as HooksFactory;
  return typeof value === "object" && value !== null
    ? { hooks: value }
    : undefined;
}

export function checkWorker(
  value: unknown,
  folder: string,
): WorkerSpec | WorkerFactory | undefined {
  if (typeof value === "string") return parseWorkerSpec(value, folder);
  return typeof value === "function" ? value as WorkerFactory : undefined;
}

/** Options of producers, without case and "_". */
const PRODUCERS: readonly string[] = ["largefrom", "encoding"];

/** What a name is that no option of a container has. */
export function unknownOption(name: string, known: readonly string[]): string {
  return PRODUCERS.includes(name.replaceAll("_", "").toLowerCase())
    ? "is an option of producers: give it to Queue() or zsqs send, and remove it here"
    : `is not an option: ${suggest(name, known, "options")}`;
}
