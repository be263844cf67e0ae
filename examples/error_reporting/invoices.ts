/**
 * A worker with two kinds of bad days: an invoice that makes no sense, and a
 * library that ends the process.
 *
 * ```sh
 * export ERRORS_URL=https://errors.example.com/reports
 * deno run -A jsr:@zsqs/cli invoices.ini --local
 * deno run -A jsr:@zsqs/cli send --local invoices A-1 -5
 * ```
 *
 * @module
 */

import { getLogger, PermanentError } from "jsr:@zsqs/cli@^0.1.0";

const log = getLogger("invoices");

/** Makes the worker. */
export default function invoices(): (id: string, euros: number) => void {
  return (id, euros) => {
    // Stands in for a native library that crashes.
    if (euros === 0) Deno.exit(3);
    if (euros < 0) {
      // Another attempt cannot help.
      throw new PermanentError(`Invoice ${id} is of ${euros} euros`);
    }
    log.info(`${id} sent`);
  };
}
