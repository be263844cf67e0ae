/**
 * The shared parts of tests against a real SQS server: fauxqs over HTTP, and the
 * command line as a process, from JSR.
 *
 * @module
 */

import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { startLocalServer } from "../../src/cli/local_server.ts";
import { serveRegistry } from "../../tools/registry.ts";

/** Credentials that any local server takes. */
export const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
} as const;

/** Sets environment variables until it is disposed; `undefined` takes one away. */
export function setEnv(
  variables: Readonly<Record<string, string | undefined>>,
): Disposable {
  const before = Object.keys(variables).map((name) =>
    [name, Deno.env.get(name)] as const
  );
  const set = (name: string, value: string | undefined) =>
    value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  for (const [name, value] of Object.entries(variables)) set(name, value);
  return {
    [Symbol.dispose]() {
      for (const [name, value] of before) set(name, value);
    },
  };
}

/** After which a program that does not write the awaited text is killed. */
const SAW_LIMIT_MS = 60_000;

/** Between two questions to a server, which has other work, too. */
const ASK_AGAIN_MS = 10;

const ROOT = new URL("../..", import.meta.url);

/** A queue as its server shows it. */
export interface QueueState {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** An SQS server for one test. */
export class TestServer implements AsyncDisposable {
  readonly endpoint: string;
  readonly #stop: () => PromiseLike<void>;
  readonly #client: SQSClient;

  private constructor(
    endpoint: string,
    region: string,
    stop: () => PromiseLike<void>,
  ) {
    this.endpoint = endpoint;
    this.#stop = stop;
    this.#client = new SQSClient({
      endpoint,
      region,
      useQueueUrlAsEndpoint: false,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
  }

  /** Starts one, whose queues are in a region. */
  static async start(region = "us-east-1"): Promise<TestServer> {
    if (Deno.env.get("AWS_ACCESS_KEY_ID") === undefined) {
      throw new Error(
        "There are no test credentials: run tests with `deno task test PATH...`",
      );
    }
    const server = await startLocalServer({ port: 0 });
    return new TestServer(
      server.endpoint,
      region,
      () => server[Symbol.asyncDispose](),
    );
  }

  /** A server that another process runs: disposing this does not stop it. */
  static at(endpoint: string): TestServer {
    return new TestServer(endpoint, "us-east-1", () => Promise.resolve());
  }

  /** The environment of a process that is to use this server. */
  get env(): Record<string, string> {
    return { ...CREDENTIALS, AWS_ENDPOINT_URL: this.endpoint };
  }

  /** Makes a queue with SQS's own attributes; tells its URL. */
  async createQueue(
    name: string,
    attributes: Record<string, string> = {},
  ): Promise<string> {
    const { QueueUrl } = await this.#client.send(
      new CreateQueueCommand({ QueueName: name, Attributes: attributes }),
    );
    return QueueUrl!;
  }

  async deleteQueue(url: string): Promise<void> {
    await this.#client.send(new DeleteQueueCommand({ QueueUrl: url }));
  }

  /** Sends a body as it is, as another producer would. */
  async send(url: string, body: string): Promise<void> {
    await this.#client.send(
      new SendMessageCommand({ QueueUrl: url, MessageBody: body }),
    );
  }

  /** Receives the visible messages now, at most ten bodies. */
  async receive(url: string): Promise<string[]> {
    const { Messages } = await this.#client.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }),
    );
    return (Messages ?? []).map((message) => message.Body!);
  }

  async state(url: string): Promise<QueueState> {
    const { Attributes } = await this.#client.send(
      new GetQueueAttributesCommand({
        QueueUrl: url,
        AttributeNames: ["All"],
      }),
    );
    return {
      visible: Number(Attributes?.ApproximateNumberOfMessages),
      inFlight: Number(Attributes?.ApproximateNumberOfMessagesNotVisible),
      delayed: Number(Attributes?.ApproximateNumberOfMessagesDelayed),
    };
  }

  /** Asks until so many messages, visible or not, are left in a queue. */
  async left(url: string, messages: number): Promise<void> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const { visible, inFlight, delayed } = await this.state(url);
      if (visible + inFlight + delayed === messages) return;
      if (Date.now() > deadline) {
        throw new Error(
          `Wanted ${messages} messages: there are ${visible} visible, ${inFlight} in flight, ${delayed} delayed`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    await this.#stop();
  }
}

