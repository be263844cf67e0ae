/**
 * Calls of the double's connections, replaced by a test.
 *
 * @module
 */

import { setTestMode, testMode } from "../../src/connect/test_mode.ts";
import type { Connection } from "../../src/sqs/connection.ts";

/** Calls that a test replaces; `real` is the double's connection. */
export type CallFaults = {
  [K in Exclude<keyof Connection, "region" | "clockAheadMs" | "close">]?: (
    real: Connection,
    ...args: Parameters<Connection[K]>
  ) => ReturnType<Connection[K]>;
};

/** A connection whose calls are replaced by the ones that there are at the time. */
export function withFaults(
  real: Connection,
  faults: () => CallFaults,
): Connection {
  return {
    region: real.region,
    clockAheadMs: real.clockAheadMs,
    queueUrl: (...args) =>
      faults().queueUrl?.(real, ...args) ?? real.queueUrl(...args),
    attributes: (...args) =>
      faults().attributes?.(real, ...args) ?? real.attributes(...args),
    send: (...args) => faults().send?.(real, ...args) ?? real.send(...args),
    receive: (...args) =>
      faults().receive?.(real, ...args) ?? real.receive(...args),
    delete: (...args) =>
      faults().delete?.(real, ...args) ?? real.delete(...args),
    changeVisibility: (...args) =>
      faults().changeVisibility?.(real, ...args) ??
        real.changeVisibility(...args),
    close: () => real.close(),
  };
}

/** Replaces calls of connections that are opened from now on. */
export function replaceCalls(faults: CallFaults): Disposable {
  const before = testMode()!;
  setTestMode({
    ...before,
    connect: (options) => withFaults(before.connect(options), () => faults),
  });
  return { [Symbol.dispose]: () => void setTestMode(before) };
}
