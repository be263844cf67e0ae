/**
 * The server's clock, which may differ from this machine's. Answers carry its
 * date, and requests that were signed for another time are refused, as AWS does.
 *
 * @module
 */

import { errorAnswer } from "./answers.ts";
import type { Dice } from "../support/dice.ts";
import type { HttpAnswer, HttpRequest } from "./http.ts";

/** How far a signature's time may be from the server's, in milliseconds. */
const TOLERANCE_MS = 15 * 60_000;

const MINUTE_MS = 60_000;

/** How far the clock may be ahead or behind, in milliseconds. */
const SKEWS_MS: readonly number[] = [
  -180 * MINUTE_MS,
  -40 * MINUTE_MS,
  0,
  20 * MINUTE_MS,
  60 * MINUTE_MS,
];

/** Draws another skew, so far from the last one that signatures are refused. */
export function drawSkewMs(dice: Dice, lastMs: number): number {
  return dice.pick(
    SKEWS_MS.filter((ms) => Math.abs(ms - lastMs) > TOLERANCE_MS),
  );
}

/** The server's clock. */
export class ServerClock {
  /** How far it is ahead of this machine's, in milliseconds. */
  skewMs: number;

  constructor(skewMs: number) {
    this.skewMs = skewMs;
  }

  /** The `date` of an answer. */
  get date(): string {
    return new Date(this.#now).toUTCString();
  }

  get #now(): number {
    return Date.now() + this.skewMs;
  }

  /** Refuses a request whose signature is too old, or from the future. */
  refusal({ headers }: HttpRequest): HttpAnswer | undefined {
    const signed = headers["x-amz-date"];
    if (signed === undefined) return undefined;
    const aheadMs = signedAt(signed) - this.#now;
    if (Math.abs(aheadMs) <= TOLERANCE_MS) return undefined;
    const now = signatureTime(this.#now);
    if (aheadMs > 0) {
      return errorAnswer(
        403,
        "RequestTimeTooSkewed",
        `Signature not yet current: ${signed} is still later than ${now}`,
      );
    }
    return errorAnswer(
      403,
      "InvalidSignatureException",
      `Signature expired: ${signed} is now earlier than ${now}`,
    );
  }
}

/** The time in a text such as `20261127T210000Z`. */
function signedAt(text: string): number {
  return Date.parse(
    text.replace(
      /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
      "$1-$2-$3T$4:$5:$6Z",
    ),
  );
}

function signatureTime(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, "");
}
