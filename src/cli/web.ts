/**
 * `zsqs web [FILE.ini | QUEUE]...`: serves a page for operators.
 *
 * @module
 */

import { once } from "node:events";
import { readContainerConfig } from "../config/ini_config.ts";
import { AS_JOBS } from "../message/reading.ts";
import type { ConnectOptions } from "../sqs/connection.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { quote } from "../text.ts";
import type { OwnContainer, QueueSpec, WebOptions } from "../web/options.ts";
import type { WebPage } from "../web/serve_web.ts";
import {
  type Command,
  CONNECT_OPTIONS,
  connectOptionsOf,
  type ParsedOptions,
  portOf,
  UsageError,
} from "./command.ts";
import { DONE } from "./errors.ts";
import { onLocalServer } from "./local_queues.ts";
import { localEndpoint } from "./local_server.ts";
import type { Output } from "./screen.ts";
import { untilForced } from "./stop.ts";
import { specOf, WEB_OPTIONS, webOptionsOf } from "./web_options.ts";

export const WEB: Command = {
  name: "web",
  summary: "Serve a page for operators: queues, failed jobs, containers.",
  brief: "serve a page for operators",
  usage: ["[OPTIONS] QUEUE...", "[OPTIONS] CONFIG.ini..."],
  about: `\
QUEUE is a queue's name, URL or ARN. An ini file names its queue, and the queue
that keeps its failed jobs; SQS names dead-letter queues. You may mix both. Open
the address that it prints. Whoever knows the address may use the page.

The page shows counts and failed jobs, sends jobs, and redrives or deletes
failed ones. While it is open, it asks SQS for the counts of each queue every
10 s. It receives messages only when you look at failed jobs.

CONFIG.ini... --web serves it with the containers of the ini files, and shows
their running jobs.`,
  options: [...WEB_OPTIONS, ...CONNECT_OPTIONS],
  exitStatus: `0 stopped as asked, 1 failed at run time, 2 bad usage or
configuration, or no such queue.`,
  run: web,
};

async function web(options: ParsedOptions, io: Output): Promise<number> {
  const webOptions = await webOptionsOf(options);
  const where = connectOptionsOf(options);
  const specs = await Promise.all(
    options.positional.map((text) => readSpec(text, options, where)),
  );
  return await untilForced(async (signal) => {
    const stopped = once(signal, "abort");
    await using _page = await startPage(io, {
      ...{ options: webOptions, specs, own: [], signal },
    });
    if (!signal.aborted) await stopped;
    return DONE;
  }, {
    io,
    left: () => "received messages are visible again within 120 s",
  });
}

async function readSpec(
  text: string,
  options: ParsedOptions,
  where: ConnectOptions,
): Promise<QueueSpec> {
  const queue = parseQueueRef(text);
  if (queue !== undefined) {
    return {
      ...{ queue, where, failures: undefined, file: undefined },
      reading: AS_JOBS,
      writing: { body: "job", encoding: "json" },
    };
  }
  if (!/[./\\]/.test(text)) {
    throw new UsageError(
      `There is no file ${quote(text)}, and it is no queue's name, URL or ARN`,
    );
  }
  const config = await readContainerConfig(text);
  const isLocal = options.has("local");
  const used = isLocal
    ? onLocalServer(config, localEndpoint(portOf(options)))
    : config;
  return specOf(used, where);
}

/** Serves the page, and prints its address. */
export async function startPage(
  io: Output,
  parts: {
    readonly options: WebOptions;
    readonly specs: readonly QueueSpec[];
    readonly own: readonly OwnContainer[];
    readonly signal: AbortSignal;
  },
): Promise<WebPage> {
  const { serveWeb } = await import("../web/serve_web.ts");
  const line = (text: string) => io.stderr(text);
  const page = await serveWeb({ ...parts, log: line, onWait: line });
  io.stdout(`Page: ${page.url}`);
  return page;
}
