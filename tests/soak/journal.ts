/**
 * The notes of a run's processes, appended line by line: a killed process leaves
 * all of its notes, the last one perhaps cut.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";

/** The files of a run, in its folder. */
export const FILES = {
  /** Jobs that `Queue` accepted or rejected: {@linkcode SentLine}. */
  sent: "sent.jsonl",
  /** Jobs that a worker did: {@linkcode DoneLine}. */
  done: "done.jsonl",
  /** Requests, as the proxy saw them: {@linkcode RequestLine}. */
  requests: "requests.jsonl",
  /** Heaps of containers: {@linkcode MemoryLine}. */
  memory: "memory.jsonl",
  /** Processes that the run killed or stopped: {@linkcode EndLine}. */
  ends: "ends.jsonl",
  /** When the server was away: {@linkcode OutageLine}. */
  outages: "outages.jsonl",
} as const;

/** What a producer was told of a job. */
export interface SentLine {
  readonly job: number;
  /** The producer's process. */
  readonly by: string;
  /** SQS's id, where the job was accepted. */
  readonly id?: string;
  /** Its group, and its place there, in a FIFO queue. */
  readonly group?: string;
  readonly sequence?: string;
  /** Whether the job had never been sent before. */
  readonly fresh: boolean;
  /** Why it was rejected. */
  readonly error?: string;
}

/** A job that was done. */
export interface DoneLine {
  readonly t: number;
  readonly job: number;
  readonly id: string;
  /** The container's process. */
  readonly by: string;
  /** The operating system's id of the process that ran it. */
  readonly pid: number;
  /** How many jobs ran in this process, this one included. */
  readonly running: number;
  /** How often the message had been received. */
  readonly count: number;
  readonly group?: string;
  /** It failed: its message must be kept. */
  readonly failed?: true;
  /** Its arguments differed from the sent ones. */
  readonly wrong?: true;
}

/** A container's heap, collected before. */
export interface MemoryLine {
  readonly by: string;
  /** After how many jobs. */
  readonly count: number;
  readonly heapMb: number;
}

/** A process that the run killed, or that ended after it was told to stop. */
export interface EndLine {
  readonly t: number;
  /** The process's name. */
  readonly by: string;
  readonly killed: boolean;
  /** Which process of a container was killed, if not its own. */
  readonly child?: number;
  /** Processes that a container had started, and that still ran later. */
  readonly orphans?: readonly number[];
}

/** How a server can be away. */
export type OutageKind = "refused" | "reset" | "silent" | "unavailable";

/** When the server was away. */
export interface OutageLine {
  readonly from: number;
  readonly to: number;
  readonly kind: OutageKind;
}

/** One message of a request. */
export interface RequestEntry {
  /** SQS's id, where it is known. */
  readonly id?: string;
  readonly job?: number;
  /** Who sent it. */
  readonly by?: string;
  readonly group?: string;
  readonly sequence?: string;
  /** It had its effect on the server. */
  readonly ok: boolean;
}

/** A request, as the proxy saw it. */
export interface RequestLine {
  /** When it came, in milliseconds since the Unix epoch. */
  readonly t: number;
  readonly op: string;
  /** The queue's name. */
  readonly queue: string;
  /** What was done to it. */
  readonly fault?: string;
  /** How long it took until the server had answered. */
  readonly ms: number;
  readonly entries: readonly RequestEntry[];
}

/** Appends lines to a file. */
export class Journal<T> {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, "a");
  }

  /** Appends a line: the system has it when this returns. */
  add(line: T): void {
    // The line before may be cut, as its process was killed.
    writeSync(this.#file, `\n${JSON.stringify(line)}\n`);
  }
}

/** Reads a journal, as it grows too. */
export class JournalReader<T> {
  readonly #path: string;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** The whole lines that have come since the last time. */
  read(): T[] {
    const bytes = readFrom(this.#path, this.#offset);
    const end = bytes.lastIndexOf(LINE_END) + 1;
    this.#offset += end;
    return bytes.toString("utf8", 0, end).split("\n").flatMap((line) =>
      parseLine<T>(line)
    );
  }
}

const LINE_END = 10;

function parseLine<T>(line: string): T[] {
  try {
    return line === "" ? [] : [JSON.parse(line)];
  } catch {
    return [];
  }
}

function readFrom(path: string, offset: number): Buffer {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
  try {
    const length = Math.max(0, fstatSync(file).size - offset);
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
  } finally {
    closeSync(file);
  }
}
