/**
 * Signals that are followed for a while.
 *
 * @module
 */

/** Calls back once the signal aborts, until it is disposed. */
export function follow(
  signal: AbortSignal | undefined,
  onAbort: () => void,
): Disposable {
  if (signal?.aborted) onAbort();
  else signal?.addEventListener("abort", onAbort);
  return {
    [Symbol.dispose]: () => signal?.removeEventListener("abort", onAbort),
  };
}

/** Aborts some time after a signal has, until it is disposed. */
export function abortAfter(
  signal: AbortSignal | undefined,
  ms: number,
  controller: AbortController,
): Disposable {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const following = follow(signal, () => {
    timer = setTimeout(() => controller.abort(), ms);
  });
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      following[Symbol.dispose]();
    },
  };
}
