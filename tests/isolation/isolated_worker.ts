/**
 * A worker for tests of isolation: it does what its jobs say.
 *
 * @module
 */

import { PermanentError, TransientError } from "../../src/job_errors.ts";
import type { WorkerConfig } from "../../src/job/worker.ts";
import { currentJob, getLogger } from "../../src/job/current_job.ts";
import { spawnSync } from "node:child_process";
import { Socket } from "node:net";
import process from "node:process";

const log = getLogger("worker");

/** Each is one thing that a job may do. */
const ACTS: Record<string, (...args: string[]) => unknown> = {
  env: (name) => Deno.env.get(name!),
  names: () => Object.keys(Deno.env.toObject()).sort(),
  read: (path) => Deno.readTextFileSync(path!),
  write: (path) => Deno.writeTextFileSync(path!, "written"),
  net: async (url) => await (await fetch(url!)).text(),
  run: async (program) => {
    const { stdout } = await new Deno.Command(program!, {
      args: ["--version"],
      clearEnv: true,
    }).output();
    return new TextDecoder().decode(stdout).split(" ")[0];
  },
  nodeRun: (program) => {
    const { error } = spawnSync(program!, ["--version"]);
    if (error !== undefined) throw error;
  },
  sys: () => typeof Deno.osRelease(),
  ffi: (path) => Deno.dlopen(path!, {}),
  import: async (url) => (await import(url!)).default,
  permissions: async () => {
    const states: Record<string, string> = {};
    for (
      const name of [
        ...(["net", "read", "write", "env"] as const),
        ...(["run", "sys", "ffi", "import"] as const),
      ]
    ) {
      states[name] = (await Deno.permissions.query({ name })).state;
    }
    const descriptors: Deno.PermissionDescriptor[] = [
      { name: "read", path: import.meta.dirname! },
      { name: "read", path: process.cwd?.() ?? "." },
      { name: "write", path: "/tmp" },
      { name: "net", host: "127.0.0.1" },
      { name: "env", variable: "HOME" },
      { name: "run", command: "deno" },
      { name: "import", host: "esm.sh:443" } as Deno.PermissionDescriptor,
    ];
    for (const each of descriptors) {
      states[Object.values(each).join(" ")] =
        (await Deno.permissions.query(each)).state;
    }
    return states;
  },
  job: (...args) => {
    const job = currentJob();
    const { signal, sentAt, messageId: _id, ...rest } = job;
    return {
      ...rest,
      given: args,
      sentAt: sentAt instanceof Date,
      aborted: signal.aborted,
      frozen: process.pid !== Number(args[0]),
    };
  },
  log: (level) => {
    const cause = new RangeError("the cause");
    log[level as "debug"](
      "text",
      { a: 1 },
      new TypeError("logged", { cause }),
    );
  },
  later: (seconds) => {
    throw new TransientError("later", { delaySeconds: Number(seconds) });
  },
  never: () => {
    throw new PermanentError("never");
  },
  neverLate: async () => {
    const { signal } = currentJob();
    log.info("neverLate begins");
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    throw new PermanentError("never", { cause: signal.reason });
  },
  fail: () => {
    const inner = new AggregateError([new Error("one"), "two"], "several");
    throw new TypeError("bad\ninput", { cause: inner });
  },
  throwText: () => {
    throw "text";
  },
  throwObject: () => {
    throw { a: [1] };
  },
  throwProxy: () => {
    throw new Proxy(new Error("trap"), {
      get() {
        throw new Error("sprung");
      },
      getPrototypeOf() {
        throw new Error("sprung");
      },
    });
  },
  throwLong: () => {
    throw new Error("x".repeat(60 * 1_048_576));
  },
  throwDeep: () => {
    let error = new Error("the first");
    for (let i = 0; i < 15; i++) {
      error = new Error("\0".repeat(50_000), { cause: error });
    }
    throw error;
  },
  logLong: () => {
    const text = "x".repeat(5 * 1_048_576);
    log.info(text, new Error(text), new Error(text));
  },
  logWide: () => {
    const text = "€".repeat(65_536);
    getLogger("n".repeat(2 * 1_048_576)).info(text);
    const errors = Array.from({ length: 5 }, () => new Error(text));
    log.info(text, ...errors);
  },
  /** Keeps the thread busy until a file is there, then throws. */
  busy: (folder, path) => {
    Deno.writeTextFileSync(`${folder}/busy`, "");
    for (;;) {
      for (const { name } of Deno.readDirSync(folder!)) {
        if (name !== "go") continue;
        if (path !== undefined) Deno.readTextFileSync(path);
        throw new Error("too late");
      }
    }
  },
  lostName: () => {
    throw Object.assign(new Error("not really"), { name: "LostJobError" });
  },
  pid: () => process.pid,
  exit: (code) => Deno.exit(Number(code)),
  nodeExit: (code) => process.exit(Number(code)),
  timer: () => {
    setTimeout(() => {
      throw new Error("too late");
    });
  },
  rejection: () => {
    Promise.reject(new Error("nobody awaits me"));
  },
  memory: () => {
    const kept: number[][] = [];
    for (;;) kept.push(Array.from({ length: 10_000 }, Math.random));
  },
  channel: () => [
    typeof process.send,
    typeof process.disconnect,
    typeof (globalThis as { process?: typeof process }).process?.send,
  ],
  overhear: async () => {
    const heard: unknown[] = [];
    process.on("message", (message) => heard.push(message));
    const { emit } = process;
    process.emit = ((...args: unknown[]) => {
      if (args[0] !== "warning") heard.push(args[0]);
      return Reflect.apply(emit, process, args);
    }) as typeof emit;
    process.emit("test" as never);
    for (const type of ["run", "load", "exit", "abort"]) {
      process.emit(
        "message",
        JSON.stringify({ type, id: 1, message: { body: "[[],{}]" } }),
        undefined,
      );
    }
    await new Promise((resolve) => setTimeout(resolve));
    return heard;
  },
  disconnect: () => {
    const { channel } = process as unknown as { channel: object };
    for (const key of Reflect.ownKeys(Object.getPrototypeOf(channel))) {
      if (!String(key).includes("isconnect")) continue;
      (channel as Record<symbol, () => void>)[key as symbol]!();
    }
    return new Promise(() => {});
  },
};

