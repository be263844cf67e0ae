/**
 * Settings of a queue of the testing double, checked as SQS checks them.
 *
 * @module
 */

import { MAX_BYTES } from "./_attributes.ts";
import type { QueueSettings } from "./_double_queue.ts";
import { MAX_VISIBILITY_SECONDS } from "./_errors.ts";
import { parseQueueRef, QUEUE_REF_HINT } from "./_queue_ref.ts";
import { refuseUnknown } from "./_unknown.ts";

/** SQS's own (SQS, "CreateQueue"), but for deduplication, which FIFO jobs need. */
const DEFAULTS = {
  visibilityTimeoutSeconds: 30,
  delaySeconds: 0,
  messageRetentionSeconds: 345_600,
  maximumMessageSize: MAX_BYTES,
  contentBasedDeduplication: true,
};

const RANGES = {
  visibilityTimeoutSeconds: [0, MAX_VISIBILITY_SECONDS],
  delaySeconds: [0, 900],
  messageRetentionSeconds: [60, 1_209_600],
  maximumMessageSize: [1024, MAX_BYTES],
} as const;

/**
 * Gives a queue's settings, with SQS's defaults for those left out.
 *
 * @param options The queue's name, and settings.
 * @returns The settings.
 * @throws {TypeError} If the name is not one that SQS takes, or an option is
 * unknown or of a wrong type.
 * @throws {RangeError} If a setting is out of SQS's range.
 */
export function settingsOf(
  options: Partial<QueueSettings> & { readonly name: string },
): QueueSettings {
  const { name, ...settings } = options;
  if (parseQueueRef(name)?.name !== name) {
    throw new TypeError(
      `Cannot make queue ${JSON.stringify(name)}: wanted ${QUEUE_REF_HINT}`,
    );
  }
  const action = `make queue "${name}"`;
  refuseUnknown(settings, [...Object.keys(DEFAULTS), "redrive"], action);
  for (const [setting, [from, to]] of Object.entries(RANGES)) {
    const value = settings[setting as keyof typeof RANGES];
    checkRange(action, setting, value, from, to);
  }
  const { contentBasedDeduplication: dedup, redrive } = settings;
  if (dedup !== undefined && typeof dedup !== "boolean") {
    throw new TypeError(
      `Cannot ${action} as "contentBasedDeduplication" must be a boolean: current value is ${
        JSON.stringify(dedup)
      }`,
    );
  }
  if (redrive !== undefined) {
    const { deadLetterQueue, maxReceiveCount } = redrive;
    refuseUnknown(redrive, ["deadLetterQueue", "maxReceiveCount"], action);
    checkRange(action, "maxReceiveCount", maxReceiveCount, 1, 1000);
    const fifo = name.endsWith(".fifo");
    if (String(deadLetterQueue).endsWith(".fifo") !== fifo) {
      throw new TypeError(
        `Cannot ${action} as its "deadLetterQueue" must be a ${
          fifo ? "FIFO" : "standard"
        } queue as it is itself: current value is ${
          JSON.stringify(deadLetterQueue)
        }`,
      );
    }
  }
  return { ...DEFAULTS, ...settings };
}

function checkRange(
  action: string,
  setting: string,
  value: number | undefined,
  from: number,
  to: number,
): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || value < from || value > to) {
    throw new RangeError(
      `Cannot ${action} as "${setting}" must be an integer from ${from} to ${to}: current value is ${
        JSON.stringify(value)
      }`,
    );
  }
}
