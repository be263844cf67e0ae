/**
 * Code that a call does not run: generators, classes, streams that nobody
 * reads. A job that leaves such code behind has done nothing.
 *
 * @module
 */

/** Whether a function is a class, or another one that only `new` can call. */
export function isClass(
  value: unknown,
): value is abstract new (...args: never[]) => unknown {
  if (typeof value !== "function") return false;
  if (/^class\b/.test(Function.prototype.toString.call(value))) return true;
  // A class behind a proxy shows no text, one that is bound only its parent.
  const prototype = Object.getOwnPropertyDescriptor(value, "prototype");
  return prototype?.writable === false && !Object.isFrozen(value) ||
    isClass(Object.getPrototypeOf(value));
}

/**
 * What a function is if a call of it runs none of its code.
 *
 * @returns Text such as `a generator function`, or `undefined`.
 */
export function uncallable(value: unknown): string | undefined {
  if (typeof value !== "function") return undefined;
  // Bound functions and proxies inherit the tag.
  switch (Object.prototype.toString.call(value)) {
    case "[object GeneratorFunction]":
      return "a generator function";
    case "[object AsyncGeneratorFunction]":
      return "an async generator function";
  }
  return isClass(value) ? "a class" : undefined;
}

/** A class needs another step than a generator function. */
export function callableHint(what: string): string {
  return what === "a class"
    ? "give an instance of it, or the class itself as the worker"
    : "give a function or async function, whose code runs when it is called";
}

/**
 * What a handler returned, if that is code which has not run.
 *
 * @returns Text such as `a generator`, or `undefined`. It never rejects.
 */
export async function unrunCode(value: unknown): Promise<string | undefined> {
  try {
    if (typeof value === "function") return uncallable(value) ?? "a function";
    if (typeof value !== "object" || value === null) return undefined;
    return await unrunObject(value);
  } catch {
    return undefined; // A proxy or getter that throws.
  }
}

async function unrunObject(value: object): Promise<string | undefined> {
  if (value instanceof ReadableStream) {
    return await isUnread(value) ? "a stream that nobody read" : undefined;
  }
  const object = value as Readonly<Record<PropertyKey, unknown>>;
  const isAsync = typeof object[Symbol.asyncIterator] === "function";
  if (isAsync && "readableFlowing" in object) {
    return isNodeStreamRead(object) ? undefined : "a stream that nobody read";
  }
  const isIterable = isAsync || typeof object[Symbol.iterator] === "function";
  if (isIterable && typeof object.next === "function") {
    return typeof object.throw === "function" ? "a generator" : "an iterator";
  }
  // Arrays and maps hold values; an asynchronous iteration makes them.
  if (isAsync) return "an async iterable";
  const isWorker = typeof object.handle === "function" ||
    typeof object.handleBatch === "function";
  return isWorker ? "a worker" : undefined;
}

/** Whether somebody read it, or reads it now. */
function isNodeStreamRead(stream: Readonly<Record<PropertyKey, unknown>>) {
  return stream.readableDidRead === true || stream.readableEnded === true ||
    stream.readableFlowing === true || stream.destroyed === true;
}

/** Whether nobody reads it, and it has not ended. */
async function isUnread(stream: ReadableStream): Promise<boolean> {
  if (stream.locked) return false;
  const reader = stream.getReader();
  let hasEnded = false;
  const onEnd = () => hasEnded = true;
  reader.closed.then(onEnd, onEnd);
  await Promise.resolve();
  const isUnread = !hasEnded;
  reader.releaseLock();
  return isUnread;
}
