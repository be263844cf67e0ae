/**
 * The page for operators in a test, and a visitor as a browser is one.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { connect } from "node:net";
import { checkAddress } from "../../src/config/values.ts";
import { parseQueueRef } from "../../src/sqs/queue_ref.ts";
import type { QueueSpec, WebOptions } from "../../src/web/options.ts";
import { serveWeb, type WebPage } from "../../src/web/serve_web.ts";

/** Serves a page at a free port, with queues as the command line names them. */
export async function startWeb(
  queues: readonly (string | Partial<QueueSpec> & { name: string })[],
  options: Partial<WebOptions> = {},
  more: Partial<Parameters<typeof serveWeb>[0]> = {},
): Promise<WebPage> {
  return await serveWeb({
    specs: queues.map((given) => {
      const { name, ...spec } = typeof given === "string"
        ? { name: given }
        : given;
      return {
        queue: parseQueueRef(name)!,
        where: {},
        failures: undefined,
        file: undefined,
        reading: { body: "job" },
        writing: { body: "job", encoding: "json" },
        ...spec,
      };
    }),
    options: {
      address: checkAddress("127.0.0.1:0")!,
      password: undefined,
      isReadOnly: false,
      hidesArguments: false,
      allowedHosts: [],
      containers: [],
      ...options,
    },
    own: [],
    log: () => {},
    onWait: () => {},
    signal: new AbortController().signal,
    ...more,
  });
}

/** An answer, with its text. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** A browser with one cookie. */
export class Visitor {
  readonly url: URL;
  cookie = "";
  /** The token of the last form that it saw. */
  token = "";

  constructor({ url }: { readonly url: string }) {
    this.url = new URL(url);
  }

  /** Opens the printed address, and follows it. */
  static async open(page: { readonly url: string }): Promise<Visitor> {
    const visitor = new Visitor(page);
    const { status, text } = await visitor.get(
      visitor.url.pathname + visitor.url.search,
    );
    assertEquals(status, 200);
    // The page of a queue has forms.
    const [, queue] = /href="(\/queues\/[^"/]+)"/.exec(text) ?? [];
    if (queue !== undefined) await visitor.get(queue);
    return visitor;
  }

  async get(
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    return await this.#ask(path, { headers });
  }

  /** Sends a form as a page does; follows to the next page. */
  async post(
    path: string,
    fields: Readonly<Record<string, string | readonly string[]>> = {},
    headers: Readonly<Record<string, string>> = {
      "sec-fetch-site": "same-origin",
    },
  ): Promise<Answer> {
    const body = new URLSearchParams({ token: this.token });
    for (const [name, values] of Object.entries(fields)) {
      body.delete(name);
      for (const value of [values].flat()) body.append(name, value);
    }
    return await this.#ask(path, { method: "POST", body, headers });
  }

  async #ask(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(new URL(path, this.url.origin), {
      ...init,
      redirect: "manual",
      headers: {
        ...init.headers as Record<string, string>,
        ...(this.cookie === "" ? {} : { cookie: this.cookie }),
      },
    });
    const text = await response.text();
    const [cookie] = response.headers.getSetCookie();
    if (cookie !== undefined) this.cookie = cookie.split(";")[0]!;
    const location = response.headers.get("location");
    if (location !== null) return await this.get(location);
    this.token = /name="token" value="([^"]+)"/.exec(text)?.[1] ?? this.token;
    return { status: response.status, headers: response.headers, text };
  }
}

/** What a server answers to raw text, until it closes or `enough` says so. */
export async function raw(
  { port }: URL,
  text: string,
  enough: (answer: string) => boolean = () => false,
): Promise<string> {
  const socket = connect(Number(port), "127.0.0.1");
  let answer = "";
  try {
    socket.write(text);
    for await (const chunk of socket) {
      answer += chunk;
      if (enough(answer)) break;
    }
    return answer;
  } finally {
    socket.destroy();
  }
}
