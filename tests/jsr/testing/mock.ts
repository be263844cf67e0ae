/**
 * A stand-in for `@std/testing/mock`, for networks that do not reach jsr.io:
 * written for this project, and no more than it uses.
 *
 * @module
 */

// deno-lint-ignore-file no-explicit-any

/** A spy cannot be made or restored. */
export class MockError extends Error {
  /** Constructs a new instance. */
  constructor(message: string) {
    super(message);
    this.name = "MockError";
  }
}

/** One call of a spy. */
export interface SpyCall<
  Self = any,
  Args extends unknown[] = any[],
  Return = any,
> {
  /** The arguments of the call. */
  args: Args;
  /** What the call returned. */
  returned?: Return;
  /** What the call threw. */
  error?: Error;
  /** The `this` of the call. */
  self?: Self;
}

/** A function that records its calls. */
export interface Spy<
  Self = any,
  Args extends unknown[] = any[],
  Return = any,
> {
  (this: Self, ...args: Args): Return;
  /** The function that is spied on. */
  original: (this: Self, ...args: Args) => Return;
  /** The calls so far. */
  calls: SpyCall<Self, Args, Return>[];
  /** Whether the original method is back in its place. */
  restored: boolean;
  /** Puts the original method back. */
  restore(): void;
}

/** A method that records its calls. */
export interface MethodSpy<
  Self = any,
  Args extends unknown[] = any[],
  Return = any,
> extends Spy<Self, Args, Return>, Disposable {}

/** A method's replacement that records its calls. */
export interface Stub<
  Self = any,
  Args extends unknown[] = any[],
  Return = any,
> extends MethodSpy<Self, Args, Return> {
  /** The function that is called in place of the original. */
  fake: (this: Self, ...args: Args) => Return;
}

/** The parameters of a method. */
export type GetParametersFromProp<Self, Prop extends keyof Self> =
  Self[Prop] extends (...args: infer Args) => unknown ? Args : unknown[];

/** What a method returns. */
export type GetReturnFromProp<Self, Prop extends keyof Self> =
  Self[Prop] extends (...args: any[]) => infer Return ? Return : unknown;

/** Makes a function that does nothing but record its calls. */
export function spy<
  Self = any,
  Args extends unknown[] = any[],
  Return = undefined,
>(): Spy<Self, Args, Return>;
/** Wraps a function so that its calls are recorded. */
export function spy<Self, Args extends unknown[], Return>(
  func: (this: Self, ...args: Args) => Return,
): Spy<Self, Args, Return>;
/** Wraps a method in its place so that its calls are recorded. */
export function spy<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
): MethodSpy<
  Self,
  GetParametersFromProp<Self, Prop>,
  GetReturnFromProp<Self, Prop>
>;
export function spy(target: any = nothing, property?: PropertyKey): Spy {
  if (property !== undefined) {
    if (typeof target[property] !== "function") {
      throw new MockError("Cannot spy: property is not an instance method");
    }
    return replace(target, property, target[property], "spy");
  }
  return Object.defineProperties(record(target) as Spy, {
    original: { enumerable: true, value: target },
    restored: { enumerable: true, value: false },
    restore: {
      enumerable: true,
      value: () => {
        throw new MockError("Cannot restore: function cannot be restored");
      },
    },
  });
}

/** Replaces a method by a function, by default one that does nothing. */
export function stub<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
  func?: (
    this: Self,
    ...args: GetParametersFromProp<Self, Prop>
  ) => GetReturnFromProp<Self, Prop>,
): Stub<Self, GetParametersFromProp<Self, Prop>, GetReturnFromProp<Self, Prop>>;
export function stub(
  self: any,
  property: PropertyKey,
  func: (...args: any[]) => unknown = nothing,
): Stub {
  if (self[property] !== undefined && typeof self[property] !== "function") {
    throw new MockError("Cannot stub: property is not an instance method");
  }
  const stubbed = replace(self, property, func, "stub");
  return Object.defineProperty(stubbed as Stub, "fake", {
    enumerable: true,
    value: func,
  });
}

const spies = new WeakSet<object>();

function replace(
  self: any,
  property: PropertyKey,
  func: (...args: any[]) => unknown,
  verb: string,
): MethodSpy {
  const original = self[property];
  if (spies.has(original)) {
    throw new MockError(`Cannot ${verb}: already spying on instance method`);
  }
  const before = Object.getOwnPropertyDescriptor(self, property);
  if (before && !before.configurable) {
    throw new MockError(`Cannot ${verb}: non-configurable instance method`);
  }
  let restored = false;
  const restore = (): void => {
    if (restored) {
      throw new MockError("Cannot restore: instance method already restored");
    }
    if (before) Object.defineProperty(self, property, before);
    else delete self[property];
    restored = true;
  };
  const recorder = Object.defineProperties(record(func) as MethodSpy, {
    original: { enumerable: true, value: original },
    restored: { enumerable: true, get: () => restored },
    restore: { enumerable: true, value: restore },
    [Symbol.dispose]: { value: restore },
  });
  spies.add(recorder);
  Object.defineProperty(self, property, {
    configurable: true,
    enumerable: before?.enumerable ?? false,
    writable: before?.writable ?? false,
    value: recorder,
  });
  return recorder;
}

function record(func: (...args: any[]) => unknown): unknown {
  const calls: SpyCall[] = [];
  const recorder = function (this: unknown, ...args: unknown[]): unknown {
    const call: SpyCall = { args };
    if (this) call.self = this;
    try {
      return call.returned = func.apply(this, args);
    } catch (error) {
      call.error = error as Error;
      throw error;
    } finally {
      calls.push(call);
    }
  };
  return Object.defineProperty(recorder, "calls", {
    enumerable: true,
    value: calls,
  });
}

function nothing(): undefined {}
