/**
 * A process for jobs, as the container's process sees it.
 *
 * @module
 */

import type { WorkerConfig } from "../job/worker.ts";
import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import type { Readable } from "node:stream";
import type { ChildCommand } from "./child_command.ts";
import type { JobMessage } from "../sqs/connection.ts";
import { decodeError } from "../logging/error_data.ts";
import { type JobAbortReason, LostJobError } from "../errors.ts";
import {
  decodeFromChild,
  encodeToChild,
  HELLO,
  type ToChild,
  type Untrusted,
} from "./protocol.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";

/**
 * How long one of a process's end and its channel's waits for the other, in
 * milliseconds: what was written before the end is read after it.
 */
const END_GRACE_MS = 1_000;

/** A line longer than this is not held back until it ends, in bytes. */
const MAX_LINE_BYTES = 16 * 1_048_576;

/** Something that a process has to log. */
export interface ChildRecord {
  readonly name: string;
  readonly level: string;
  readonly text: string;
  readonly errors: readonly unknown[];
  /** The job that logs it, if it is known. */
  readonly id: unknown;
}

/** What a process is for, and who hears of it. */
export interface ChildOptions {
  readonly command: ChildCommand;
  readonly worker: WorkerSpec;
  readonly file?: string;
  readonly onLog: (record: ChildRecord) => void;
}

