/**
 * Hooks that report errors to a service. They run in the container, so isolated
 * jobs need no access to the service, and jobs that are killed are reported, too.
 *
 * @module
 */

import type { Hooks } from "jsr:@zsqs/cli@^0.1.0";

/** Less than the 5 s for which a stop waits. */
const TIMEOUT_MS = 4_000;

/** Makes the hooks. `ERRORS_URL` is the address of the service. */
export default function reports(): Hooks {
  const url = Deno.env.get("ERRORS_URL");
  if (!url) throw new TypeError("Set ERRORS_URL to the address of the service");

  async function report(what: string, error: unknown, details: object) {
    const { name, message, stack } = error instanceof Error
      ? error
      : new Error(String(error));
    const response = await fetch(url!, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ what, name, message, stack, ...details }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    // What a hook throws is logged.
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  }

  return {
    async jobEnded({ queue, messageId, receiveCount }, { outcome, error }) {
      if (outcome !== "failed" && outcome !== "retried") return;
      // Not the arguments: they may be personal data.
      await report(`job ${outcome}`, error, { queue, messageId, receiveCount });
    },
    async receiveFailed(error) {
      await report("receive failed", error, {});
    },
  };
}
