/**
 * `zsqs config.ini...`: containers that drain, and containers as processes,
 * with the signals that stop them and the errors they outlive.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { setUp } from "../../testing.ts";
import { cli, Folder } from "../support/cli.ts";
import {
  type QueueState,
  runCli,
  servePackage,
  TestProcess,
  TestServer,
} from "../support/server.ts";

/** An HTTP server that jobs ask and wait for: a test holds them with it. */
class Gate implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #arrivals: (() => void)[] = [];
  readonly #held: ((response: Response) => void)[] = [];

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => {
        const { promise, resolve } = Promise.withResolvers<Response>();
        this.#held.push(resolve);
        for (const arrived of this.#arrivals.splice(0)) arrived();
        return promise;
      },
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** Waits until a job waits here. */
  async held(): Promise<void> {
    if (this.#held.length > 0) return;
    await new Promise<void>((resolve) => this.#arrivals.push(resolve));
  }

  /** Lets all jobs continue that wait here. */
  open(): void {
    for (const answer of this.#held.splice(0)) {
      answer(new Response("go on", { headers: { connection: "close" } }));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.open();
    await this.#server.shutdown();
  }
}

/** Passes requests on to a server, and tells when a receive is under way. */
class ReceiveWatch implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  readonly #ended = new AbortController();
  readonly #receiving = Promise.withResolvers<void>();

  constructor(endpoint: string) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const { pathname, search } = new URL(request.url);
        const answer = fetch(`${endpoint}${pathname}${search}`, {
          method: request.method,
          headers: request.headers,
          body: await request.text(),
          client: this.#client,
          signal: this.#ended.signal,
        });
        if (request.headers.get("x-amz-target")?.endsWith(".ReceiveMessage")) {
          this.#receiving.resolve();
        }
        try {
          const { status, headers, body } = await answer;
          return new Response(body, { status, headers });
        } catch (error) {
          if (!this.#ended.signal.aborted) throw error;
          return new Response(null, { status: 503 });
        }
      },
    );
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Waits for the first receive. */
  receiving(): Promise<void> {
    return this.#receiving.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#server.shutdown();
    this.#client.close();
  }
}

/** What is needed to run containers as processes. */
interface Stage extends AsyncDisposable {
  readonly folder: Folder;
  readonly server: TestServer;
  readonly gate: Gate;
  /** The URL of the queue `jobs`. */
  readonly url: string;
  /** What the container is run with. */
  readonly env: Record<string, string>;
  run(args: readonly string[], env?: Record<string, string>): TestProcess;
}

const WORKER = `\
import { currentJob } from "jsr:@zsqs/cli";

export function held({ gate }) {
  return async (name) => {
    console.log("begun", name);
    await (await fetch(gate)).text();
    console.log("ended", name);
  };
}

export const heldFor = ({ gate }) => async () => {
  await fetch(gate, { signal: currentJob().signal });
};

export const leaving = () => (what) => {
  if (what === "rejection") Promise.reject(new Error("nobody awaits me"));
  if (what === "timer") setTimeout(() => { throw new Error("too late"); });
  if (what === "throw") throw new Error("bad input");
  console.log("did", what);
};

export const starting = () => {
  console.log("starting");
  setInterval(() => {}, 1000);
  return new Promise(() => {});
};

export const stuck = () => ({
  handle() {},
  async [Symbol.asyncDispose]() {
    console.log("disposing");
    await new Promise(() => {});
  },
});

export const broken = () => ({
  handle() {},
  [Symbol.dispose]() {
    throw new TypeError("pool broken");
  },
});

export const printing = () => (...args) => console.log("got", ...args);
`;

function ini(
  worker: string,
  options: Readonly<Record<string, string | number>> = {},
): string {
  const lines = Object.entries(options).map(([name, value]) =>
    `${name} = ${value}\n`
  );
  return `[container]\nworker = worker.ts:${worker}\nqueue = jobs\nregion = us-east-1\n${
    lines.join("")
  }`;
}

async function stage(container: string): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  const gate = stack.use(new Gate());
  const folder = stack.use(
    await Folder.with({
      "worker.ts": WORKER,
      "jobs.ini": `${container}[worker]\ngate = ${gate.url}\n`,
    }),
  );
  const server = stack.use(await TestServer.start());
  const registry = stack.use(await servePackage());
  const env = { ...registry.env, ...server.env };
  return {
    folder,
    server,
    gate,
    env,
    url: await server.createQueue("jobs"),
    run: (args, more = {}) =>
      runCli(args, { cwd: folder.path, env: { ...env, ...more } }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const VISIBLE: QueueState = { visible: 1, inFlight: 0, delayed: 0 };

/** What is logged, without its times. */
function logged({ stderr }: TestProcess): string[] {
  return stderr.split("\n")
    .filter((line) => !line.startsWith("Local SQS server at "))
    .map((line) =>
      line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d /, "")
        .replace(/(Stopping: no new receive from jobs)\..*/, "$1")
        .replace(/, leases lost 0, undeleted 0; requests: .*/, "")
    );
}

const LISTENING =
  "INFO zsqs Listening to jobs in us-east-1; failed jobs are deleted after logging";
const STOPPING = "INFO zsqs Stopping: no new receive from jobs";

const ALREADY =
  "Already stopping: one more Ctrl+C or SIGTERM stops immediately";

const stopped = (counts: string) =>
  `INFO zsqs Stopped listening to jobs: ${counts}`;

Deno.test("zsqs stops at a signal while idle, and releases the messages of the receive", async (t) => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    await t.step(signal, async () => {
      await using the = await stage(ini("held"));
      await using watch = new ReceiveWatch(the.server.endpoint);
      await using container = the.run(["jobs.ini"], {
        AWS_ENDPOINT_URL: watch.endpoint,
      });
      await watch.receiving();
      container.kill(signal);
      await container.saw("Stopping: ");
      await the.server.send(the.url, '[["late"],{}]');
      assertEquals(await container.status(), 0);
      assertEquals(container.stdout, "");
      assertEquals(logged(container), [
        LISTENING,
        STOPPING,
        stopped("received 1, done 0, failed 0, retried 0, released 1"),
        "",
      ]);
      assertEquals(await the.server.state(the.url), VISIBLE);
    });
  }
});