/** A process for jobs. */
export class Child {
  readonly #options: ChildOptions;
  readonly #process: ChildProcess;
  readonly #secret: string = randomUUID();
  readonly #jobs = new Map<number, PromiseWithResolvers<void>>();
  readonly #ended = Promise.withResolvers<string>();
  readonly #greeted = Promise.withResolvers<void>();
  readonly #output: readonly Promise<void>[];
  #step: PromiseWithResolvers<void> | undefined;
  #lastId = 0;
  /** How it ended, as far as is known. */
  #how: string | undefined;
  /** Why it was ended from here. */
  #why: string | undefined;
  #hasExited = false;
  #hasClosed = false;
  #hasEnded = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Starts a process.
   *
   * @throws {Error} If Deno may not start it.
   */
  constructor(options: ChildOptions) {
    const { file, args, env, input } = options.command;
    this.#options = options;
    this.#process = spawn(file, [...args], {
      env,
      stdio: ["pipe", "pipe", "pipe", "ipc"],
      windowsHide: true,
    });
    // Where it ends before it has read this, its end tells.
    this.#process.stdin!.on("error", () => {}).end(input);
    this.#output = [
      passLines(this.#process.stdout!, 1),
      passLines(this.#process.stderr!, 2),
    ];
    this.#greeted.promise.catch(() => {});
    this.#process.on("message", (message) => this.#take(message));
    this.#process.on("error", (error) => this.#fail(error));
    this.#process.on("exit", (code, signal) => {
      this.#hasExited = true;
      this.#how ??= signal === null
        ? `ended with exit code ${code}`
        : `was ended by ${signal}`;
      this.#closing();
    });
    this.#process.on("disconnect", () => {
      this.#hasClosed = true;
      this.#closing();
    });
  }

  /** Resolves with how it ended, when it did. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** Whether it may be given jobs: nothing ends it, as far as is known. */
  get isAlive(): boolean {
    return !this.#hasExited && !this.#hasClosed && this.#why === undefined;
  }

  /** How many jobs it has. */
  get size(): number {
    return this.#jobs.size;
  }

  /** Its id in the operating system. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Has it import the worker. */
  async load(): Promise<void> {
    await this.#greeted.promise;
    const { worker, file, command } = this.#options;
    await this.#do({
      type: "load",
      secret: this.#secret,
      worker,
      granted: command.granted,
      ...(file === undefined ? {} : { file }),
    });
  }

  /** Has it call the worker's factory. */
  make(config: WorkerConfig, queue: string): Promise<void> {
    return this.#do({ type: "make", config, queue });
  }

  /**
   * Has it run a job.
   *
   * @returns The job's number here, and a promise of its end, which rejects
   * with what the handler threw, or a {@linkcode LostJobError}.
   */
  run(message: JobMessage): { id: number; done: Promise<void> } {
    const id = ++this.#lastId;
    const job = Promise.withResolvers<void>();
    this.#jobs.set(id, job);
    this.#send({ type: "run", id, message });
    return { id, done: job.promise };
  }

  /** Aborts the signal of a job. */
  abort(id: number, reason: JobAbortReason): void {
    this.#send({ type: "abort", id, reason });
  }

  /** Has it dispose its worker, and end. */
  async dispose(): Promise<void> {
    await this.#do({ type: "dispose" });
    this.#send({ type: "exit" });
    await this.ended;
  }

  /**
   * Ends it at once, with all of its jobs.
   *
   * @param why Continues `Its process ...`.
   */
  kill(why: string): void {
    this.#why ??= why;
    if (!this.#hasExited) this.#process.kill("SIGKILL");
  }

  #do(message: ToChild): Promise<void> {
    this.#step = Promise.withResolvers();
    if (this.#how === undefined) this.#send(message);
    else this.#step.reject(new LostJobError(`Its process ${this.#how}`));
    return this.#step.promise;
  }

  #send(message: ToChild): void {
    // Where the channel is closed its end tells what becomes of the jobs.
    if (this.#hasClosed || this.#hasExited) return;
    // It is told the secret by the first message alone.
    const secret = message.type === "load" ? "" : this.#secret;
    this.#process.send(encodeToChild(secret, message), () => {});
  }

  #take(text: unknown): void {
    if (text === HELLO && this.#step === undefined) {
      return this.#greeted.resolve();
    }
    try {
      const message = decodeFromChild(this.#secret, text);
      if (message !== undefined) return this.#hear(message);
    } catch {
      // What it tells cannot be understood, and nothing that it may yet tell.
    }
    this.kill("was killed as a job wrote to its channel");
  }

  #hear(message: Untrusted): void {
    const { type, id, error } = message;
    switch (type) {
      case "ok":
        return this.#step?.resolve();
      case "failed":
        return this.#step?.reject(decodeError(error));
      case "done":
        return this.#takeJob(id)?.resolve();
      case "threw":
        return this.#takeJob(id)?.reject(decodeError(error));
      case "log": {
        const { name, level, text, errors } = message;
        return this.#options.onLog({
          name: String(name),
          level: String(level),
          text: String(text),
          errors: Array.isArray(errors) ? errors.map(decodeError) : [],
          id,
        });
      }
    }
  }

  #takeJob(id: unknown): PromiseWithResolvers<void> | undefined {
    const job = this.#jobs.get(id as number);
    this.#jobs.delete(id as number);
    return job;
  }

  /** It cannot be started, or signalled, or told anything. */
  #fail(error: Error): void {
    if (this.#process.pid !== undefined) {
      // Where it cannot be killed, there is no use in trying again.
      if (this.#why === undefined) this.kill("was killed as it failed");
      return;
    }
    this.#how = `cannot be started: ${error.message}`;
    this.#hasExited = this.#hasClosed = true;
    this.#closing(error);
  }

  /** Ends are told when both have come, or the other does not come. */
  #closing(cause?: Error): void {
    clearTimeout(this.#timer);
    if (this.#hasEnded) return;
    if (this.#hasExited && this.#hasClosed) return void this.#end(cause);
    this.#timer = setTimeout(() => {
      if (this.#hasExited) this.#end();
      else this.kill("was killed as it closed its channel");
    }, END_GRACE_MS);
  }

  async #end(cause?: Error): Promise<void> {
    this.#hasEnded = true;
    const how = this.#how = this.#why ?? this.#how!;
    const error = cause ?? new LostJobError(`Its process ${how}`);
    this.#greeted.reject(error);
    this.#step?.promise.catch(() => {});
    this.#step?.reject(error);
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const job of jobs) job.reject(error);
    // A program that a job started may hold the streams for as long as it likes.
    const { promise: late, resolve } = Promise.withResolvers<void>();
    this.#timer = setTimeout(resolve, END_GRACE_MS);
    await Promise.race([Promise.all(this.#output), late]);
    clearTimeout(this.#timer);
    this.#process.stdout?.destroy();
    this.#process.stderr?.destroy();
    this.#ended.resolve(how);
  }
}

/**
 * Passes output on by whole lines: those of several processes must not break
 * each other, and a pipe takes no more than 64 KiB at a time.
 */
async function passLines(stream: Readable, fd: 1 | 2): Promise<void> {
  let held: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      const bytes = chunk as Buffer;
      const end = bytes.lastIndexOf(10) + 1;
      if (end > 0) {
        writeAll(fd, Buffer.concat([...held, bytes.subarray(0, end)]));
        held = [];
        size = 0;
      }
      if (end < bytes.length) {
        held.push(bytes.subarray(end));
        size += bytes.length - end;
      }
      if (size > MAX_LINE_BYTES) {
        writeAll(fd, Buffer.concat(held));
        held = [];
        size = 0;
      }
    }
  } catch {
    // It was cut off with its process.
  }
  if (size > 0) writeAll(fd, Buffer.concat(held));
}

/** Writes as the console does: at once, and whatever becomes of it. */
function writeAll(fd: 1 | 2, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EAGAIN") return;
      // Somebody who shares the pipe does not wait for it; the console would.
      Atomics.wait(PAUSE, 0, 0, 1);
    }
  }
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4));
