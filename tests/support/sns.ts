/**
 * A server of SQS and SNS over HTTP: fauxqs.
 *
 * @module
 */

import { TestServer } from "./server.ts";

/** The part of fauxqs that is used. */
interface Fauxqs {
  listen(address: { host: string; port: number }): Promise<string>;
  close(): Promise<void>;
}

/** A server of SQS and SNS for one test. */
export class SnsServer implements AsyncDisposable {
  readonly sqs: TestServer;
  readonly #app: Fauxqs;

  private constructor(app: Fauxqs, endpoint: string) {
    this.#app = app;
    this.sqs = TestServer.at(endpoint);
  }

  static async start(): Promise<SnsServer> {
    const { buildApp } = await import(["npm", "fauxqs@^2.4.1"].join(":"));
    const app: Fauxqs = buildApp({ logger: false });
    return new SnsServer(app, await app.listen({ host: "127.0.0.1", port: 0 }));
  }

  /** Makes a topic; returns its ARN. */
  async createTopic(
    name: string,
    attributes: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const given = entries("Attributes", "key", "value", attributes);
    const answer = await this.call("CreateTopic", { Name: name, ...given });
    return /<TopicArn>(.*)<\/TopicArn>/.exec(answer)![1]!;
  }

  /** Sends a topic's notifications to a queue, whole or raw. */
  async subscribe(
    topic: string,
    queue: string,
    { raw = false }: { readonly raw?: boolean } = {},
  ): Promise<void> {
    await this.call("Subscribe", {
      TopicArn: topic,
      Protocol: "sqs",
      Endpoint: `arn:aws:sqs:us-east-1:000000000000:${queue}`,
      ...entries("Attributes", "key", "value", {
        RawMessageDelivery: String(raw),
      }),
    });
  }

  async publish(
    topic: string,
    message: string,
    fields: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.call("Publish", {
      TopicArn: topic,
      Message: message,
      ...fields,
    });
  }

  /** Makes a call, as the SDKs write it. */
  async call(
    action: string,
    fields: Readonly<Record<string, string>>,
  ): Promise<string> {
    const response = await fetch(this.sqs.endpoint, {
      method: "POST",
      body: new URLSearchParams({ Action: action, ...fields }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${action} failed: ${text}`);
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sqs[Symbol.asyncDispose]();
    await this.#app.close();
  }
}

/** Names and values as the fields of a form. */
function entries(
  list: string,
  key: string,
  value: string,
  members: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, text], i) => [
      [`${list}.entry.${i + 1}.${key}`, name],
      [`${list}.entry.${i + 1}.${value}`, text],
    ]),
  );
}
