/**
 * A worker that computes: it counts the primes in a range.
 *
 * ```sh
 * deno run -A jsr:@zsqs/cli primes.ini --local
 * deno run -A jsr:@zsqs/cli send --local primes 0 10000000
 * ```
 *
 * @module
 */

import { getLogger } from "jsr:@zsqs/cli@^0.1.0";

const log = getLogger("primes");

/** Makes the worker. */
export default function primes(): (from: number, to: number) => void {
  return (from, to) => {
    let count = 0;
    for (let n = Math.max(2, from); n < to; n++) if (isPrime(n)) count++;
    log.info(`${count} primes from ${from} to ${to}`);
  };
}

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}