Deno.test("zsqs lets a running job finish at a signal, and takes two within 1 s for one", async (t) => {
  // Two kinds: the system may deliver a signal once that is sent twice.
  for (const signals of [["SIGTERM"], ["SIGINT", "SIGTERM"]] as const) {
    await t.step(signals.join(" and "), async () => {
      await using the = await stage(ini("held"));
      await the.server.send(the.url, '[["one"],{}]');
      await using container = the.run(["jobs.ini"]);
      await container.saw("begun one");
      await the.gate.held();
      await the.server.send(the.url, '[["two"],{}]');
      for (const signal of signals) container.kill(signal);
      const isRepeated = signals.length > 1;
      await container.saw(isRepeated ? ALREADY : "Stopping: ");
      the.gate.open();
      assertEquals(await container.status(), 0);
      assertEquals(container.stdout, "begun one\nended one\n");
      assertEquals(logged(container), [
        LISTENING,
        STOPPING,
        ...isRepeated ? [ALREADY] : [],
        stopped("received 1, done 1, failed 0, retried 0, released 0"),
        "",
      ]);
      assertEquals(await the.server.receive(the.url), ['[["two"],{}]']);
    });
  }
});

/** The lines of a container that gave up on a job. */
function assertGaveUp(container: TestProcess): void {
  const [listening, stopping, gaveUp = "", end] = logged(container)
    .filter((line) => !line.includes("Still stopping"));
  assertEquals([listening, stopping], [LISTENING, STOPPING]);
  assertMatch(
    gaveUp,
    /^WARNING zsqs Gave up running jobs as the container is stopping; they will be received again: jobs, message [0-9a-f-]{36}, receive 1$/,
  );
  assertEquals(
    end,
    stopped("received 1, done 0, failed 0, retried 0, released 1"),
  );
}

