/**
 * A child process, as its container sees it.
 *
 * @module
 */

import { LostJobError } from "../job_errors.ts";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { Clock } from "../clock.ts";
import { firstJobs, type JobControl, nameJobs } from "../job/runner.ts";
import { workerSubject } from "../job/worker.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import { decodeError } from "../logging/error_data.ts";
import type { JobMessage } from "../sqs/connection.ts";
import type { ChildCommand } from "./child_command.ts";
import { type ChildEnd, ChildJobs } from "./child_jobs.ts";
import { HAS_PIPE, readMarks } from "./child_marks.ts";
import { FloodLimit } from "./flood_limit.ts";
import { passLines } from "./child_output.ts";
import { HAS_GROUPS, type ProcessGroups } from "./process_groups.ts";
import {
  decodeFromChild,
  decodeLog,
  decodeOutcomes,
  encodeToChild,
  HELLO,
  type LogText,
  type ToChild,
  type Untrusted,
  type WorkerSetting,
} from "./protocol.ts";
import { startProblem } from "./start_problem.ts";

/** How long what belongs to the end of a process may take, in milliseconds. */
const END_GRACE_MS = 1_000;

/**
 * A pause in which the event loop reads what there is, in milliseconds, and after
 * how many without a frame there is none.
 */
const PAUSE_MS = 10;
const QUIET_PAUSES = 5;

/** After how long the start of a worker is worth a log line, in seconds. */
export const SLOW_SECONDS = 10;

const PIPE: "pipe"[] = ["pipe"];

/** Options of {@linkcode Child}. */
interface ChildOptions {
  readonly command: ChildCommand;
  readonly worker: WorkerSpec;
  /** The ini file's path as the user gave it, for messages. */
  readonly file?: string | undefined;
  /** The most jobs of a batch; absent for a worker of single jobs. */
  readonly batch?: number | undefined;
  /** Ends what its jobs started. */
  readonly groups?: ProcessGroups;
  readonly clock?: Clock;
  /** Called if a step of the start takes {@linkcode SLOW_SECONDS}. */
  readonly onSlow?: (pid: number) => void;
  readonly onLog: (line: LogText, errors: readonly unknown[]) => void;
}

