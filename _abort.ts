/**
 * Waiting that ends when a signal aborts.
 *
 * @module
 */

/** A promise's value, or `undefined` once the signal aborts. */
export async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = () => resolve(undefined);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Reads a source, and leaves it where a signal aborts, even if it stalls. */
export async function* untilAborted<T>(
  source: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  if (signal === undefined) return yield* source;
  const iterator = Symbol.asyncIterator in source
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]();
  let abort = () => {};
  const onAbort = () => abort();
  signal.addEventListener("abort", onAbort);
  let exhausted = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      // One each time: what is raced with a promise is held by it.
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      abort = () => reject(signal.reason);
      const next = await Promise.race([aborted, iterator.next()]);
      signal.throwIfAborted();
      exhausted = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // A source that stalls answers this when it goes on: nobody waits for it.
    if (!exhausted) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}
