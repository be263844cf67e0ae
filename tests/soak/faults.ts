/**
 * What goes wrong between zsqs and the server, drawn from a seed.
 *
 * @module
 */

import type { Dice } from "../support/dice.ts";
import type { HttpAnswer } from "./http.ts";

/** A fault of one request. */
export type Fault =
  /** Refused as SQS refuses requests that come too fast. */
  | { readonly kind: "throttled" }
  /** A 5xx; the request had its effect or had none. */
  | { readonly kind: "error"; readonly after: boolean }
  /** The connection is reset. */
  | { readonly kind: "reset"; readonly after: boolean }
  /** Half of the answer, then the end. */
  | { readonly kind: "truncated" }
  /** The request or its answer is late; zsqs may have given up meanwhile. */
  | { readonly kind: "late"; readonly after: boolean; readonly ms: number }
  /** Nothing more comes on this connection, and nobody says so. */
  | { readonly kind: "silent"; readonly after: boolean }
  /** Some entries of a batch are said to have failed; a part of those did. */
  | { readonly kind: "partial" }
  /** The server is away; it is not drawn, but asked for by the run. */
  | { readonly kind: "outage"; readonly after: boolean }
  /** The signature's time is too far from the server's; not drawn either. */
  | { readonly kind: "skewed"; readonly refusal: HttpAnswer };

/** A fault as it is noted and counted. */
export function faultText(fault: Fault): string {
  if (!("after" in fault)) return fault.kind;
  return `${fault.kind} ${fault.after ? "after" : "before"} the effect`;
}

/** How often requests meet a fault. */
export interface FaultRates {
  /** Of receives: each has the container pause for a second or more. */
  readonly receives: number;
  /** Of all others. */
  readonly others: number;
}

/** A storm comes after so many requests, and throttles so many in a row. */
const STORM_EVERY = 2_000;
const STORM_LENGTH = 40;

/** Draws faults. */
export class Faults {
  readonly #dice: Dice;
  readonly #rates: FaultRates;
  #requests = 0;

  constructor(dice: Dice, rates: FaultRates) {
    this.#dice = dice;
    this.#rates = rates;
  }

  /** The next request's fault, if it meets one. */
  draw(operation: string): Fault | undefined {
    const number = ++this.#requests % STORM_EVERY;
    const isStorm = this.#requests > STORM_EVERY && number < STORM_LENGTH;
    if (isStorm) return { kind: "throttled" };
    const rate = operation === "ReceiveMessage"
      ? this.#rates.receives
      : this.#rates.others;
    if (!this.#dice.chance(rate)) return undefined;
    return this.#fault(operation);
  }

  /** Whether an entry of a batch is said to have failed, and whether it has. */
  drawEntry(): { readonly fails: boolean; readonly forwarded: boolean } {
    return {
      fails: this.#dice.chance(0.4),
      forwarded: this.#dice.chance(0.5),
    };
  }

  #fault(operation: string): Fault {
    const after = this.#dice.chance(0.5);
    const dice = this.#dice.below(100);
    if (dice < 15) return { kind: "throttled" };
    if (dice < 30) return { kind: "error", after };
    if (dice < 45) return { kind: "reset", after };
    if (dice < 55) return { kind: "truncated" };
    if (dice < 73) {
      const isLong = this.#dice.chance(0.15);
      const ms = isLong
        ? 4_000 + this.#dice.below(4_000)
        : 20 + this.#dice.below(700);
      return { kind: "late", after, ms };
    }
    if (dice < 76) return { kind: "silent", after };
    return operation.endsWith("Batch")
      ? { kind: "partial" }
      : { kind: "reset", after };
  }
}