/** Where processes of a test find this package. */
export interface ServedPackage extends AsyncDisposable {
  readonly env: Record<string, string>;
}

/**
 * Serves this package, as it would be published, to programs outside of it. The
 * registry of `tools/test.ts` does, unless there are folders with further
 * packages or versions.
 */
export async function servePackage(
  ...others: string[]
): Promise<ServedPackage> {
  const upstream = Deno.env.get("JSR_URL");
  if (upstream === undefined) {
    throw new Error(
      "There is no registry: run tests with `deno task test PATH...`",
    );
  }
  if (others.length === 0) {
    return {
      env: { JSR_URL: upstream },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const registry = await serveRegistry({
    packages: [decodeURIComponent(ROOT.pathname), ...others],
    upstream,
  });
  return {
    env: { JSR_URL: registry.url },
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** A program that runs, whose output can be waited for. */
export class TestProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  #waiting: {
    readonly text: string;
    readonly times: number;
    readonly found: () => void;
    readonly lost: () => void;
  }[] = [];
  #closed = false;
  /** What it has written to standard output so far. */
  stdout = "";
  /** What it has written to standard error so far. */
  stderr = "";

  constructor(
    args: readonly string[],
    options: {
      readonly cwd: string;
      readonly env?: Record<string, string>;
      readonly stdin?: string;
      /** Another program than Deno. */
      readonly program?: string;
    },
  ) {
    this.#child = new Deno.Command(options.program ?? Deno.execPath(), {
      args: [...args],
      cwd: options.cwd,
      env: { NO_COLOR: "1", ...options.env },
      stdin: options.stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = Promise.all([
      this.#read(this.#child.stdout, (text) => this.stdout += text),
      this.#read(this.#child.stderr, (text) => this.stderr += text),
      this.#write(options.stdin),
    ]).then(() => {
      this.#closed = true;
      this.#look();
    });
  }

  /**
   * Resolves when a text has been written, so many times; rejects if the
   * program ends before.
   */
  async saw(text: string, times = 1): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({
      text,
      times,
      found: resolve,
      lost: () =>
        reject(
          new Error(
            `The program ended without writing ${
              JSON.stringify(text)
            }\nstdout:\n${this.stdout}\nstderr:\n${this.stderr}`,
          ),
        ),
    });
    this.#look();
    const limit = setTimeout(() => {
      this.#child.kill("SIGKILL");
    }, SAW_LIMIT_MS);
    try {
      await promise;
    } finally {
      clearTimeout(limit);
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Whether it has ended. */
  get ended(): boolean {
    return this.#closed;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for its end, and tells its exit status. */
  async status(): Promise<number> {
    await this.#reading;
    return (await this.#child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.status();
  }

  async #read(
    stream: ReadableStream<Uint8Array>,
    add: (text: string) => void,
  ): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      add(decoder.decode(chunk, { stream: true }));
      this.#look();
    }
  }

  async #write(text: string | undefined): Promise<void> {
    if (text === undefined) return;
    const writer = this.#child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ text, times, found, lost }) => {
      const seen = Math.max(
        this.stdout.split(text).length,
        this.stderr.split(text).length,
      ) - 1;
      if (seen >= times) found();
      else if (this.#closed) lost();
      else return true;
      return false;
    });
  }
}

/** Whether this machine has `script`, which runs programs on a terminal. */
export const hasTerminals: boolean = Deno.build.os === "linux" &&
  await new Deno.Command("script", { args: ["--version"], stdout: "null" })
    .output().then(({ success }) => success, () => false);

/** The command line on a pseudo-terminal of 80 columns: all it writes is `stdout`. */
export function runCliOnTerminal(
  args: readonly string[],
  options: ConstructorParameters<typeof TestProcess>[1],
): TestProcess {
  const command = [Deno.execPath(), "run", "-q", "-A", "jsr:@zsqs/cli", ...args]
    .map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(" ");
  return new TestProcess(
    ["-qec", `stty cols 80; ${command}`, "/dev/null"],
    { ...options, program: "script" },
  );
}

/** The command line as a process, word for word as users run it. */
export function runCli(
  args: readonly string[],
  options: ConstructorParameters<typeof TestProcess>[1],
): TestProcess {
  return new TestProcess(
    ["run", "-q", "-A", "jsr:@zsqs/cli", ...args],
    options,
  );
}

/** A command line's words, as a POSIX shell takes them. */
export async function wordsOf(line: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `printf '%s\\n' ${line}`],
  }).output();
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}
