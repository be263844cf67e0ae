/**
 * The SDK's clients of one connection, and its requests: within a time limit, and
 * again if credentials or clock were wrong.
 *
 * @module
 */

import { SQSClient, type SQSClientConfig } from "@aws-sdk/client-sqs";
import { readAnswers } from "./answers.ts";
import type { ClientConfig } from "./client_config.ts";
import {
  type Agents,
  areCredentialsOver,
  type ClockSkew,
  isClockCorrected,
  Md5,
  renewCredentials,
  Sha256,
  shareClock,
} from "./sdk_workarounds.ts";
import { ShortCalls } from "./short_calls.ts";
import { sqsError } from "./sqs_error.ts";
import { SqsError } from "../errors.ts";
import type { CallOptions } from "../sqs/connection.ts";

/** The time limit of each try of a call other than a receive. */
const TRY_TIMEOUT_MS = 5_000;

/**
 * The time limit of a call other than a receive, in milliseconds. Its tries end
 * earlier; looking for credentials may not.
 */
const CALL_LIMIT_MS = 60_000;

/** A larger difference is more than the precision of the server's clock. */
const CLOCK_PRECISION_MS = 2_000;

/** A request with one of the clients. */
type Run<T> = (
  client: SQSClient,
  http: { readonly abortSignal: AbortSignal } | undefined,
) => Promise<T>;

/** The two clients of a connection. */
export class SqsClients {
  readonly #config: ClientConfig;
  readonly #makeAgents: () => Agents;
  readonly #skew: ClockSkew = { systemClockOffset: 0 };
  /** Makes the calls of a sweep, if it can. */
  readonly short: ShortCalls | undefined;
  #callsClient: SQSClient | undefined;
  #pollsClient: SQSClient | undefined;
  /** How often the credentials were replaced. */
  #renewals = 0;
  #renewing: Promise<void> | undefined;

  /**
   * @param sweeps Whether thousands of receives and releases follow.
   */
  constructor(
    config: ClientConfig,
    makeAgents: () => Agents,
    sweeps: boolean,
  ) {
    if (sweeps) this.short = new ShortCalls(this.#skew);
    this.#config = config;
    this.#makeAgents = makeAgents;
  }

  get clockAheadMs(): number {
    const { systemClockOffset } = this.#skew;
    const isKnown = Math.abs(systemClockOffset) >= CLOCK_PRECISION_MS;
    return isKnown ? systemClockOffset : 0;
  }

  /** Makes a call other than a receive, within a time limit. */
  async call<T>(
    operation: string,
    options: CallOptions,
    run: Run<T>,
  ): Promise<T> {
    const limit = limitOf(operation, options.signal);
    try {
      // The SDK does not look at the signal while it waits for credentials.
      return await Promise.race([
        this.#request(operation, options, () => this.#calls, run),
        limit.over,
      ]);
    } finally {
      limit.clear();
    }
  }

  /** Makes a receive, which its caller limits. */
  receive<T>(options: CallOptions, run: Run<T>): Promise<T> {
    return this.#request("ReceiveMessage", options, () => this.#polls, run);
  }

  close(): void {
    this.#callsClient?.destroy();
    this.#pollsClient?.destroy();
  }

  /** The client of all calls but receives: it limits each try, and retries. */
  get #calls(): SQSClient {
    return this.#callsClient ??= this.#client({
      maxAttempts: 3,
      cacheMiddleware: true,
      requestHandler: {
        ...this.#makeAgents(),
        // Counted from the start of a try, before the connection.
        requestTimeout: TRY_TIMEOUT_MS,
        throwOnRequestTimeout: true,
      },
    });
  }

  /**
   * The client of receives: one try each, which the caller aborts. Its sockets
   * are separate, so that no other call waits for a long poll.
   */
  get #polls(): SQSClient {
    return this.#pollsClient ??= this.#client({
      maxAttempts: 1,
      requestHandler: { ...this.#makeAgents() },
    });
  }

  /** Makes a client that shares the other one's credentials and clock. */
  #client(config: SQSClientConfig): SQSClient {
    const other = this.#callsClient ?? this.#pollsClient;
    const client = new SQSClient({
      md5: Md5,
      sha256: Sha256,
      ...this.#config,
      ...config,
      ...(other === undefined ? {} : { credentials: other.config.credentials }),
    });
    readAnswers(client);
    shareClock(client, this.#skew);
    this.short?.watch(client);
    return client;
  }

  /** Makes a request, and again if credentials or clock are no longer wrong. */
  async #request<T>(
    operation: string,
    { signal }: CallOptions,
    client: () => SQSClient,
    run: Run<T>,
  ): Promise<T> {
    const http = signal && { abortSignal: signal };
    const credentials = this.#renewals;
    try {
      try {
        return await run(client(), http);
      } catch (error) {
        if (signal?.aborted) throw error;
        if (isClockCorrected(error)) return await run(client(), http);
        if (!areCredentialsOver(error)) throw error;
        if (credentials === this.#renewals) await this.#renewCredentials();
        if (credentials === this.#renewals) throw error;
        return await run(client(), http);
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw sqsError(operation, error, this.#config.endpoint);
    }
  }

  /** Reads the credentials again: somebody may have replaced a profile's. */
  #renewCredentials(): Promise<void> {
    return this.#renewing ??= renewCredentials(this.#calls).then((renewed) => {
      if (renewed) this.#renewals++;
    }).finally(() => this.#renewing = undefined);
  }
}

/**
 * Rejects when a call has taken too long, or its signal aborts. The timer must
 * not know the call: Deno's table of timers keeps it (bench row "100,000 jobs").
 */
function limitOf(operation: string, signal: AbortSignal | undefined) {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal!.reason);
  const timer = setTimeout(() => reject(noAnswer(operation)), CALL_LIMIT_MS);
  signal?.addEventListener("abort", onAbort, { once: true });
  const clear = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  return { over, clear };
}

function noAnswer(operation: string): SqsError {
  return new SqsError(
    `${operation} failed: no answer within ${CALL_LIMIT_MS / 1000} s`,
    { code: "TimeoutError", senderFault: false },
  );
}
