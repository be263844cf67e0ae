/**
 * The options of the page for operators, for `web` and for `--web`.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { type Address, checkAddress } from "../config/values.ts";
import type { ContainerConfig } from "../config/options.ts";
import { connectOptions } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import type { ConnectOptions } from "../sqs/connection.ts";
import { readingOf } from "../message/reading.ts";
import type { QueueSpec, WebOptions } from "../web/options.ts";
import {
  type CommandOption,
  type ParsedOptions,
  UsageError,
} from "./command.ts";

const DEFAULT_ADDRESS = "127.0.0.1:8088";

const MAX_PASSWORD = 1_000;

const MAX_CONTAINERS = 100;

export const WEB_OPTIONS: readonly CommandOption[] = [
  {
    name: "address",
    value: "HOST:PORT",
    meaning: `where to serve the page (default ${DEFAULT_ADDRESS});
port 0 takes a free one`,
  },
  {
    name: "password-file",
    value: "FILE",
    meaning: `ask for the password in this file; needed for an
address that other machines reach`,
  },
  {
    name: "allow-host",
    value: "NAME",
    meaning: "a name by which a proxy is asked; may be repeated",
  },
  { name: "read-only", meaning: "refuse every change" },
  {
    name: "hide-arguments",
    meaning: "show no arguments, bodies or attributes of jobs",
  },
  {
    name: "container",
    value: "HOST:PORT",
    meaning: `show the container whose health address this is, if it
has stats = on; may be repeated`,
  },
];

/** The same, for commands whose help does not list them. */
export const UNLISTED_WEB_OPTIONS: readonly CommandOption[] = WEB_OPTIONS.map(
  (option) => ({ ...option, isInternal: true }),
);

/** Reads the options; `--web` is checked by its command. */
export async function webOptionsOf(
  options: ParsedOptions,
): Promise<WebOptions> {
  const address = addressOf(
    "address",
    options.get("address") ?? DEFAULT_ADDRESS,
  );
  const file = options.get("password-file");
  const { isLoopback } = await import("../web/security.ts");
  if (file === undefined && !isLoopback(address.host)) {
    throw new UsageError(
      `Option --address=${address.text} needs --password-file=FILE, as other machines reach the page there`,
    );
  }
  const containers = options.all("container");
  if (containers.length > MAX_CONTAINERS) {
    throw new UsageError(
      `Option --container is given ${containers.length} times: the limit is ${MAX_CONTAINERS}`,
    );
  }
  return {
    address,
    password: file === undefined ? undefined : await readPassword(file),
    isReadOnly: options.has("read-only"),
    hidesArguments: options.has("hide-arguments"),
    allowedHosts: options.all("allow-host").map(hostOf),
    containers: containers.map((text) => remoteOf(text)),
  };
}

/** Refuses options of the page without the page. */
export function refuseWebOptions(options: ParsedOptions): void {
  const given = WEB_OPTIONS.find(({ name, value }) =>
    value === undefined ? options.has(name) : options.get(name) !== undefined
  );
  if (given !== undefined) {
    throw new UsageError(`Option --${given.name} needs --web`);
  }
}

/** The options as they were given, for another process. */
export function webArguments(options: ParsedOptions): string[] {
  return WEB_OPTIONS.flatMap(({ name, value }) =>
    value === undefined
      ? options.has(name) ? [`--${name}`] : []
      : options.all(name).map((each) => `--${name}=${each}`)
  );
}

/** The queue of a configuration, as the page shows it. */
export function specOf(
  config: ContainerConfig,
  more: ConnectOptions = {},
): QueueSpec {
  const { queue, failures, file, body } = config;
  return {
    queue,
    where: { ...more, ...connectOptions(config) },
    failures: typeof failures === "object" ? failures : undefined,
    file,
    reading: readingOf(config),
    writing: { body, encoding: "json" },
  };
}

function addressOf(name: string, text: string): Address {
  const address = checkAddress(text);
  if (address !== undefined) return address;
  throw new UsageError(
    `Option --${name} must be HOST:PORT such as ${DEFAULT_ADDRESS}: current value is "${text}"`,
  );
}

function remoteOf(text: string): Address {
  const address = addressOf("container", text);
  if (address.port > 0) return address;
  throw new UsageError(
    `Option --container must name the port of a health address: current value is "${text}"`,
  );
}

function hostOf(text: string): string {
  if (
    /^(?:\[[\da-f:.]+\]|[a-z\d](?:[a-z\d.-]*[a-z\d])?)(?::\d{1,5})?$/i.test(
      text,
    )
  ) {
    return text;
  }
  throw new UsageError(
    `Option --allow-host must be a host name such as jobs.example.com, without https://: current value is "${text}"`,
  );
}

async function readPassword(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new UsageError(
      `Option --password-file names a file that cannot be read: ${
        messageOf(error)
      }`,
    );
  }
  const password = text.replace(/\r?\n$/, "");
  if (
    password !== "" && password.length <= MAX_PASSWORD &&
    !/[\r\n]/.test(password)
  ) {
    return password;
  }
  throw new UsageError(
    `Option --password-file must name a file with one line of 1 to ${MAX_PASSWORD} characters: ${file} has ${
      password === "" ? "none" : "more"
    }`,
  );
}
