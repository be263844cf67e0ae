/**
 * A worker for containers and for AWS Lambda.
 *
 * @module
 */

import { TransientError } from "jsr:@zsqs/cli@^0.1.0";

/** What the worker is made with: `scale` is a number, or its text in an ini file. */
export interface AdderConfig {
  readonly scale?: string | number;
}

/** Makes the worker. */
export function scaledAdder({ scale = 1 }: AdderConfig) {
  return (a: number, b: number, x: number | "later") => {
    if (x === "later") throw new TransientError("not now");
    if (typeof x !== "number") throw new TypeError(`x must be a number: ${x}`);
    console.log(Number(scale) * (a + b + x));
  };
}
