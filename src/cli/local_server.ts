/**
 * The embedded SQS server: fauxqs, on this machine's loopback.
 *
 * @module
 */

import { Server } from "node:http";
import { parseQueueRef } from "../sqs/queue_ref.ts";

/** The port where none is asked for, as fauxqs has it. */
export const LOCAL_PORT = 4566;

/** The region of local queues where nothing names another. */
export const LOCAL_REGION = "us-east-1";

/** The part of fauxqs that is used. */
interface Fauxqs {
  readonly port: number;
  stop(): Promise<void>;
  createQueue(
    name: string,
    options: {
      readonly region: string;
      readonly attributes?: Record<string, string>;
    },
  ): unknown;
  inspectQueue(name: string): unknown;
}

/** Options of {@linkcode startLocalServer}. */
export interface LocalServerOptions {
  /** The port; 0 takes a free one. */
  readonly port: number;
  /** The folder that keeps the queues; they are in memory without it. */
  readonly dataDir?: string;
}

/** An embedded SQS server. */
export interface LocalServer extends AsyncDisposable {
  readonly port: number;
  /** Its URL, to be used as an endpoint. */
  readonly endpoint: string;
  /** Makes a queue, by name, URL or ARN, if it is not there; tells its name. */
  makeQueue(queue: string, region: string): string;
}

/**
 * Starts an SQS server on 127.0.0.1.
 *
 * @param options Its port and folder.
 * @returns The server; disposing it stops it.
 * @throws {Error} If its port is taken, or its folder cannot be used.
 */
export async function startLocalServer(
  options: LocalServerOptions,
): Promise<LocalServer> {
  const { startFauxqs } = await importFauxqs();
  const { port, dataDir } = options;
  const start = () =>
    onLoopback(() =>
      startFauxqs({
        port,
        logger: false,
        ...(dataDir === undefined ? {} : { dataDir }),
      })
    );
  const made = new Set<string>();
  let server: Fauxqs;
  try {
    server = await (dataDir === undefined ? start() : keepingReleased(start));
  } catch (error) {
    throw new Error(startProblem(options, error), { cause: error });
  }
  return {
    port: server.port,
    endpoint: `http://127.0.0.1:${server.port}`,
    makeQueue(queue, region) {
      const { name, fifo } = parseQueueRef(queue)!;
      // fauxqs finds queues by name alone, but keeps them by region.
      const kept = dataDir !== undefined &&
        server.inspectQueue(name) !== undefined;
      const id = `${region}/${name}`;
      if (!kept && !made.has(id)) {
        made.add(id);
        server.createQueue(name, {
          region,
          ...(fifo
            ? {
              attributes: {
                FifoQueue: "true",
                ContentBasedDeduplication: "true",
              },
            }
            : {}),
        });
      }
      return name;
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

function startProblem({ port }: LocalServerOptions, error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return code === "EADDRINUSE"
    ? `Cannot start local SQS server as port ${port} is taken: stop what uses it, or give another with --port=PORT`
    : `Cannot start local SQS server: ${message ?? error}`;
}

/** A literal specifier would make everybody download the server. */
async function importFauxqs(): Promise<{
  startFauxqs(options: object): Promise<Fauxqs>;
}> {
  const specifier = ["npm", "fauxqs@^2.4.1"].join(":");
  return await import(specifier);
}

/**
 * Has a server that is started meanwhile listen on loopback alone: fauxqs
 * listens on every interface, and has no option for it.
 */
async function onLoopback<T>(start: () => Promise<T>): Promise<T> {
  const { listen } = Server.prototype;
  Server.prototype.listen = function (this: Server, ...args: unknown[]) {
    const [options, ...rest] = args;
    return Reflect.apply(listen, this, [
      { ...options as object, host: "127.0.0.1" },
      ...rest,
    ]);
  } as typeof listen;
  try {
    return await start();
  } finally {
    Server.prototype.listen = listen;
  }
}

/**
 * Has a store that is opened meanwhile keep released messages: fauxqs clears
 * the receive count of a message whose visibility is set to 0, its own table
 * refuses that, and the message is gone until the next start.
 */
async function keepingReleased<T>(start: () => Promise<T>): Promise<T> {
  const { DatabaseSync } = await import("node:sqlite");
  const { prepare } = DatabaseSync.prototype;
  DatabaseSync.prototype.prepare = function (sql, ...rest) {
    const column = "approximate_receive_count";
    return prepare.call(
      this,
      sql.replace(`${column} = ?`, `${column} = coalesce(?, ${column})`),
      ...rest,
    );
  };
  try {
    return await start();
  } finally {
    DatabaseSync.prototype.prepare = prepare;
  }
}