Deno.test("zsqs gives up on a job after shutdown_timeout", async (t) => {
  for (const worker of ["held", "heldFor"]) {
    await t.step(`a job that is ${worker}`, async () => {
      await using the = await stage(ini(worker, { shutdown_timeout: 1 }));
      await the.server.send(the.url, "[[],{}]");
      await using container = the.run(["jobs.ini"]);
      await the.gate.held();
      container.kill("SIGTERM");
      await container.saw("Gave up");
      assertEquals(await container.status(), 0);
      assertGaveUp(container);
      assertEquals(await the.server.state(the.url), VISIBLE);
    });
  }
});

Deno.test("zsqs gives up on a job at a second signal, more than 1 s after the first", async () => {
  await using the = await stage(ini("held", { shutdown_timeout: 3600 }));
  await the.server.send(the.url, "[[],{}]");
  await using container = the.run(["jobs.ini"]);
  await the.gate.held();
  container.kill("SIGINT");
  await container.saw("Stopping: ");
  assertMatch(
    container.stderr,
    /Stopping: no new receive from jobs\. A running poll may take 20 s \(wait_time\), running jobs 3600 s \(shutdown_timeout\)\. To stop immediately, press Ctrl\+C or send SIGTERM again\n/,
  );
  // More than 1 s later.
  await container.saw("Still stopping after 10 s");
  assertMatch(
    container.stderr,
    /INFO zsqs Still stopping after 10 s: waiting for 1 running job\. Running: jobs, message [0-9a-f-]{36}, receive 1\n/,
  );
  assert(!container.stderr.includes("Gave up"));
  container.kill("SIGTERM");
  assertEquals(await container.status(), 0);
  assertGaveUp(container);
  assertEquals(await the.server.state(the.url), VISIBLE);
});

Deno.test("zsqs gives up on a job at a third signal within 1 s", async () => {
  await using the = await stage(ini("held", { shutdown_timeout: 3600 }));
  await the.server.send(the.url, "[[],{}]");
  await using container = the.run(["jobs.ini"]);
  await the.gate.held();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    container.kill(signal);
  }
  assertEquals(await container.status(), 0);
  assertMatch(container.stderr, /stops immediately\n/);
  assertMatch(container.stderr, /Gave up running jobs/);
  assertEquals(await the.server.state(the.url), VISIBLE);
});

Deno.test("zsqs stops at a signal while its worker starts", async () => {
  await using the = await stage(ini("starting"));
  await using container = the.run(["jobs.ini"]);
  await container.saw("starting");
  container.kill("SIGTERM");
  assertEquals(await container.status(), 0);
  assertEquals(container.stderr, "");
});

Deno.test("zsqs gives up on a worker that does not dispose itself", async () => {
  await using the = await stage(
    ini("stuck", { wait_time: 1, shutdown_timeout: 1 }),
  );
  await using container = the.run(["jobs.ini"]);
  await container.saw("Listening");
  container.kill("SIGTERM");
  assertEquals(await container.status(), 0);
  assertEquals(logged(container).slice(2), [
    stopped("received 0, done 0, failed 0, retried 0, released 0"),
    "WARNING zsqs Gave up on disposing the worker as the container stops",
    "",
  ]);
});

Deno.test("zsqs ends with 1 where its worker cannot be disposed", async () => {
  await using the = await stage(ini("broken", { wait_time: 1 }));
  await using container = the.run(["jobs.ini", "--drain"]);
  assertEquals(await container.status(), 1);
  assertEquals(
    logged(container).at(-2),
    "Cannot dispose the worker of jobs: pool broken",
  );
});