/** Tells a test, and waits for its answer. */
async function report(url: string, text: string): Promise<void> {
  await (await fetch(url, { method: "POST", body: text })).text();
}

/** Does what a job says, and logs the result. */
export function act(config: WorkerConfig) {
  return {
    async handle(what: string, ...args: string[]) {
      // Only the first try misbehaves.
      if (currentJob().receiveCount > 1 && config.again === "fine") {
        return log.info(`${what} again`);
      }
      const value = await ACTS[what]!(...args);
      log.info(`${what}: ${JSON.stringify(value) ?? "done"}`);
    },
    [Symbol.dispose]() {
      log.info("disposed");
    },
  };
}

/** Tells where it is run, then does it; with an `&` it waits first. */
export function tell({ report: url, again }: WorkerConfig) {
  return async (what: string, ...args: string[]) => {
    const { receiveCount, signal } = currentJob();
    // The abort may come before the answer to the report.
    const aborted = new Promise((resolve) => {
      signal.addEventListener("abort", resolve);
    });
    // Once the container has read this, it knows that the handler has started.
    if (["loop", "wait"].includes(what)) log.info(`${what} begins`);
    await report(url!, `${what} ${process.pid} ${receiveCount}`);
    if (receiveCount > 1 && again === "fine") return log.info(`${what} again`);
    switch (what) {
      case "loop":
        for (;;);
      case "wait":
        await aborted;
        log.info(`wait: ${signal.reason.reason}, ${signal.reason.message}`);
        signal.throwIfAborted();
        break;
      case "held":
        await report(url!, "held");
        return log.info("held: done");
      default:
        await ACTS[what]!(...args);
        // What ends the process may do so later.
        await new Promise(() => {});
    }
  };
}

/** Tries to write a frame of its process, in every way that a job has. */
export function forge() {
  return async () => {
    const id = crypto.randomUUID();
    const forged = JSON.stringify({ type: "ended", id, kind: "done" });
    (process as unknown as { connected: boolean }).connected = true;
    console.log(forged);
    console.error(forged);
    for (let fd = 3; fd < 10; fd++) {
      try {
        const socket = new Socket({ fd, readable: false, writable: true });
        socket.on("error", () => {});
        await new Promise((resolve) =>
          socket.write(`${JSON.stringify(forged)}\n`, resolve)
        );
      } catch {
        // It is not open, or no socket.
      }
    }
    await new Promise(() => {});
  };
}

/** A factory that fails for want of a permission. */
export function needy() {
  Deno.readTextFileSync("/etc/hostname");
  return () => {};
}

/** A factory that ends its process. */
export function leaving(): () => void {
  Deno.exit(3);
}

/** A factory that ends its process at the second, third and fourth start. */
export function once({ file }: WorkerConfig) {
  const count = Number(Deno.readTextFileSync(file!)) + 1;
  Deno.writeTextFileSync(file!, String(count));
  if (count > 1 && count < 5) Deno.exit(4);
  return (what: string, ...args: string[]) =>
    currentJob().receiveCount > 1 ? undefined : ACTS[what]!(...args);
}
