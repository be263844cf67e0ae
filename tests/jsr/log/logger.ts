/**
 * A stand-in for `@std/log/logger`, for networks that do not reach jsr.io:
 * written for this project, and no more than it uses.
 *
 * @module
 */

import type { BaseHandler } from "./base_handler.ts";
import {
  getLevelByName,
  getLevelName,
  type LevelName,
  type LogLevel,
  LogLevels,
} from "./levels.ts";

/** Any function. */
// deno-lint-ignore no-explicit-any
export type GenericFunction = (...args: any[]) => any;

/** Options for {@linkcode LogRecord}. */
export interface LogRecordOptions {
  /** The message. */
  msg: string;
  /** The arguments that came with the message. */
  args: unknown[];
  /** The level of the message. */
  level: LogLevel;
  /** The name of the logger it came through. */
  loggerName: string;
}

/** One logged message. */
export class LogRecord {
  /** The message. */
  readonly msg: string;
  /** The level of the message. */
  readonly level: number;
  /** The name of the level of the message. */
  readonly levelName: string;
  /** The name of the logger it came through. */
  readonly loggerName: string;
  #args: readonly unknown[];
  #time: number = Date.now();

  /** Constructs a new instance, made now. */
  constructor(options: LogRecordOptions) {
    this.msg = options.msg;
    this.level = options.level;
    this.levelName = getLevelName(options.level);
    this.loggerName = options.loggerName;
    this.#args = [...options.args];
  }

  /** A copy of the arguments that came with the message. */
  get args(): unknown[] {
    return [...this.#args];
  }

  /** When the record was made. */
  get datetime(): Date {
    return new Date(this.#time);
  }
}

/** Options for {@linkcode Logger}. */
export interface LoggerOptions {
  /** The handlers that get each record. */
  handlers?: BaseHandler[];
}

type Message<T> = (T extends GenericFunction ? never : T) | (() => T);

/** Makes records of messages and hands them to its handlers. */
export class Logger {
  /** The handlers that get each record. */
  handlers: BaseHandler[];
  #level: LogLevel;
  #loggerName: string;

  /** Constructs a new instance for messages from this level up. */
  constructor(
    loggerName: string,
    levelName: LevelName,
    options: LoggerOptions = {},
  ) {
    this.#loggerName = loggerName;
    this.#level = getLevelByName(levelName);
    this.handlers = options.handlers ?? [];
  }

  /** The lowest level that is logged. */
  get level(): LogLevel {
    return this.#level;
  }

  set level(level: LogLevel) {
    if (!Object.values(LogLevels).includes(level)) {
      throw new TypeError(`Invalid log level: ${level}`);
    }
    this.#level = level;
  }

  /** The name of the lowest level that is logged. */
  get levelName(): LevelName {
    return getLevelName(this.#level);
  }

  set levelName(levelName: LevelName) {
    this.#level = getLevelByName(levelName);
  }

  /** The logger's name. */
  get loggerName(): string {
    return this.#loggerName;
  }

  /** Logs at the debug level, calling a function only if it is logged. */
  debug<T>(msg: () => T, ...args: unknown[]): T | undefined;
  /** Logs at the debug level. */
  debug<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  debug<T>(msg: Message<T>, ...args: unknown[]): T | undefined {
    return this.#log(LogLevels.DEBUG, msg, args);
  }

  /** Logs at the info level, calling a function only if it is logged. */
  info<T>(msg: () => T, ...args: unknown[]): T | undefined;
  /** Logs at the info level. */
  info<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  info<T>(msg: Message<T>, ...args: unknown[]): T | undefined {
    return this.#log(LogLevels.INFO, msg, args);
  }

  /** Logs at the warn level, calling a function only if it is logged. */
  warn<T>(msg: () => T, ...args: unknown[]): T | undefined;
  /** Logs at the warn level. */
  warn<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  warn<T>(msg: Message<T>, ...args: unknown[]): T | undefined {
    return this.#log(LogLevels.WARN, msg, args);
  }

  /** Logs at the error level, calling a function only if it is logged. */
  error<T>(msg: () => T, ...args: unknown[]): T | undefined;
  /** Logs at the error level. */
  error<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  error<T>(msg: Message<T>, ...args: unknown[]): T | undefined {
    return this.#log(LogLevels.ERROR, msg, args);
  }

  /** Logs at the critical level, calling a function only if it is logged. */
  critical<T>(msg: () => T, ...args: unknown[]): T | undefined;
  /** Logs at the critical level. */
  critical<T>(
    msg: T extends GenericFunction ? never : T,
    ...args: unknown[]
  ): T;
  critical<T>(msg: Message<T>, ...args: unknown[]): T | undefined {
    return this.#log(LogLevels.CRITICAL, msg, args);
  }

  #log<T>(level: LogLevel, msg: Message<T>, args: unknown[]): T | undefined {
    const logged = level >= this.#level;
    let data: T | undefined;
    if (typeof msg !== "function") data = msg as T;
    else if (logged) data = (msg as () => T)();
    if (!logged) return data;
    const record = new LogRecord({
      msg: toText(data),
      args,
      level,
      loggerName: this.#loggerName,
    });
    for (const handler of this.handlers) handler.handle(record);
    return data;
  }
}

function toText(data: unknown): string {
  if (typeof data === "function") return "undefined";
  if (typeof data !== "object" || data === null) return String(data);
  if (data instanceof Error) return String(data.stack);
  const properties = Object.entries(data).map(([key, value]) =>
    `"${key}":${typeof value === "string" ? `"${value}"` : toText(value)}`
  );
  return `{${properties.join(",")}}`;
}
