/**
 * What the system tells of processes, where Linux is there to tell.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";

/** What a process uses. */
export interface Sample {
  readonly residentMb: number;
  readonly descriptors: number;
}

/** A process: its id alone may be given to another one later. */
export interface ProcessMark {
  readonly pid: number;
  readonly startTime: string;
}

/** How often processes are looked at while they should end. */
const LOOK_MS = 100;

/** Memory and descriptors of a process. */
export function sampleOf(pid: number): Sample | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return {
      residentMb: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 2 ** 10,
      descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    };
  } catch {
    return undefined;
  }
}

/** The processes that a process has started, and their children. */
export function descendantsOf(pid: number): ProcessMark[] {
  if (Deno.build.os !== "linux") return [];
  const children = new Map<number, ProcessMark[]>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined;
    if (stat === undefined) continue;
    const siblings = children.get(stat.parent) ?? [];
    children.set(stat.parent, [...siblings, stat.mark]);
  }
  const found: ProcessMark[] = [];
  const open = [pid];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const mark of children.get(next) ?? []) {
      found.push(mark);
      open.push(mark.pid);
    }
  }
  return found;
}

/** Waits for the end of processes; returns which of them still run after it. */
export async function stillRunning(
  marks: readonly ProcessMark[],
  limitMs: number,
): Promise<number[]> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const running = marks.filter(({ pid, startTime }) =>
      statOf(pid)?.mark.startTime === startTime
    );
    if (running.length === 0 || Date.now() > deadline) {
      return running.map(({ pid }) => pid);
    }
    await setTimeout(LOOK_MS);
  }
}

/** A process that has not ended, as `/proc` shows it. */
function statOf(
  pid: number,
): { readonly parent: number; readonly mark: ProcessMark } | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  } catch {
    return undefined;
  }
  // The program's name comes before, in parentheses, and may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  // Nobody has asked for the status of a zombie, but it has ended.
  if (fields[0] === "Z") return undefined;
  return {
    parent: Number(fields[1]),
    mark: { pid, startTime: fields[19]! },
  };
}