Deno.test("zsqs drops the receive at a second signal, more than 1 s after the first", async () => {
  await using the = await stage(ini("held"));
  await using watch = new ReceiveWatch(the.server.endpoint);
  await using container = the.run(["jobs.ini"], {
    AWS_ENDPOINT_URL: watch.endpoint,
  });
  await watch.receiving();
  const start = performance.now();
  container.kill("SIGTERM");
  await container.saw("Stopping: ");
  await new Promise((resolve) => setTimeout(resolve, 1100));
  container.kill("SIGTERM");
  assertEquals(await container.status(), 0);
  // The receive would have taken 20 s.
  assert(performance.now() - start < 15_000);
});

Deno.test("zsqs logs errors that jobs left behind, and continues", async () => {
  await using the = await stage(ini("leaving"));
  await using container = the.run(["jobs.ini"]);
  await the.server.send(the.url, '[["rejection"],{}]');
  await container.saw("Error: nobody awaits me");
  await the.server.send(the.url, '[["timer"],{}]');
  await container.saw("Error: too late");
  await the.server.send(the.url, '[["throw"],{}]');
  await container.saw("Error: bad input");
  await the.server.send(the.url, '[["more"],{}]');
  await container.saw("did more");
  container.kill("SIGTERM");
  await container.saw("Stopping: ");
  await the.server.send(the.url, '[["last"],{}]');
  assertEquals(await container.status(), 0);
  const log = logged(container).join("\n");
  assertMatch(
    log,
    /^ERROR zsqs Work that a job left behind failed: jobs, message [0-9a-f-]{36}, receive 1\n {2}Error: nobody awaits me\n {6}at .*worker\.ts:16:/m,
  );
  assertMatch(
    log,
    /^ERROR zsqs Work that a job left behind failed(?:: jobs, message [0-9a-f-]{36}, receive 1)?\n {2}Error: too late\n {6}at .*worker\.ts:17:/m,
  );
  assertMatch(
    log,
    /^ERROR zsqs Handling a message failed: jobs, message [0-9a-f-]{36}, receive 1\n {2}Error: bad input\n {6}at .*\n(?: {6}at .*\n)*INFO zsqs\.messages \[\["throw"\],\{\}\]$/m,
  );
  assertMatch(
    log,
    /: received [45], done 3, failed 1, retried 0, released [01]$/m,
  );
});

Deno.test("zsqs keeps the message of a job without a Deno permission, naming the flag", async () => {
  await using the = await stage(ini("held"));
  const sqs = new URL(the.server.endpoint).host;
  await the.server.send(the.url, '[["one"],{}]');
  await using container = new TestProcess(
    [
      "run",
      "-q",
      "--no-prompt",
      "--allow-read",
      "--allow-env",
      "--allow-sys",
      `--allow-net=${sqs}`,
      "jsr:@zsqs/cli",
      "jobs.ini",
    ],
    { cwd: the.folder.path, env: the.env },
  );
  await container.saw("begun one");
  container.kill("SIGTERM");
  await container.saw("Stopping: ");
  await the.server.send(the.url, '[["two"],{}]');
  assertEquals(await container.status(), 0);
  assertEquals(container.stdout, "begun one\n");
  const log = logged(container).join("\n");
  assertMatch(
    log,
    /^ERROR zsqs Job will be retried in \d+ s: jobs, message [0-9a-f-]{36}, receive 1: start the container with the Deno permission that its worker needs\n {2}NotCapable: Requires net access to "127\.0\.0\.1:\d+", run again with the --allow-net flag\n/m,
  );
  assertMatch(log, /done 0, failed 0, retried 1, released [01]$/m);
  assertEquals(await the.server.state(the.url), {
    visible: 1,
    inFlight: 1,
    delayed: 0,
  });
});

const DRAIN_WORKER = `\
import { appendFileSync } from "node:fs";
import { TransientError } from "${import.meta.resolve("../../mod.ts")}";

export default function (config) {
  return (what) => {
    if (what === "later") throw new TransientError();
    appendFileSync(config.done, what + "\\n");
  };
}
`;

