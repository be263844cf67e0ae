/**
 * A fault of any kind, drawn from a seed.
 *
 * @module
 */

import type { Random } from "../../src/clock.ts";
import type { Fault, FaultOperation } from "../../testing.ts";

/** Draws a fault for a queue's sends, receives, deletes or changes. */
export function anyFault(random: Random, fifo: boolean): Fault {
  const pick = <T>(...items: T[]): T =>
    items[Math.floor(random() * items.length)]!;
  const upTo = (seconds: number) => random() * seconds;
  const amount = random() < 0.5
    ? { times: 1 + Math.floor(random() * 5) }
    : { probability: pick(0.03, 0.1, 0.3) };
  const operation = pick<FaultOperation>(
    "SendMessage",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
  );
  const batch = operation === "ReceiveMessage" ? "DeleteMessage" : operation;
  const hold = batch === "SendMessage" ? "DeleteMessage" : batch;
  const late = operation === "ReceiveMessage"
    ? pick(upTo(12), Infinity)
    : upTo(4);
  return pick<Fault>(
    {
      kind: "error",
      operation,
      code: pick("InternalError", "ECONNRESET", "AccessDenied"),
      ...amount,
    },
    { kind: "lostAnswer", operation, ...amount },
    {
      kind: "partialFailure",
      operation: batch,
      afterEffect: random() < 0.3,
      ...amount,
    },
    { kind: "throttle", operation, durationSeconds: upTo(20) },
    { kind: "lateAnswer", operation, delaySeconds: late, ...amount },
    { kind: "expiredHandle", operation: hold, ...amount },
    fifo
      ? { kind: "lostAnswer", operation: "ReceiveMessage", ...amount }
      : pick<Fault>(
        { kind: "duplicate", delaySeconds: upTo(30), ...amount },
        { kind: "reordering", ...amount },
      ),
  );
}
