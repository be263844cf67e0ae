/**
 * Jobs that send or print without end, and readers that read nothing.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { Folder, freeAddress } from "../support/cli.ts";
import { TestServer } from "../support/server.ts";

const WORKER = `
import { getLogger } from "jsr:@zsqs/cli";
import { Socket } from "node:net";

const log = getLogger("jobs");
const forever = new Promise(() => {});

const FLOODS = {
  print: () => { for (;;) console.log("x".repeat(100_000)); },
  line: async () => {
    const { stdout } = await import("node:process");
    const part = "x".repeat(1_048_576);
    for (;;) stdout.write(part);
  },
  log: () => { for (;;) log.info("x".repeat(60_000)); },
  logs: async () => {
    for (;;) {
      log.info("x".repeat(60_000));
      await new Promise((resolve) => setTimeout(resolve));
    }
  },
  raw: async () => {
    const socket = new Socket({ fd: 3, readable: false, writable: true });
    socket.on("error", () => {});
    const part = "x".repeat(1_048_576);
    for (;;) await new Promise((resolve) => socket.write(part, resolve));
  },
  frames: async () => {
    const socket = new Socket({ fd: 3, readable: false, writable: true });
    socket.on("error", () => {});
    const part = '"x"\\n'.repeat(100_000);
    for (;;) await new Promise((resolve) => socket.write(part, resolve));
  },
};

export const worker = () => async (what) => {
  console.error("begun");
  await FLOODS[what]();
  await forever;
};
`;

/** The memory of a process, in MiB. */
function memoryOf(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
}

/** How often health must be answered while a job floods. */
const ANSWERS = 40;

Deno.test({
  name: "a job that floods stops neither its container nor its health",
  ignore: Deno.build.os !== "linux",
  async fn(t) {
    await using folder = await Folder.with({ "worker.ts": WORKER });
    await using server = await TestServer.start();
    for (const what of ["print", "line", "log", "logs", "raw", "frames"]) {
      await t.step(what, async () => {
        const url = await server.createQueue(what);
        const health = freeAddress();
        const file = await folder.write(
          `${what}.ini`,
          `[container]\nworker = worker.ts:worker\nqueue = ${what}\n` +
            `isolation = process\nwait_time = 1\ntimeout = 60\nhealth = ${health}\n` +
            `loggers =\n  <logger>\n  <logfile>\n  path ${
              folder.at(`${what}.log`)
            }\n  </logfile>\n  </logger>\n`,
        );
        // Nothing reads its standard output.
        const container = spawn(
          Deno.execPath(),
          ["run", "-q", "-A", "jsr:@zsqs/cli", file],
          {
            cwd: folder.path,
            env: {
              ...server.env,
              PATH: Deno.env.get("PATH")!,
              HOME: Deno.env.get("HOME")!,
              JSR_URL: Deno.env.get("JSR_URL")!,
            },
            stdio: ["ignore", "pipe", "pipe"],
          },
        );
        const exited = new Promise((resolve) => container.on("exit", resolve));
        try {
          const begun = new Promise((resolve, reject) => {
            container.stderr!.on("data", (text) => {
              if (String(text).includes("begun")) resolve(undefined);
            });
            container.on("exit", () => reject(new Error("It has ended")));
          });
          const answers = async () => {
            const response = await fetch(`http://${health}/healthz`, {
              signal: AbortSignal.timeout(10_000),
            });
            await response.body?.cancel();
            return response.status;
          };
          while (await answers().catch(() => 0) !== 200);
          const before = memoryOf(container.pid!);
          await server.send(url, JSON.stringify([[what], {}]));
          await begun;
          let most = 0;
          for (let i = 0; i < ANSWERS; i++) {
            assertEquals(await answers(), 200);
            most = Math.max(most, memoryOf(container.pid!));
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          assert(most - before < 64, `It grew from ${before} to ${most} MiB`);
        } finally {
          container.kill("SIGKILL");
          container.stdout!.destroy();
          container.stderr!.destroy();
          await exited;
        }
      });
    }
  },
});
