/**
 * A stand-in for `@std/log/base-handler`, for networks that do not reach
 * jsr.io: written for this project, and no more than it uses.
 *
 * @module
 */

import {
  getLevelByName,
  getLevelName,
  type LevelName,
  type LogLevel,
} from "./levels.ts";
import type { LogRecord } from "./logger.ts";

export type { LevelName, LogLevel, LogRecord };

/** Turns a record into the text that is logged. */
export type FormatterFunction = (logRecord: LogRecord) => string;

/** Options for {@linkcode BaseHandler}. */
export interface BaseHandlerOptions {
  /** Turns a record into text; by default its level's name and message. */
  formatter?: FormatterFunction;
}

/** What each log handler is built on. */
export abstract class BaseHandler {
  #level: LogLevel;
  #levelName: LevelName;

  /** Turns a record into the text that is logged. */
  formatter: FormatterFunction;

  /** Constructs a new instance for records from this level up. */
  constructor(levelName: LevelName, options: BaseHandlerOptions = {}) {
    this.#level = getLevelByName(levelName);
    this.#levelName = levelName;
    this.formatter = options.formatter ??
      ((record) => `${record.levelName} ${record.msg}`);
  }

  /** The lowest level that is handled. */
  get level(): LogLevel {
    return this.#level;
  }

  set level(level: LogLevel) {
    this.#level = level;
    this.#levelName = getLevelName(level);
  }

  /** The name of the lowest level that is handled. */
  get levelName(): LevelName {
    return this.#levelName;
  }

  set levelName(levelName: LevelName) {
    this.#levelName = levelName;
    this.#level = getLevelByName(levelName);
  }

  /** Logs a record whose level is high enough. */
  handle(logRecord: LogRecord): void {
    if (logRecord.level >= this.#level) this.log(this.format(logRecord));
  }

  /** Turns a record into text. */
  format(logRecord: LogRecord): string {
    return this.formatter(logRecord);
  }

  /** Writes the text of one record. */
  abstract log(msg: string): void;

  /** Called before the first record. */
  setup(): void {}

  /** Called after the last record. */
  destroy(): void {}

  /** Destroys the handler at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}
