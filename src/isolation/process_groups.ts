/**
 * Ends what jobs started together with their child processes. Each child leads a
 * process group, to which the programs of its jobs belong.
 *
 * To signal a group, Deno asks for the permission to run every program, which a
 * container does not need. A helper process has it instead. The helper also ends
 * all groups when its container is gone.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { denoEnv } from "./child_command.ts";

/** Children lead a group, except on Windows. */
export const HAS_GROUPS: boolean = process.platform !== "win32";

/**
 * The helper's program. It reads lines: `+PID` names a group, `-PID` ends it.
 * At the end of its input, it ends all groups.
 */
const HELPER = `import process from "node:process";
const groups = new Set();
const end = (pid) => {
  groups.delete(pid);
  try {
    process.kill(-pid, "SIGKILL");
  } catch {}
};
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
let held = "";
for await (const text of process.stdin.setEncoding("utf8")) {
  const lines = (held + text).split("\\n");
  held = lines.pop();
  for (const line of lines) {
    const pid = Number(line.slice(1));
    if (line.startsWith("+")) groups.add(pid);
    else end(pid);
  }
}
for (const pid of groups) end(pid);`;

/** Ends the process groups of children. */
export class ProcessGroups {
  readonly #helper: ChildProcess | undefined;

  /** @param hasPrograms Whether jobs may start programs. */
  constructor({ hasPrograms }: { readonly hasPrograms: boolean }) {
    // A compiled program cannot run the helper. It may signal groups itself.
    if (!hasPrograms || !HAS_GROUPS || Deno.build.standalone) return;
    const url = `data:text/javascript,${encodeURIComponent(HELPER)}`;
    this.#helper = spawn(process.execPath, [
      ...["run", "--quiet", "--no-prompt", "--no-config", "--no-remote"],
      ...["--allow-run", url],
    ], { detached: true, env: denoEnv(), stdio: ["pipe", "ignore", "ignore"] });
    for (const each of [this.#helper, this.#helper.stdin!]) {
      each.on("error", () => {});
    }
  }

  /** Takes the group of a new child. */
  add(pid: number): void {
    this.#helper?.stdin?.write(`+${pid}\n`);
  }

  /** Kills a group. Its leader may have ended. */
  end(pid: number): void {
    if (this.#helper !== undefined) this.#helper.stdin!.write(`-${pid}\n`);
    else if (HAS_GROUPS && Deno.build.standalone) {
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // Nothing is left of it.
      }
    }
  }

  /** Kills all groups, and waits for that. */
  async close(): Promise<void> {
    const helper = this.#helper;
    if (helper?.pid === undefined) return;
    // Somebody may have killed it.
    if (helper.exitCode !== null || helper.signalCode !== null) return;
    const exited = once(helper, "exit");
    helper.stdin!.end();
    await exited;
  }
}
