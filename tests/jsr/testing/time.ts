/**
 * A stand-in for `@std/testing/time`, for networks that do not reach jsr.io:
 * written for this project, and no more than it uses.
 *
 * @module
 */

/** Time is faked already, or not any more. */
export class TimeError extends Error {
  /** Constructs a new instance. */
  constructor(message: string) {
    super(message);
    this.name = "TimeError";
  }
}

interface Timer {
  readonly callback: (...args: unknown[]) => unknown;
  readonly args: unknown[];
  readonly delay: number;
  readonly repeat: boolean;
  due: number;
}

const real = {
  Date,
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
  timeout: AbortSignal.timeout,
};

let current: FakeTime | undefined;

/** Stands in for `Date`, timers and `AbortSignal.timeout` until restored. */
export class FakeTime {
  readonly #start: number;
  #now: number;
  #lastId = 0;
  // In the order in which equal due times come up.
  readonly #timers: Map<number, Timer> = new Map();

  /** Constructs a new instance that starts at a time, by default now. */
  constructor(start?: number | string | Date | null) {
    if (current) {
      throw new TimeError("Cannot construct FakeTime: time is already faked");
    }
    this.#start = typeof start === "number"
      ? Math.floor(start)
      : start === undefined || start === null
      ? Date.now()
      : new Date(start).getTime();
    if (Number.isNaN(this.#start)) {
      throw new TypeError("Cannot construct FakeTime: invalid start time NaN");
    }
    this.#now = this.#start;
    this.#install();
    current = this;
  }

  /** The time at which this fake began, in milliseconds since the epoch. */
  get start(): number {
    return this.#start;
  }

  /** The time it is, in milliseconds; setting it runs the timers due by then. */
  get now(): number {
    return this.#now;
  }

  set now(value: number) {
    if (value < this.#now) {
      throw new RangeError(
        `Cannot set current time in the past, time must be >= ${this.#now}: received ${value}`,
      );
    }
    for (let next = this.#next(); next; next = this.#next()) {
      const [id, timer] = next;
      if (timer.due > value) break;
      this.#now = timer.due;
      this.#timers.delete(id);
      if (timer.repeat) {
        this.#timers.set(id, { ...timer, due: timer.due + timer.delay });
      }
      timer.callback(...timer.args);
    }
    this.#now = value;
  }

  /** Moves time on. */
  tick(ms = 0): void {
    this.now += ms;
  }

  /** Runs pending microtasks, then moves time on. */
  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.now += ms;
  }

  /** Runs pending microtasks. */
  async runMicrotasks(): Promise<void> {
    await new Promise((resolve) => real.setTimeout(resolve, 0));
  }

  /** Moves time on to the next timer; false if there is none. */
  next(): boolean {
    const next = this.#next();
    if (next) this.now = next[1].due;
    return next !== undefined;
  }

  /** Runs pending microtasks, then moves time on to the next timer. */
  async nextAsync(): Promise<boolean> {
    await this.runMicrotasks();
    return this.next();
  }

  /** Moves time on until there are no more timers. */
  runAll(): void {
    while (this.next());
  }

  /** Moves time on until there are no more timers, microtasks in between. */
  async runAllAsync(): Promise<void> {
    while (this.#timers.size > 0) await this.nextAsync();
  }

  /** Brings the real time back. */
  restore(): void {
    if (current !== this) {
      throw new TimeError("Cannot restore time: time is already restored");
    }
    current = undefined;
    globalThis.Date = real.Date;
    globalThis.setTimeout = real.setTimeout;
    globalThis.clearTimeout = real.clearTimeout;
    globalThis.setInterval = real.setInterval;
    globalThis.clearInterval = real.clearInterval;
    AbortSignal.timeout = real.timeout;
  }

  /** Brings the real time back at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.restore();
  }

  #next(): [id: number, timer: Timer] | undefined {
    let first: [number, Timer] | undefined;
    for (const entry of this.#timers) {
      if (!first || entry[1].due < first[1].due) first = entry;
    }
    return first;
  }

  #add(
    repeat: boolean,
    callback: Timer["callback"],
    delay = 0,
    ...args: unknown[]
  ): number {
    if (typeof callback !== "function") {
      throw new TimeError(
        `FakeTime does not support non-function callbacks to ${
          repeat ? "setInterval" : "setTimeout"
        }`,
      );
    }
    const whole = Math.max(repeat ? 1 : 0, Math.floor(delay));
    const due = this.#now + whole;
    this.#timers.set(++this.#lastId, {
      callback,
      args,
      delay: whole,
      repeat,
      due,
    });
    return this.#lastId;
  }

  #install(): void {
    const now = (): number => this.#now;
    // A proxy and no subclass: dates made now must be like any other date.
    globalThis.Date = new Proxy(real.Date, {
      construct: (target, args) =>
        Reflect.construct(target, args.length === 0 ? [this.#now] : args),
      apply: () => new real.Date(this.#now).toString(),
      get: (target, key) => key === "now" ? now : Reflect.get(target, key),
    });
    const clear = (id?: unknown): void => {
      this.#timers.delete(id as number);
    };
    const globals = globalThis as unknown as Record<string, unknown>;
    globals.setTimeout = this.#add.bind(this, false);
    globals.setInterval = this.#add.bind(this, true);
    globals.clearTimeout = clear;
    globals.clearInterval = clear;
    AbortSignal.timeout = (ms) => {
      const controller = new AbortController();
      this.#add(false, () =>
        controller.abort(
          new DOMException("Signal timed out.", "TimeoutError"),
        ), ms);
      return controller.signal;
    };
  }
}
