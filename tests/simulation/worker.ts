/**
 * Runs scenarios beside others, in a separate thread.
 *
 * @module
 */

import { simulate } from "./run.ts";
import type { Scenario } from "./scenario.ts";

const thread = self as unknown as {
  onmessage: (event: MessageEvent<Scenario>) => void;
  postMessage(message: unknown): void;
};

thread.onmessage = async ({ data }) => {
  try {
    thread.postMessage({ measured: await simulate(data) });
  } catch (error) {
    thread.postMessage({ problem: String(error) });
  }
};