/** A child process. */
export class Child {
  readonly #options: ChildOptions;
  readonly #process: ChildProcess;
  readonly #keys = { toChild: randomUUID(), fromChild: randomUUID() };
  readonly #jobs = new ChildJobs();
  readonly #ended = Promise.withResolvers<string>();
  readonly #flood = new FloodLimit();
  readonly #greeted = Promise.withResolvers<void>();
  readonly #output: Promise<unknown>;
  #step: PromiseWithResolvers<void> | undefined;
  /** How it ended; continues `Its process`. */
  #how: string | undefined;
  /** Why the container killed it; continues `Its process`. */
  #why: string | undefined;
  #hasExited = false;
  #hasClosed = false;
  #hasEnded = false;
  #marks: Promise<void> | undefined;
  #grace: ReturnType<typeof setTimeout> | undefined;
  /** How many frames it sent. */
  #frames = 0;
  /** How many jobs it took with it. */
  lostJobs = 0;

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
      stdio: ["pipe", "pipe", "pipe", "ipc", ...(HAS_PIPE ? PIPE : [])],
      // It leads a process group: what its jobs start ends with it.
      detached: HAS_GROUPS,
      windowsHide: true,
    });
    if (this.#process.pid !== undefined) {
      options.groups?.add(this.#process.pid);
    }
    this.#process.stdin!.on("error", () => {}).end(input);
    this.#output = Promise.all([
      passLines(this.#process.stdout!, 1),
      passLines(this.#process.stderr!, 2),
    ]);
    this.#greeted.promise.catch(() => {});
    const marks = this.#process.stdio[4] as Readable | undefined;
    this.#marks = marks && readMarks(marks, (text) => this.#take(text));
    this.#process.on("message", (message) => this.#take(message));
    this.#process.on("error", (error) => this.#fail(error));
    this.#process.on("exit", (code, signal) => {
      this.#hasExited = true;
      options.groups?.end(this.#process.pid!);
      this.#how = signal === null
        ? `ended with exit code ${code}`
        : `was ended by ${signal}`;
      clearTimeout(this.#grace);
      this.#drain();
    });
    this.#process.on("disconnect", () => {
      this.#hasClosed = true;
      if (this.#hasExited) return;
      this.#grace = setTimeout(
        () => this.kill("was killed as it closed its channel"),
        END_GRACE_MS,
      );
    });
  }

  /** Resolves with how it ended, in words that continue `Its process`. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** Whether it can take jobs: nothing has ended it, as far as is known. */
  get isAlive(): boolean {
    return !this.#hasExited && !this.#hasClosed && this.#why === undefined;
  }

  /** The number of its jobs. */
  get size(): number {
    return this.#jobs.size;
  }

  /** How many it was given since its start. */
  get givenJobs(): number {
    return this.#jobs.given;
  }

  /**
   * Makes it import the worker.
   *
   * @throws {Error} If that fails, with the option that helps if there is one.
   */
  load(): Promise<void> {
    return this.#watchStart(() => this.#load());
  }

  /** Makes it call the worker's factory; throws as `load` does. */
  make(setting: WorkerSetting): Promise<void> {
    return this.#watchStart(() => this.#start({ type: "make", ...setting }));
  }

  async #load(): Promise<void> {
    await this.#greeted.promise.catch((error) => this.#cannotStart(error));
    const { worker, file, batch, command: { denied } } = this.#options;
    const keys = this.#keys;
    await this.#start({ type: "load", keys, worker, file, batch, denied });
  }

  async #watchStart(step: () => Promise<void>): Promise<void> {
    const { clock, onSlow } = this.#options;
    const cancel = clock?.timer(
      SLOW_SECONDS * 1000,
      () => onSlow?.(this.#process.pid!),
    );
    try {
      await step();
    } finally {
      cancel?.();
    }
  }

  #start(frame: ToChild): Promise<void> {
    return this.#do(frame).catch((error) => this.#cannotStart(error));
  }

  #cannotStart(error: unknown): never {
    // If there is no process, this program may not start any.
    if (this.#process.pid === undefined) throw error;
    const { worker, file } = this.#options;
    throw startProblem(error, workerSubject(worker, file));
  }

  /**
   * Runs a job or a batch in it, and resolves to how that ended or was lost.
   */
  async run(
    messages: readonly JobMessage[],
    control: JobControl,
  ): Promise<ChildEnd> {
    const { id, ended } = this.#jobs.add(messages, control);
    const withMarks = control.onStart !== undefined;
    this.#send({ type: "run", id, messages, withMarks });
    const { signal } = control;
    const abort = () =>
      this.#send({ type: "abort", id, reason: signal.reason.reason });
    signal.addEventListener("abort", abort);
    const end = await ended;
    signal.removeEventListener("abort", abort);
    return end;
  }

  /** Disposes its worker, and ends it. */
  async dispose(): Promise<void> {
    await this.#do({ type: "dispose" });
    this.#send({ type: "exit" });
    // A listener of a job may hold back the exit.
    const timer = setTimeout(
      () => this.kill("was killed as it did not exit"),
      END_GRACE_MS,
    );
    await this.ended;
    clearTimeout(timer);
  }

  /**
   * Kills it immediately, with all of its jobs.
   *
   * @param why Continues `Its process`.
   */
  kill(why: string): void {
    this.#why ??= why;
    if (!this.#hasExited) this.#process.kill("SIGKILL");
  }

  /**
   * Kills it, as a job has not ended in time.
   *
   * @param why Continues `Its process`.
   * @param queue The queue of its jobs.
   */
  killLate(late: JobControl, why: string, queue: string): void {
    if (this.#why !== undefined) return;
    const blamed = this.#jobs.blame(late);
    if (blamed === undefined) return;
    const names = nameJobs(queue, ...firstJobs(blamed));
    this.kill(blamed.length > 0 ? `${why}: ${names}` : why);
  }

  #do(frame: ToChild): Promise<void> {
    this.#step = Promise.withResolvers();
    if (this.#how === undefined) this.#send(frame);
    else this.#step.reject(new LostJobError(`Its process ${this.#how}`));
    return this.#step.promise;
  }

  #send(frame: ToChild): void {
    // After the channel has closed, the end of the process settles its jobs.
    if (this.#hasClosed || this.#hasExited) return;
    const key = frame.type === "load" ? "" : this.#keys.toChild;
    this.#process.send(encodeToChild(key, frame), () => {});
  }

  #take(text: unknown): void {
    this.#frames++;
    if (text === HELLO && this.#step === undefined) {
      return this.#greeted.resolve();
    }
    const flood = typeof text === "string"
      ? this.#flood.problemOf(text)
      : undefined;
    if (flood !== undefined) return this.kill(`was killed as ${flood}`);
    const frame = decodeFromChild(this.#keys.fromChild, text);
    if (frame !== undefined && this.#handle(frame)) return;
    this.kill("was killed as a job wrote to its channel");
  }

  /** Returns `false` for a frame that its program never sends. */
  #handle(frame: Untrusted): boolean {
    const { type, id, error } = frame;
    switch (type) {
      case "ok":
        this.#step?.resolve();
        return true;
      case "failed":
        this.#step?.reject(decodeError(error));
        return true;
      case "started":
      case "returned":
      case "aborting":
        this.#jobs.mark(type, id);
        return true;
      case "ended": {
        const jobs = this.#jobs.count(id);
        const outcomes = jobs && decodeOutcomes(frame, jobs);
        if (outcomes) this.#jobs.end(id, outcomes);
        return outcomes !== undefined;
      }
      case "log": {
        const line = decodeLog(frame);
        if (line !== undefined) this.#options.onLog(line, line.errors);
        return line !== undefined;
      }
      default:
        return false;
    }
  }

  /** Node reports that it cannot start, signal or reach the process. */
  #fail(error: Error): void {
    if (this.#process.pid !== undefined) {
      // A kill that failed is not tried again.
      if (this.#why === undefined) this.kill("was killed as it failed");
      return;
    }
    this.#how = `cannot be started: ${error.message}`;
    this.#hasExited = this.#hasClosed = true;
    this.#end(error);
  }

  /**
   * Ends it once its frames are read. If it left a frame to it unread, Deno emits
   * no `disconnect`.
   */
  async #drain(): Promise<void> {
    const endMs = performance.now() + END_GRACE_MS;
    let quiet = 0;
    while (
      !this.#hasClosed && quiet < QUIET_PAUSES && performance.now() < endMs
    ) {
      const frames = this.#frames;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      quiet = this.#frames === frames ? quiet + 1 : 0;
    }
    this.#end();
  }

  async #end(cause?: Error): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    // A program that a job started may hold channel and streams open.
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, END_GRACE_MS);
    await Promise.race([this.#marks, late.promise]);
    if (this.#why === undefined) this.#jobs.died(this.#process.signalCode);
    const how = this.#how = this.#why ?? this.#how!;
    const error = cause ?? new LostJobError(`Its process ${how}`);
    this.#greeted.reject(error);
    this.#step?.promise.catch(() => {});
    this.#step?.reject(error);
    this.lostJobs = this.#jobs.lose(error);
    if (this.#process.connected) this.#process.disconnect();
    await Promise.race([this.#output, late.promise]);
    clearTimeout(timer);
    this.#process.stdout?.destroy();
    this.#process.stderr?.destroy();
    (this.#process.stdio[4] as Readable | undefined)?.destroy();
    this.#ended.resolve(how);
  }
}
