/**
 * A child's end of the channel to its container, out of the reach of jobs.
 *
 * @module
 */

import process from "node:process";
import { SIGNALS } from "../signals.ts";
import { HAS_PIPE, writeMark } from "./child_marks.ts";

/** Node's end of the channel. */
interface NodeChannel {
  send?(message: string, callback: (error: unknown) => void): void;
  disconnect?(): void;
}

/** The channel to the container. */
export interface Channel {
  /** Resolves when the text is written. */
  send(text: string): Promise<void>;
  /** Writes the text before it returns, where there is a pipe for that. */
  mark(text: string): void;
  /** Ends this process. */
  exit(status: number): void;
}

/**
 * Takes the channel out of the reach of all code that runs later, and ends this
 * process when the channel closes.
 *
 * @param take Called with each message.
 */
export function takeChannel(take: (text: unknown) => void): Channel {
  const channel = process as unknown as NodeChannel;
  if (channel.send === undefined) {
    throw new Error(
      'Cannot run jobs as no container started this program: run "zsqs" instead',
    );
  }
  const exit = process.exit.bind(process);
  const send = channel.send.bind(process);
  interceptMessages(take);
  // Without a listener Deno holds messages back.
  process.on("message", () => {});
  process.on("disconnect", () => exit(0));
  // A terminal sends Ctrl+C to this process, too. The container handles it.
  for (const name of SIGNALS) process.on(name, () => {});
  exitOnDisconnect(exit);
  // Deno itself reads with `process.channel`, which cannot send.
  delete channel.send;
  delete channel.disconnect;
  const sent = (text: string) =>
    new Promise<void>((resolve) =>
      // If a job broke the channel, its process ends and others take its jobs.
      send(text, (error) => error ? exit(1) : resolve())
    );
  const mark = (text: string) => {
    try {
      writeMark(text);
    } catch {
      exit(1);
    }
  };
  return { send: sent, mark: HAS_PIPE ? mark : sent, exit };
}

/**
 * Ends this process if a job closes the channel with Deno's own means. Deno emits
 * no event then, and the container would wait for the job without end.
 */
function exitOnDisconnect(exit: (status: number) => void): void {
  const { channel } = process as unknown as { channel: object };
  const prototype = Object.getPrototypeOf(channel);
  for (const key of Reflect.ownKeys(prototype)) {
    if (String(key).includes("isconnect")) prototype[key] = () => exit(1);
  }
}

/**
 * Takes messages before any listener, so that a job gets none. Code that
 * replaces `process.emit` still gets all other events.
 */
function interceptMessages(take: (text: unknown) => void): void {
  type Emit = (this: unknown, ...args: unknown[]) => boolean;
  const { apply } = Reflect;
  const original = process.emit as Emit;
  let replaced: Emit | undefined;
  let isWithin = false;
  function emit(this: unknown, ...args: unknown[]): boolean {
    if (args[0] === "message") {
      take(args[1]);
      return true;
    }
    // The replacement calls this function in turn.
    if (replaced === undefined || isWithin) return apply(original, this, args);
    isWithin = true;
    try {
      return apply(replaced, this, args);
    } finally {
      isWithin = false;
    }
  }
  Object.defineProperty(process, "emit", {
    get: () => emit,
    set: (value: Emit) => replaced = value === emit ? undefined : value,
  });
}
