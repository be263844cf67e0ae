/**
 * Sends the job of a form.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { loadTelemetry } from "../connect/open_queue.ts";
import { messageOf } from "../errors.ts";
import { parseExact } from "../message/strict_json.ts";
import { Sender } from "../sending/sender.ts";
import { MAX_DELAY_SECONDS } from "../sqs/connection.ts";
import { printable } from "../text.ts";
import type { WatchedQueue } from "./queues.ts";

/** The fields, as they were typed. */
interface JobForm {
  readonly arguments: string;
  readonly delay: string;
  readonly group: string;
}

/** Sends a job; returns why it was not sent, if so. */
export async function sendJob(
  queue: WatchedQueue,
  form: JobForm,
): Promise<{ readonly messageId: string } | { readonly error: string }> {
  const { open, writing } = queue;
  if (open === undefined) {
    return { error: "Not sent: SQS did not answer for this queue. Try again." };
  }
  const args = argumentsOf(form.arguments, writing.body);
  if (typeof args === "string") return { error: `Not sent: ${args}` };
  const delay = form.delay.trim();
  if (!/^\d{0,3}$/.test(delay) || Number(delay) > MAX_DELAY_SECONDS) {
    return {
      error:
        `Not sent: the delay must be an integer from 0 to ${MAX_DELAY_SECONDS}. Fix it, then send again.`,
    };
  }
  const group = form.group.trim();
  try {
    // It closes nothing: others use the connection.
    const sender = new Sender(open, writing, {
      telemetry: await loadTelemetry(),
    });
    const { messageId } = await sender.send(args, {
      ...(queue.ref.fifo
        // Each click is a new job.
        ? { groupId: group || undefined, deduplicationId: randomUUID() }
        : {
          // Without one, the queue's own delay counts.
          delaySeconds: delay === "" ? undefined : Number(delay),
          groupId: group || undefined,
        }),
    });
    return { messageId };
  } catch (error) {
    return { error: `Not sent: ${printable(messageOf(error)).slice(0, 500)}` };
  }
}

/** The arguments of a job, or why there are none. */
function argumentsOf(
  text: string,
  body: "job" | "json" | "text",
): readonly unknown[] | string {
  if (body === "text") return [text];
  try {
    const value = parseExact(text);
    if (body === "json") return [value];
    if (Array.isArray(value)) return value;
  } catch (error) {
    // A number that JavaScript would change.
    if (error instanceof RangeError) return printable(messageOf(error));
  }
  return body === "job"
    ? "arguments must be a JSON array. Fix them, then send again."
    : "the body must be JSON. Fix it, then send again.";
}
