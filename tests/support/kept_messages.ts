/**
 * Failed messages, as containers keep them.
 *
 * @module
 */

import type { OutgoingMessage } from "../../src/sqs/connection.ts";

/**
 * A message as a container keeps it.
 *
 * @param reason Members to replace in its reason.
 */
export function kept(
  i: number,
  more: Partial<OutgoingMessage> = {},
  reason: object = {},
): OutgoingMessage {
  return {
    body: `[[${i}],{}]`,
    ...more,
    attributes: {
      ...more.attributes,
      "zsqs.failure": {
        type: "String",
        value: JSON.stringify({
          queue: "adder",
          messageId: `source-${i}`,
          error: i % 2 === 0 ? "TypeError" : "RangeError",
          message: `${i} is bad`,
          receiveCount: 2,
          time: "1970-01-01T00:00:00.000Z",
          ...reason,
        }),
      },
    },
  };
}