/** A container whose worker and log write into files of the folder. */
function drainIni(folder: Folder, queue: string, endpoint: string): string {
  return `\
[container]
worker = worker.ts
queue = ${queue}
region = us-east-1
endpoint = ${endpoint}
wait_time = 1
loggers =
  <logger>
    level INFO
    <logfile>
      path ${folder.at(`${queue}.log`)}
      format %(message)s
    </logfile>
  </logger>
[worker]
done = ${folder.at(`${queue}.done`)}
`;
}

Deno.test("zsqs --drain works its queues off, says what remains, and ends", async () => {
  await using folder = await Folder.with({ "worker.ts": DRAIN_WORKER });
  await using server = await TestServer.start();
  const files: string[] = [];
  for (const queue of ["first", "second"]) {
    const url = await server.createQueue(queue);
    files.push(
      await folder.write(
        `${queue}.ini`,
        drainIni(folder, queue, server.endpoint),
      ),
    );
    for (const number of [1, 2, 3]) {
      await server.send(url, `[["${queue} ${number}"],{}]`);
    }
    if (queue === "second") await server.send(url, '[["later"],{}]');
  }
  assertEquals(await cli(["--drain", ...files]), {
    status: 0,
    stdout: [],
    stderr: [],
  });
  const done = async (queue: string) =>
    (await folder.read(`${queue}.done`)).trimEnd().split("\n").sort();
  assertEquals(await done("first"), ["first 1", "first 2", "first 3"]);
  assertEquals(await done("second"), ["second 1", "second 2", "second 3"]);
  const log = async (name: string) =>
    (await folder.read(name))
      .replace(/, leases lost 0, undeleted 0; requests: .*/, "")
      .replace(/, message \S+, receive 1\n {2}Trans[^]*?:\d+:\d+\n/, "\n");
  assertEquals(
    await log("first.log"),
    `\
Listening to first in us-east-1; failed jobs are deleted after logging
Stopped listening to first: received 3, done 3, failed 0, retried 0, released 0
Drained first: 0 visible, 0 in flight and 0 delayed messages remain
`,
  );
  assertEquals(
    await log("second.log"),
    `\
Listening to second in us-east-1; failed jobs are deleted after logging
Job will be retried in 30 s: second
Stopped listening to second: received 4, done 3, failed 0, retried 1, released 0
Drained second: 0 visible, 1 in flight and 0 delayed messages remain
`,
  );
});

Deno.test("zsqs starts no container where one cannot start", async () => {
  await using folder = await Folder.with({ "worker.ts": DRAIN_WORKER });
  await using server = await TestServer.start();
  const url = await server.createQueue("first");
  await server.send(url, '[["one"],{}]');
  const file = (queue: string) =>
    folder.write(`${queue}.ini`, drainIni(folder, queue, server.endpoint));
  const files = [await file("first"), await file("absent")];
  assertEquals(await cli(files), {
    status: 2,
    stdout: [],
    stderr: [
      'Cannot find queue "absent" in region "us-east-1": create it first, or check its name and region',
    ],
  });
  assertEquals(await server.state(url), VISIBLE);
});

Deno.test("main() wires containers up to the testing double, and returns", async () => {
  await using folder = await Folder.with({ "worker.ts": DRAIN_WORKER });
  await using _queues = setUp({ silent: true });
  const files = [];
  for (const queue of ["first", "second"]) {
    const text = drainIni(folder, queue, "http://127.0.0.1:1");
    files.push(await folder.write(`${queue}.ini`, text));
  }
  assertEquals(await cli(files), { status: 0, stdout: [], stderr: [] });
  await cli(["send", "second", "job"]);
  assertEquals(await folder.read("second.done"), "job\n");
});

/** The port of a local server, as its container tells it. */
async function localPort(container: TestProcess): Promise<number> {
  await container.saw("Listening to ");
  const [, port] = /^Local SQS server at http:\/\/127\.0\.0\.1:(\d+) /m
    .exec(container.stderr) ?? [];
  assert(port !== undefined, container.stderr);
  return Number(port);
}

/** The addresses on which this machine listens on a port, as Linux has them. */
async function listening(port: number): Promise<string[]> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((table) => Deno.readTextFile(`/proc/net/${table}`)),
  );
  return tables.flatMap((table) => table.split("\n").slice(1))
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , state]) => state === "0A")
    .map(([, local = ""]) => local.split(":"))
    .filter(([, hex = ""]) => parseInt(hex, 16) === port)
    .map(([address = ""]) => address);
}

Deno.test("zsqs --local starts a server with the queue, for other processes to send to", async () => {
  await using folder = await Folder.with({
    "worker.ts": WORKER,
    "jobs.ini": ini("printing", { wait_time: 1, failures: "jobs-failed" }),
  });
  await using registry = await servePackage();
  // No credentials: a local server needs none.
  const where = {
    cwd: folder.path,
    env: {
      ...registry.env,
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      AWS_EC2_METADATA_DISABLED: "true",
    },
  };
  await using container = runCli(["--local", "--port=0", "jobs.ini"], where);
  const port = await localPort(container);
  assertEquals(
    container.stderr.split("\n").slice(0, 4),
    [
      `Local SQS server at http://127.0.0.1:${port} with queues jobs, jobs-failed, jobs-dead`,
      `Send a job: deno run -A jsr:@zsqs/cli send --local --port=${port} jobs ARG...`,
      `Look: deno run -A jsr:@zsqs/cli failed --local --port=${port} jobs-failed`,
      "Stop: Ctrl+C",
    ],
  );
  if (Deno.build.os === "linux") {
    assertEquals(await listening(port), ["0100007F"]);
  }
  await using send = runCli(
    ["send", "--local", `--port=${port}`, "jobs", "1", "x=two"],
    where,
  );
  assertEquals(await send.status(), 0);
  await container.saw('got 1 { x: "two" }\n');
  const status = ["status", "--local", `--port=${port}`, "--json"];
  await using counted = runCli([...status, "jobs"], where);
  assertEquals(await counted.status(), 0);
  assertEquals(JSON.parse(counted.stdout).deadLetter?.queue, "jobs-dead");
  await using check = runCli(
    ["check", "--local", `--port=${port}`, "jobs.ini"],
    where,
  );
  assertEquals([await check.status(), check.stderr], [0, ""]);
  assertStringIncludes(check.stdout, "after 10 receives to jobs-dead\n");

  const busy = await cli([
    "--local",
    `--port=${port}`,
    folder.at("jobs.ini"),
  ]);
  assertEquals(busy, {
    status: 1,
    stdout: [],
    stderr: [
      `Cannot start local SQS server as port ${port} is in use: stop the other program, or give another port with --port=PORT`,
    ],
  });

  container.kill("SIGTERM");
  assertEquals(await container.status(), 0);
  assertEquals(container.stdout, 'got 1 { x: "two" }\n');
});

Deno.test("zsqs --local says how to send what its container reads", async () => {
  await using folder = await Folder.with({
    "worker.ts": WORKER,
    "jobs.ini": ini("printing", { wait_time: 1, body: "json" }),
    "notified.ini": ini("printing", { wait_time: 1, envelope: "sns" })
      .replace("queue = jobs", "queue = notified"),
  });
  await using registry = await servePackage();
  const where = { cwd: folder.path, env: registry.env };
  await using container = runCli(
    ["--local", "--port=0", "jobs.ini", "notified.ini"],
    where,
  );
  await container.saw("Stop: Ctrl+C");
  assertStringIncludes(container.stderr, "--body=text notified BODY\n");
  const port = await localPort(container);
  const call = `send --local --port=${port} --body=json jobs`;
  assertStringIncludes(container.stderr, `${call} BODY\n`);
  await using send = runCli([...call.split(" "), '{"id":1}'], where);
  assertEquals(await send.status(), 0, send.stderr);
  await container.saw("got { id: 1 }\n");
});
